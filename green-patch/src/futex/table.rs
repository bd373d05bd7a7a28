//! The waiters for a word of memory: greenthreads of any thread.
//!
//! A waiter counts itself, enters the list, and then looks at the word; who changes the word looks at the count then. So
//! one of the two sees the other, and where nobody is counted, a wake-up costs a load.
//!
//! A waiter is a value on the stack of its greenthread: nothing here allocates, so that an allocator may wait here too.
//! The lists are under locks of a few instructions.

use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::marker::PhantomPinned;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use green::layer::Unpark;

use crate::sys::{self, sys};

/// What is waited for. An object of pthread and the first word in it are two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Futex(usize),
    Object(usize),
}

impl Address {
    fn number(self) -> usize {
        let (Address::Futex(number) | Address::Object(number)) = self;
        number
    }

    fn bucket(self) -> &'static Bucket {
        let number = self.number();
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
    /// What is at the address, as reports call it.
    pub(super) what: &'static str,
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
            if tries.is_multiple_of(64) {
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

    /// Takes all out that are not of `thread`, and counts them no more. Who has been taken out before, and has not gone on
    /// since, is still counted: one of `thread` will end that itself.
    ///
    /// # Safety
    /// Under the lock.
    unsafe fn keep(&mut self, count: &AtomicUsize, thread: usize) {
        let mut next = self.first;
        let mut removed = 0;
        // SAFETY: under the lock; the stacks of threads that are gone are still there.
        unsafe {
            while let Some(waiting) = next.as_ref() {
                next = (*waiting.link.get()).next;
                if waiting.thread != thread {
                    removed += 1;
                    self.remove(waiting);
                }
            }
        }
        count.fetch_sub(removed, Ordering::SeqCst);
    }

    /// Takes the first one out that waits for this. Gives what ends its park, if it is parked.
    fn pop(&mut self, address: Address, mask: u32) -> Option<Option<Unpark>> {
        self.pop_one(|waiting| waiting.address == address && waiting.mask & mask != 0)
    }

    fn pop_one(&mut self, is_one: impl Fn(&Waiting) -> bool) -> Option<Option<Unpark>> {
        let mut next = self.first;
        // SAFETY: what is in the list lives.
        while let Some(waiting) = unsafe { next.as_ref() } {
            // SAFETY: under the lock.
            let link = waiting.link.get();
            if is_one(waiting) {
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

/// Wakes all greenthreads of this thread that wait for what reports call so.
#[cold]
pub(crate) fn wake_of_this_thread(what: &str) {
    let thread = this_thread();
    for bucket in &TABLE {
        while bucket.count.load(Ordering::SeqCst) > 0 {
            let is_one = |waiting: &Waiting| waiting.thread == thread && waiting.what == what;
            let Some(unpark) = bucket.with(|list| list.pop_one(is_one)) else {
                break;
            };
            if let Some(unpark) = unpark {
                unpark.wake();
            }
        }
    }
}

impl Waiting {
    /// Counts it, and puts it at the end of the list. It must [leave](Waiting::leave) before it dies.
    pub(super) fn enter(&self) {
        let bucket = self.address.bucket();
        bucket.count.fetch_add(1, Ordering::SeqCst);
        // SAFETY: under the lock; the caller has it leave.
        bucket.with(|list| unsafe { list.push(self) });
        // The count comes before the caller's look at what it waits for.
        fence(Ordering::SeqCst);
    }

    /// Leaves what is to end its park. False if a wake-up has taken it out of the list before.
    pub(super) fn may_park(&self, unpark: Unpark) -> bool {
        self.address.bucket().with(|_| {
            // SAFETY: under the lock.
            let link = unsafe { &mut *self.link.get() };
            if link.is_in {
                link.unpark = Some(unpark);
            }
            link.is_in
        })
    }

    pub(super) fn is_in(&self) -> bool {
        let bucket = self.address.bucket();
        // SAFETY: under the lock.
        bucket.with(|_| unsafe { (*self.link.get()).is_in })
    }

    /// Leaves the list. False if a wake-up has taken it out before.
    pub(super) fn leave(&self) -> bool {
        let (was_in, unpark) = self.address.bucket().with(|list| {
            // SAFETY: under the lock.
            unsafe {
                let link = &mut *self.link.get();
                let was_in = link.is_in;
                if was_in {
                    list.remove(self);
                }
                (was_in, link.unpark.take())
            }
        });
        // Outside the lock.
        drop(unpark);
        was_in
    }

    /// The number of the address.
    pub(super) fn number(&self) -> usize {
        self.address.number()
    }

    /// It is counted no more.
    pub(super) fn uncount(&self) {
        self.address.bucket().count.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn new(what: &'static str, address: Address, mask: u32) -> Waiting {
        Waiting {
            what,
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
