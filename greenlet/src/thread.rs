//! What a thread knows of its greenlets.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr::{self, NonNull};

use crate::block::{Block, Body, Ptr, State};
use crate::sanitizer::Fiber;
use crate::stack::{Overflowed, SignalStack, StackPool};

/// A trace hook is set.
pub(crate) const TRACED: u8 = 1;
/// The end of some greenlets was postponed.
pub(crate) const POSTPONED: u8 = 2;

#[repr(C)]
pub(crate) struct Thread {
    /// `None` until the first use of this crate on the thread.
    pub(crate) running: Cell<Option<Ptr>>,
    /// Why the next switch must not take the short way: `TRACED`, `POSTPONED`.
    pub(crate) attention: Cell<u8>,
    /// Nothing of the thread dies before its greenlets were ended once more: see `thread_end`.
    pub(crate) end_is_next: Cell<bool>,
    next_id: Cell<u64>,
    /// Greenlets that are not dead, without the main one.
    pub(crate) living: Cell<usize>,
    pub(crate) pool: StackPool,
    /// The process ends from inside a greenlet: no further one is made.
    pub(crate) closed: Cell<bool>,
    /// Suspended greenlets that lost their last handle where a switch was not possible.
    pub(crate) postponed: Cell<Option<Ptr>>,
    /// They are being unwound right now.
    pub(crate) ends_postponed: Cell<bool>,
    /// Those that caught every exit.
    pub(crate) refused: Cell<Option<Ptr>>,
    pub(crate) signal_stack: Cell<Option<SignalStack>>,
    /// What runs in the target of each switch while `attention` has `TRACED`.
    pub(crate) on_switch: Cell<Option<OnSwitch>>,
    /// What runs when the thread ends, the last first.
    pub(crate) at_end: ManuallyDrop<Cell<Vec<AtEnd>>>,
    /// A thread-local with a destructor was registered since this was cleared.
    pub(crate) registered: Cell<bool>,
    /// The thread pointer that the system has given this thread.
    #[cfg(own_thread_locals)]
    pub(crate) host: Cell<*mut u8>,
    /// Storages that are not in use.
    #[cfg(own_thread_locals)]
    pub(crate) spare: crate::thread_locals::Spare,
    main: ManuallyDrop<Block>,
}

type OnSwitch = fn(TraceEvent, Ptr);

pub(crate) type AtEnd = Box<dyn FnOnce(ThreadEnd)>;

/// What becomes of the greenlets that are suspended when a thread ends. See [`at_thread_end`](crate::at_thread_end).
///
/// ```
/// use greenlet::ThreadEnd;
///
/// std::thread::spawn(|| {
///     greenlet::at_thread_end(|end| assert_eq!(end, ThreadEnd::Unwind));
/// })
/// .join()
/// .unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadEnd {
    /// They are unwound. Greenlets can be switched to.
    Unwind,
    /// They are left as they are, and never run again: the process ends with this thread or from inside a greenlet, or
    /// the system does not say in time that a thread ends. Nothing may be switched to.
    Abandon,
}

/// What brought control to the greenlet in which a [`TraceHook`](crate::TraceHook) runs.
///
/// ```
/// use greenlet::{Greenlet, TraceEvent, set_trace};
///
/// set_trace(Some(Box::new(|event, _, _| assert_eq!(event, TraceEvent::Switch))));
/// assert_eq!(Greenlet::new(|()| 5).switch(()), Ok(5));
/// set_trace(None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceEvent {
    /// A switch with a value, or the end of a child.
    Switch,
    /// A throw: the payload is raised in the greenlet.
    Throw,
}

// Nothing in it is dropped by the thread: other thread-locals' destructors may still use greenlets.
const _: () = assert!(!std::mem::needs_drop::<Thread>());

crate::per_thread! {
    static THREAD: Thread = Thread {
        running: Cell::new(None),
        attention: Cell::new(0),
        end_is_next: Cell::new(false),
        next_id: Cell::new(1),
        living: Cell::new(0),
        pool: StackPool::new(),
        closed: Cell::new(false),
        postponed: Cell::new(None),
        ends_postponed: Cell::new(false),
        refused: Cell::new(None),
        signal_stack: Cell::new(None),
        on_switch: Cell::new(None),
        at_end: ManuallyDrop::new(Cell::new(Vec::new())),
        registered: Cell::new(false),
        #[cfg(own_thread_locals)]
        host: Cell::new(ptr::null_mut()),
        #[cfg(own_thread_locals)]
        spare: crate::thread_locals::Spare::new(),
        main: ManuallyDrop::new(Block {
            sp: Cell::new(ptr::null_mut()),
            expects: Cell::new(None),
            refs: Cell::new(1),
            state: Cell::new(State::Active),
            exit_masked: Cell::new(0),
            has_own_locals: false,
            parent: Cell::new(None),
            stack: None,
            body: &MAIN,
            id: 0,
            location: Location::caller(),
            label: "main greenlet",
            next: Cell::new(None),
            awaits_end: Cell::new(None),
            values: Cell::new(None),
            fiber: Fiber::of_thread(),
        }),
    };
}

static MAIN: Body = Body {
    run: main_has_no_body,
    drop: main_has_no_closure,
};

unsafe extern "C" fn main_has_no_body(_: *mut (), _: *mut ()) -> ! {
    unreachable!("the main greenlet was never entered")
}

unsafe fn main_has_no_closure(_: Ptr) {}

/// The state of this thread, for those who have to do with a greenlet of it.
///
/// The reference is good for as long as the thread runs code at all: the value has no destructor.
#[inline(always)]
pub(crate) fn thread() -> &'static Thread {
    let thread = THREAD.known();
    debug_assert!(!thread.is_null());
    // SAFETY: see above; `Thread` is not `Sync`, so the reference stays on this thread. It is known, as whoever has a
    // greenlet has it from somebody who came by way of `first_use`.
    unsafe { &*thread }
}

/// The state of this thread, if it has been used.
#[inline(always)]
pub(crate) fn existing() -> Option<&'static Thread> {
    // SAFETY: as for `thread`.
    let thread = unsafe { THREAD.known().as_ref() };
    thread.filter(|thread| thread.running.get().is_some())
}

/// The state of a thread that has none yet.
#[cold]
pub(crate) fn first_use() -> &'static Thread {
    THREAD.with(|_| ());
    let thread = thread();
    thread.running.set(Some(thread.main()));
    thread.main.fiber.begin_thread();
    // No greenlet was made here before, so this is the thread's own.
    #[cfg(own_thread_locals)]
    thread.host.set(crate::arch::pointer());
    thread
}

/// Where the thread pointer `pointer` has the word that leads to the state, as this thread's own one has it.
#[cfg(own_thread_locals)]
pub(crate) fn word() -> *const crate::Word<Thread> {
    THREAD.word()
}

/// The running greenlet, if `address` is in the guard of its stack. Called by a signal handler.
pub(crate) fn overflowed(address: usize) -> Option<Overflowed> {
    let running = existing()?.running.get()?;
    let stack = running.stack?;
    stack.is_guard(address).then(|| Overflowed {
        label: running.label,
        id: running.id,
        location: running.location,
        bytes: stack.size(),
    })
}

impl Thread {
    /// The running greenlet.
    #[inline(always)]
    pub(crate) fn current(&self) -> Ptr {
        debug_assert!(self.running.get().is_some());
        // SAFETY: whoever comes by way of `thread` has a greenlet, which somebody made after `first_use` had set this.
        unsafe { self.running.get().unwrap_unchecked() }
    }

    #[inline(always)]
    pub(crate) fn set_current(&self, current: Ptr) {
        self.running.set(Some(current));
    }

    #[inline(always)]
    pub(crate) fn main(&'static self) -> Ptr {
        // SAFETY: the main block lives in the thread's value, which has no destructor.
        unsafe { Ptr::new(NonNull::from(&*self.main)) }
    }

    #[inline(always)]
    pub(crate) fn next_id(&self) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        id
    }
}
