//! Who waits for a word of memory: greenthreads of any thread.
//!
//! A waiter counts itself, enters the list, and then looks at the word; who changes the word looks at the count then. So
//! one of the two sees the other, and where nobody is counted, a wake-up costs a load.
//!
//! A waiter is a value on the stack of its greenthread: nothing here allocates, so that an allocator may wait here too.
//! The lists are under locks of a few instructions.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::hint::spin_loop;
use std::marker::PhantomPinned;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

use green::layer::{self, Unpark, WaitEnd};

use crate::sys::{self, sys};

/// What is waited for. An object of pthread and the first word in it are two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Futex(usize),
    Object(usize),
}

impl Address {
    fn bucket(self) -> &'static Bucket {
        let (Address::Futex(number) | Address::Object(number)) = self;
        &TABLE[(number >> 2 ^ number >> 8 ^ number >> 14) % BUCKETS]
    }
}

const BUCKETS: usize = 64;

static TABLE: [Bucket; BUCKETS] = [const { Bucket::new() }; BUCKETS];

/// Those who wait for addresses of one sum.
#[repr(align(64))]
struct Bucket {
    /// Those who have entered, or are about to.
    count: AtomicUsize,
    locked: AtomicBool,
    list: UnsafeCell<List>,
}

// SAFETY: the list is touched only under the lock, and so are what its links lead to.
unsafe impl Sync for Bucket {}

/// In the order of their coming.
struct List {
    first: *const Waiting,
    last: *const Waiting,
}

/// One that waits.
pub(super) struct Waiting {
    address: Address,
    mask: u32,
    /// The OS thread.
    thread: usize,
    link: UnsafeCell<Link>,
    _pinned: PhantomPinned,
}

/// What is under the lock.
struct Link {
    before: *const Waiting,
    next: *const Waiting,
    is_in: bool,
    unpark: Option<Unpark>,
}

impl Bucket {
    const fn new() -> Bucket {
        Bucket {
            count: AtomicUsize::new(0),
            locked: AtomicBool::new(false),
            list: UnsafeCell::new(List {
                first: ptr::null(),
                last: ptr::null(),
            }),
        }
    }

    /// `f` must not wait, allocate or panic.
    fn with<R>(&self, f: impl FnOnce(&mut List) -> R) -> R {
        self.lock();
        // SAFETY: under the lock, and `f` does not come here again.
        let result = f(unsafe { &mut *self.list.get() });
        self.unlock();
        result
    }

    fn lock(&self) {
        let mut tries = 0u32;
        while self
            .locked
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            tries += 1;
            if tries % 64 == 0 {
                // SAFETY: lets another OS thread run, which may be the one that has the lock.
                unsafe { sys!(SYS_sched_yield) };
            } else {
                spin_loop();
            }
        }
    }

    fn unlock(&self) {
        self.locked.store(false, Ordering::Release);
    }
}

impl List {
    /// # Safety
    /// Under the lock; it is in no list, and leaves this one before it dies.
    unsafe fn push(&mut self, waiting: &Waiting) {
        // SAFETY: under the lock, and what is in the list lives.
        unsafe {
            let link = &mut *waiting.link.get();
            link.before = self.last;
            link.next = ptr::null();
            link.is_in = true;
            match self.last.as_ref() {
                Some(last) => (*last.link.get()).next = waiting,
                None => self.first = waiting,
            }
        }
        self.last = waiting;
    }

    /// # Safety
    /// Under the lock; it is in this list.
    unsafe fn remove(&mut self, waiting: &Waiting) {
        // SAFETY: under the lock, and what is in the list lives.
        unsafe {
            let link = &mut *waiting.link.get();
            link.is_in = false;
            match link.before.as_ref() {
                Some(before) => (*before.link.get()).next = link.next,
                None => self.first = link.next,
            }
            match link.next.as_ref() {
                Some(next) => (*next.link.get()).before = link.before,
                None => self.last = link.before,
            }
        }
    }

    /// Takes all out that are not of `thread`, and counts them no more.
    ///
    /// # Safety
    /// Under the lock.
    unsafe fn keep(&mut self, count: &AtomicUsize, thread: usize) {
        let mut next = self.first;
        let mut kept = 0;
        // SAFETY: under the lock; the stacks of threads that are gone are still there.
        unsafe {
            while let Some(waiting) = next.as_ref() {
                next = (*waiting.link.get()).next;
                if waiting.thread == thread {
                    kept += 1;
                } else {
                    self.remove(waiting);
                }
            }
        }
        count.store(kept, Ordering::SeqCst);
    }

    /// Takes the first one out that waits for this. Gives what ends its park, if it is parked.
    fn pop(&mut self, address: Address, mask: u32) -> Option<Option<Unpark>> {
        let mut next = self.first;
        // SAFETY: what is in the list lives.
        while let Some(waiting) = unsafe { next.as_ref() } {
            // SAFETY: under the lock.
            let link = waiting.link.get();
            if waiting.address == address && waiting.mask & mask != 0 {
                // SAFETY: under the lock, and in the list.
                unsafe {
                    self.remove(waiting);
                    return Some((*link).unpark.take());
                }
            }
            // SAFETY: under the lock.
            next = unsafe { (*link).next };
        }
        None
    }
}

/// Wakes the first `most` that wait for this, and gives how many there were.
pub(crate) fn wake(address: Address, most: usize, mask: u32) -> usize {
    let bucket = address.bucket();
    // What the caller has changed comes before the look at the count.
    fence(Ordering::SeqCst);
    if bucket.count.load(Ordering::SeqCst) == 0 {
        return 0;
    }
    let mut woken = 0;
    while woken < most {
        let Some(unpark) = bucket.with(|list| list.pop(address, mask)) else {
            break;
        };
        woken += 1;
        if let Some(unpark) = unpark {
            let errno = sys::errno();
            unpark.wake();
            sys::set_errno(errno);
        }
    }
    woken
}

/// How a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Somebody has woken it, or it is time to look.
    Woken,
    Expired,
}

impl Waiting {
    pub(super) fn new(address: Address, mask: u32) -> Waiting {
        Waiting {
            address,
            mask,
            thread: this_thread(),
            link: UnsafeCell::new(Link {
                before: ptr::null(),
                next: ptr::null(),
                is_in: false,
                unpark: None,
            }),
            _pinned: PhantomPinned,
        }
    }
}

/// A place in a list, which is left when this is dropped.
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    bucket: &'static Bucket,
}

impl<'a> Place<'a> {
    pub(super) fn enter(waiting: &'a Waiting) -> Place<'a> {
        let bucket = waiting.address.bucket();
        bucket.count.fetch_add(1, Ordering::SeqCst);
        // SAFETY: under the lock; it is left when the place is dropped, which borrows it.
        bucket.with(|list| unsafe { list.push(waiting) });
        // The count comes before the caller's look at what it waits for.
        fence(Ordering::SeqCst);
        Place { waiting, bucket }
    }

    /// Leaves the list. False if a wake-up has taken it out before.
    pub(super) fn leave(&self) -> bool {
        let waiting = self.waiting;
        let (was_in, unpark) = self.bucket.with(|list| {
            // SAFETY: under the lock.
            unsafe {
                let link = &mut *waiting.link.get();
                let was_in = link.is_in;
                if was_in {
                    list.remove(waiting);
                }
                (was_in, link.unpark.take())
            }
        });
        // Outside the lock.
        drop(unpark);
        was_in
    }

    fn is_in(&self) -> bool {
        // SAFETY: under the lock.
        self.bucket
            .with(|_| unsafe { (*self.waiting.link.get()).is_in })
    }

    /// Waits until it is woken.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Ended {
        match self.park(deadline) {
            Ended::Expired if self.leave() => Ended::Expired,
            _ => Ended::Woken,
        }
    }

    /// As `wait`, for what may also be changed where nobody looks at the table: `is_over` is asked from time to time.
    pub(super) fn wait_and_look(
        &self,
        deadline: Option<Instant>,
        is_over: impl Fn() -> bool,
    ) -> Ended {
        let mut pause = SHORTEST;
        loop {
            let soon = layer::deadline(pause);
            let sooner = match (soon, deadline) {
                (Some(soon), Some(deadline)) => Some(soon.min(deadline)),
                (soon, deadline) => soon.or(deadline),
            };
            if self.park(sooner) == Ended::Woken || !self.is_in() || is_over() {
                return Ended::Woken;
            }
            if sooner == deadline {
                return if self.leave() { Ended::Expired } else { Ended::Woken };
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Kills and deadlines of the greenthread are held back: who waits for a lock would have it, or not, and there is no
    /// third answer.
    fn park(&self, deadline: Option<Instant>) -> Ended {
        let errno = sys::errno();
        let enqueue = |unpark| {
            self.bucket.with(|_| {
                // SAFETY: under the lock.
                let link = unsafe { &mut *self.waiting.link.get() };
                if link.is_in {
                    link.unpark = Some(unpark);
                }
                link.is_in
            })
        };
        let ended = greenlet::mask_exit(|| {
            green::mask(|| layer::park("a lock or a futex", deadline, enqueue))
        });
        sys::set_errno(errno);
        match ended {
            Some(WaitEnd::Expired) => Ended::Expired,
            _ => Ended::Woken,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave();
        self.bucket.count.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Between two looks at what nobody reports.
const SHORTEST: Duration = Duration::from_micros(100);
const LONGEST: Duration = Duration::from_millis(50);

/// Where a wake-up of the waiter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// From the table alone.
    Here,
    /// From elsewhere, too: it looks from time to time.
    Elsewhere,
}

/// Waits until `attempt` gives something, which is asked after each wake-up. `None` is the end of the time.
pub(crate) fn wait_until<R>(
    address: Address,
    by: Woken,
    deadline: Option<Instant>,
    mut attempt: impl FnMut() -> Option<R>,
) -> Option<R> {
    loop {
        let waiting = Waiting::new(address, u32::MAX);
        let place = Place::enter(&waiting);
        if let Some(result) = attempt() {
            // A wake-up that has come meanwhile is for one that waits.
            if !place.leave() {
                wake(address, 1, u32::MAX);
            }
            return Some(result);
        }
        let ended = match by {
            Woken::Here => place.wait(deadline),
            Woken::Elsewhere => {
                let found = Cell::new(None);
                let attempt = RefCell::new(&mut attempt);
                let ended = place.wait_and_look(deadline, || {
                    found.set((attempt.borrow_mut())());
                    let result = found.take();
                    let is_over = result.is_some();
                    found.set(result);
                    is_over
                });
                if let Some(result) = found.take() {
                    return Some(result);
                }
                ended
            }
        };
        if ended == Ended::Expired {
            return None;
        }
    }
}

/// Keeps all lists as they are while the process is forked, and gives the child those of the calling thread: the others
/// have no thread there.
pub(crate) fn across_fork(fork: impl FnOnce() -> libc::pid_t) -> libc::pid_t {
    for bucket in &TABLE {
        bucket.lock();
    }
    let said = fork();
    for bucket in &TABLE {
        if said == 0 {
            // SAFETY: under the lock, which this thread has taken before the fork.
            unsafe { (*bucket.list.get()).keep(&bucket.count, this_thread()) };
        }
        bucket.unlock();
    }
    said
}

greenlet::per_thread! {
    static THIS: u8 = 0;
}

/// Names the OS thread.
fn this_thread() -> usize {
    THIS.with(|this| ptr::from_ref(this).addr())
}
