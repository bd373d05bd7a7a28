//! How `sem_post` reaches greenthreads, from handlers of signals, too.
//!
//! A handler may have interrupted the scheduler, the allocator or the table of those who wait: it may make system calls, and
//! change atomic numbers, and no more. So each thread whose greenthreads wait for semaphores has a descriptor that is
//! written to, and a greenthread that reads it and has them look.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst, fence};

use green::layer::{self, Interest, WaitEnd};
use greenlet::os::fork_count;

use crate::futex::{Woken, wake_of_this_thread};
use crate::hooks::ends;
use crate::known::borrow;
use crate::sys::sys;
use crate::wait::Pause;

/// The bell of one thread.
struct Bell {
    /// The descriptor; `NONE` belongs to no thread, `TAKEN` has none now.
    fd: AtomicI32,
    /// How many greenthreads of the thread wait for a semaphore.
    waiters: AtomicUsize,
}

const NONE: c_int = -1;
const TAKEN: c_int = -2;

/// Threads beyond these look by themselves, from time to time.
static BELLS: [Bell; 64] = [const {
    Bell {
        fd: AtomicI32::new(NONE),
        waiters: AtomicUsize::new(0),
    }
}; 64];

/// How many greenthreads of all threads wait for a semaphore.
static WAITERS: AtomicUsize = AtomicUsize::new(0);

/// How many calls of `ring` are under way: no descriptor is closed meanwhile.
static RINGING: AtomicUsize = AtomicUsize::new(0);

/// What a thread knows of its bell.
struct Mine {
    bell: Cell<Option<&'static Bell>>,
    /// True while a greenthread listens.
    heard: Cell<bool>,
    /// In which process it was made, by the number of its forks.
    forks: Cell<usize>,
}

greenlet::per_thread! {
    static MINE: Mine = Mine {
        bell: Cell::new(None),
        heard: Cell::new(false),
        forks: Cell::new(0),
    };
}

/// Has all greenthreads look that wait for a semaphore. After it was given something.
#[inline]
pub(super) fn ring() {
    // What was given comes before the look for those who wait.
    fence(SeqCst);
    if WAITERS.load(SeqCst) > 0 {
        ring_all();
    }
}

#[cold]
fn ring_all() {
    RINGING.fetch_add(1, SeqCst);
    for bell in &BELLS {
        if bell.waiters.load(SeqCst) > 0 {
            bell.ring();
        }
    }
    RINGING.fetch_sub(1, SeqCst);
}

impl Bell {
    fn ring(&self) {
        let fd = self.fd.load(SeqCst);
        let one = 1u64;
        // SAFETY: eight bytes that are there. If there is no descriptor, or it is full, nothing is lost by the error.
        unsafe { sys!(SYS_write, fd, &raw const one, 8) };
    }

    /// Gives it a descriptor. False if there is none.
    fn open(&self) -> bool {
        // SAFETY: numbers.
        let fd = unsafe { sys!(SYS_eventfd2, 0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd >= 0 {
            ends(fd as c_int);
            self.fd.store(fd as c_int, SeqCst);
        }
        fd >= 0
    }

    /// Takes the descriptor away, once nobody writes to it any more.
    fn close(&self) {
        let fd = self.fd.swap(TAKEN, SeqCst);
        while RINGING.load(SeqCst) > 0 {
            // SAFETY: lets other threads run.
            unsafe { sys!(SYS_sched_yield) };
        }
        // SAFETY: a number of its own, or an error.
        unsafe { sys!(SYS_close, fd) };
    }
}

/// A greenthread that waits for a semaphore, until this is dropped.
pub(super) struct Listening(Option<&'static Bell>);

impl Listening {
    pub(super) fn new() -> Listening {
        let bell = MINE.with(Mine::bell);
        WAITERS.fetch_add(1, SeqCst);
        if let Some(bell) = bell {
            bell.waiters.fetch_add(1, SeqCst);
        }
        Listening(bell)
    }

    /// To be called before each look: sees to it that somebody listens. Says where a wake-up comes from.
    pub(super) fn by(&self) -> Woken {
        match self
            .0
            .is_some_and(|bell| MINE.with(|mine| mine.listen(bell)))
        {
            true => Woken::Here,
            false => Woken::Elsewhere,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        WAITERS.fetch_sub(1, SeqCst);
        if let Some(bell) = self.0
            && bell.waiters.fetch_sub(1, SeqCst) == 1
        {
            // Nobody is left to listen for.
            bell.ring();
        }
    }
}

impl Mine {
    fn bell(&self) -> Option<&'static Bell> {
        if self.bell.get().is_none() {
            let free = |bell: &&Bell| {
                bell.fd
                    .compare_exchange(NONE, TAKEN, SeqCst, SeqCst)
                    .is_ok()
            };
            let bell = BELLS.iter().find(free)?;
            if !bell.open() {
                bell.fd.store(NONE, SeqCst);
                return None;
            }
            self.forks.set(fork_count());
            self.bell.set(Some(bell));
            greenlet::at_thread_end(|_| MINE.with(Mine::end));
        }
        self.bell.get()
    }

    /// The thread is at its end.
    fn end(&self) {
        if let Some(bell) = self.bell.take() {
            bell.close();
            bell.waiters.store(0, SeqCst);
            bell.fd.store(NONE, SeqCst);
        }
    }

    /// Sees to it that a greenthread listens. False if there is none.
    fn listen(&self, bell: &'static Bell) -> bool {
        if self.forks.get() != fork_count() {
            // The descriptor is the parent's as well, and what listens in this process listens to that.
            bell.close();
            if !bell.open() {
                return false;
            }
            self.forks.set(fork_count());
            self.heard.set(false);
        }
        if !self.heard.get() {
            let listener = green::Builder::new().name("listens for semaphores");
            self.heard.set(listener.spawn_n(move || hear(bell)).is_ok());
        }
        self.heard.get()
    }
}

/// Has those look who wait for semaphores in this thread, whenever it is rung, until there is none.
fn hear(bell: &'static Bell) {
    let (fd, forks) = (bell.fd.load(SeqCst), fork_count());
    let mut pause = Pause::new();
    green::mask(|| {
        while bell.waiters.load(SeqCst) > 0 {
            let ended = layer::wait_fds(&[(borrow(fd), Interest::READ)], None);
            if forks != fork_count() {
                return;
            }
            let mut count = 0u64;
            // SAFETY: room for eight bytes. Before they look: what rings from now on rings again.
            unsafe { sys!(SYS_read, fd, &raw mut count, 8) };
            wake_of_this_thread(super::semaphore::WHAT);
            if let WaitEnd::Cannot(_) = ended {
                drop(pause.wait(None));
            }
        }
        MINE.with(|mine| mine.heard.set(false));
    });
}

/// In the child of a fork: only the calling thread is there.
pub(crate) fn after_fork() {
    let mine = MINE.with(|mine| mine.bell.get());
    let is_mine = |bell: &Bell| mine.is_some_and(|mine| std::ptr::eq(mine, bell));
    for bell in BELLS.iter().filter(|bell| !is_mine(bell)) {
        bell.waiters.store(0, SeqCst);
        bell.fd.store(NONE, SeqCst);
    }
    RINGING.store(0, SeqCst);
    WAITERS.store(mine.map_or(0, |bell| bell.waiters.load(SeqCst)), SeqCst);
}
