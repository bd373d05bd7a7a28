use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::thread;

use hub_core::Waker;

use crate::errno::{Errno, Result};
use crate::fork;
use crate::lock::{Held, TicketLock};
use crate::system;
use crate::watch::Watch;

/// What C holds in place of a pointer: the number of a slot and which of its hubs is meant. It is
/// never followed, so that one that is stale, or never was a handle, is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle(usize);

/// Bits of the slot's number; the others are the generation's.
const HALF: u32 = usize::BITS / 2;

impl Handle {
    fn new(index: usize, generation: usize) -> Handle {
        Handle(generation << HALF | index)
    }

    pub(crate) fn from_bits(bits: usize) -> Handle {
        Handle(bits)
    }

    pub(crate) fn bits(self) -> usize {
        self.0
    }

    fn index(self) -> usize {
        self.0 & ((1 << HALF) - 1)
    }

    /// Never zero in a handle that was given out.
    fn generation(self) -> usize {
        self.0 >> HALF
    }

    /// The place of this hub.
    ///
    /// # Errors
    /// EINVAL for a null pointer, EBADF for a hub that was destroyed or never was, ECHILD for one
    /// of the parent process.
    pub(crate) fn slot(self) -> Result<&'static Slot> {
        let slot = self.slot_in_any_process()?;
        slot.check(self)?;
        Ok(slot)
    }

    /// As [`slot`](Handle::slot), also for a hub of the parent process.
    pub(crate) fn slot_in_any_process(self) -> Result<&'static Slot> {
        if self.0 == 0 {
            return Err(Errno(libc::EINVAL));
        }
        let slot = slot(self.index()).ok_or(Errno(libc::EBADF))?;
        slot.check_alive(self)?;
        Ok(slot)
    }
}

/// A place for a hub. Places are never freed but used again, so that to look at one is always
/// sound, whatever has become of its hub.
pub(crate) struct Slot {
    is_claimed: AtomicBool,
    /// The generation of the hub that lives here; 0 for none.
    live: AtomicUsize,
    /// The generation of the last one.
    last: AtomicUsize,
    /// How many threads are inside [`wake`](Slot::wake), which has no turn.
    waking: AtomicUsize,
    /// True if the caller wants the wait to end.
    pub(crate) is_notified: AtomicBool,
    process: AtomicI32,
    forks: AtomicUsize,
    name: AtomicPtr<c_char>,
    lock: AtomicPtr<TicketLock>,
    /// Written only while nothing lives here and nobody wakes it.
    waker: UnsafeCell<Option<Waker>>,
    /// Touched only by who claims the slot while nothing lives here, or has the turn.
    watch: UnsafeCell<Option<Watch>>,
}

// SAFETY: the two cells are touched as they say, by one thread at a time or only read; what they
// hold may be used from any thread.
unsafe impl Sync for Slot {}

/// What the text above says of the two cells, and what the compiler would not look at.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Watch>();
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Waker>();
};

/// Slots come in chunks, each twice as large as the one before, which never move.
static CHUNKS: [OnceLock<Box<[Slot]>>; 20] = [const { OnceLock::new() }; 20];

const FIRST_CHUNK: usize = 16;

/// Which chunk a slot is in, and where.
fn place(index: usize) -> (usize, usize) {
    let position = index + FIRST_CHUNK;
    let chunk = (position / FIRST_CHUNK).ilog2();
    (chunk as usize, position - (FIRST_CHUNK << chunk))
}

fn slot(index: usize) -> Option<&'static Slot> {
    let (chunk, offset) = place(index);
    CHUNKS.get(chunk)?.get()?.get(offset)
}

/// A slot for a new hub, claimed; the table grows as needed.
fn claim() -> Result<(usize, &'static Slot)> {
    for index in 0..1 << HALF {
        let (chunk, offset) = place(index);
        let chunk = CHUNKS.get(chunk).ok_or(Errno(libc::ENFILE))?;
        let slots = chunk.get_or_init(|| {
            let length = FIRST_CHUNK << place(index).0;
            (0..length).map(|_| Slot::vacant()).collect()
        });
        let claimed = &slots[offset].is_claimed;
        if !claimed.load(SeqCst) && !claimed.swap(true, SeqCst) {
            return Ok((index, &slots[offset]));
        }
    }
    Err(Errno(libc::ENFILE))
}

/// Gives a hub a place.
pub(crate) fn insert(watch: Watch) -> Result<Handle> {
    let (index, slot) = claim()?;
    let mut generation = (slot.last.load(SeqCst) + 1) & ((1 << HALF) - 1);
    if generation == 0 {
        generation = 1;
    }
    slot.last.store(generation, SeqCst);
    slot.is_notified.store(false, SeqCst);
    let name = watch.name().as_ptr();
    slot.name.store(name.cast_mut(), SeqCst);
    // SAFETY: the slot is claimed and nothing lives here, so nobody else touches the cells: who
    // rings looks at `live` first, and who has a turn does.
    unsafe {
        *slot.waker.get() = Some(watch.waker());
        *slot.watch.get() = Some(watch);
    }
    slot.claim_for_process();
    slot.live.store(generation, SeqCst);
    Ok(Handle::new(index, generation))
}

impl Slot {
    fn vacant() -> Slot {
        Slot {
            is_claimed: AtomicBool::new(false),
            live: AtomicUsize::new(0),
            last: AtomicUsize::new(0),
            waking: AtomicUsize::new(0),
            is_notified: AtomicBool::new(false),
            process: AtomicI32::new(0),
            forks: AtomicUsize::new(0),
            name: AtomicPtr::default(),
            lock: AtomicPtr::new(Box::into_raw(Box::default())),
            waker: UnsafeCell::new(None),
            watch: UnsafeCell::new(None),
        }
    }

    fn check_alive(&self, handle: Handle) -> Result<()> {
        match handle.generation() != 0 && self.live.load(SeqCst) == handle.generation() {
            true => Ok(()),
            false => Err(Errno(libc::EBADF)),
        }
    }

    fn check(&self, handle: Handle) -> Result<()> {
        self.check_alive(handle)?;
        match self.forks.load(SeqCst) == fork::count() {
            true => Ok(()),
            false => Err(Errno(libc::ECHILD)),
        }
    }

    fn claim_for_process(&self) {
        self.process.store(system::process(), SeqCst);
        self.forks.store(fork::count(), SeqCst);
    }

    /// The name of the hub, a string that lives for ever.
    pub(crate) fn name(&self) -> *const c_char {
        self.name.load(SeqCst)
    }

    /// True if the hub is the parent process's.
    pub(crate) fn is_inherited(&self) -> bool {
        self.forks.load(SeqCst) != fork::count() || self.process.load(SeqCst) != system::process()
    }

    fn lock(&self) -> &'static TicketLock {
        // SAFETY: it comes from a box that is never freed.
        unsafe { &*self.lock.load(SeqCst) }
    }

    /// Waits for a turn with the hub of this handle, waking the thread that waits in it.
    ///
    /// # Errors
    /// As [`Handle::slot`], and EIO if a defect of this library has left the hub half changed.
    pub(crate) fn enter(&'static self, handle: Handle) -> Result<Access> {
        let mut access = self.enter_even_broken(handle)?;
        match access.watch().is_broken {
            false => Ok(access),
            true => Err(Errno(libc::EIO)),
        }
    }

    fn enter_even_broken(&'static self, handle: Handle) -> Result<Access> {
        let held = self.lock().enter(|| self.wake());
        self.check(handle)?;
        let was_panicking = thread::panicking();
        Ok(Access {
            held,
            slot: self,
            was_panicking,
        })
    }

    /// Wakes the thread that waits in the hub. It takes no lock, so that a signal handler may.
    pub(crate) fn wake(&self) {
        self.waking.fetch_add(1, SeqCst);
        if self.live.load(SeqCst) != 0 && self.forks.load(SeqCst) == fork::count() {
            // SAFETY: while something lives here, or anyone is counted in `waking` that has seen
            // it live, the waker is not written.
            if let Some(waker) = unsafe { &*self.waker.get() } {
                waker.wake();
            }
        }
        self.waking.fetch_sub(1, SeqCst);
    }

    /// Ends the hub of this handle. A thread that waits in it finds it gone.
    pub(crate) fn destroy(&'static self, handle: Handle) -> Result<()> {
        if self.is_inherited() {
            if self.take_over() {
                // SAFETY: in this process nobody else has a turn, now that the lock is fresh.
                let watch = unsafe { (*self.watch.get()).take() };
                self.clear();
                if let Some(watch) = watch {
                    watch.abandon();
                }
            }
            // Else a thread that is not here has left it half changed: its slot is lost.
            self.live.store(0, SeqCst);
            return Ok(());
        }
        let access = self.enter_even_broken(handle)?;
        self.live.store(0, SeqCst);
        while self.waking.load(SeqCst) != 0 {
            thread::yield_now();
        }
        // SAFETY: this thread has the turn.
        let watch = unsafe { (*self.watch.get()).take() };
        drop(access);
        self.clear();
        drop(watch);
        Ok(())
    }

    /// Gives the slot back. Nothing lives here and nobody wakes it.
    fn clear(&self) {
        self.live.store(0, SeqCst);
        // SAFETY: as this function's text says.
        unsafe { *self.waker.get() = None }
        self.is_claimed.store(false, SeqCst);
    }

    /// In a child process: makes the parent's hub its own.
    pub(crate) fn inherit(&'static self) -> Result<()> {
        if !self.take_over() {
            return Err(Errno(libc::EBUSY));
        }
        // SAFETY: in this process nobody else has a turn, now that the lock is fresh.
        let watch = unsafe { &mut *self.watch.get() };
        let watch = watch.as_mut().ok_or(Errno(libc::EBADF))?;
        if watch.is_broken {
            return Err(Errno(libc::EIO));
        }
        watch.rebuild()?;
        // SAFETY: nobody wakes it: this thread is the first in this process to get past the fork.
        unsafe { *self.waker.get() = Some(watch.waker()) };
        self.is_notified.store(false, SeqCst);
        self.claim_for_process();
        Ok(())
    }

    /// In a child process: takes the hub from the threads that stand in its line, none of which
    /// exist here. False if one of them was about to change it and has left it half done.
    fn take_over(&self) -> bool {
        let lock = self.lock();
        if !lock.is_at_rest() {
            return false;
        }
        if !lock.is_empty() {
            // The old one is lost: its lock may be held by nobody.
            self.lock.store(Box::into_raw(Box::default()), SeqCst);
        }
        self.waking.store(0, SeqCst);
        true
    }
}

/// A turn with a hub that lives.
pub(crate) struct Access {
    held: Held<'static>,
    slot: &'static Slot,
    was_panicking: bool,
}

impl Access {
    /// The lock, to sleep with.
    pub(crate) fn held(&self) -> &Held<'static> {
        &self.held
    }

    /// The hub.
    pub(crate) fn watch(&mut self) -> &mut Watch {
        // SAFETY: this thread has the turn, and there is one access to a turn.
        let watch = unsafe { &mut *self.slot.watch.get() };
        watch.as_mut().expect("a hub that lives is here")
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            self.held.wake_up();
            // SAFETY: this thread has the turn still.
            if let Some(watch) = unsafe { &mut *self.slot.watch.get() } {
                watch.is_broken = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_its_own_place() {
        let mut expected = (0, 0);
        for index in 0..10_000 {
            assert_eq!(place(index), expected);
            expected.1 += 1;
            if expected.1 == FIRST_CHUNK << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
    }
}
