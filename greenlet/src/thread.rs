//! What a thread knows of its greenlets.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr::{self, NonNull};

use crate::block::{Block, Body, Ptr, State};
use crate::message::Notice;
use crate::stack::Pool;
use crate::trace::TraceHook;

/// A trace hook is set.
pub(crate) const TRACE: u8 = 1;
/// Somebody is in the graveyard.
pub(crate) const GRAVES: u8 = 2;

pub(crate) struct Thread {
    /// `None` until the first use of this crate on the thread.
    current: Cell<Option<Ptr>>,
    /// Why the next switch must not take the short way: `TRACE`, `GRAVES`.
    pub(crate) attention: Cell<u8>,
    /// The thread is past its end: what dies now gives its memory back at once.
    pub(crate) closed: Cell<bool>,
    next_id: Cell<u64>,
    /// Greenlets that are not dead, without the main one.
    pub(crate) living: Cell<usize>,
    /// Suspended greenlets that lost their last handle where a switch was not possible.
    pub(crate) graves: Cell<Option<Ptr>>,
    pub(crate) trace: ManuallyDrop<Cell<Option<TraceHook>>>,
    /// Counts calls of `set_trace`: a hook that was replaced while it ran is not put back.
    pub(crate) trace_version: Cell<u64>,
    pub(crate) pool: ManuallyDrop<RefCell<Pool>>,
    main: Block,
}

// Nothing in it is dropped by the thread: other thread-locals' destructors may still use greenlets.
const _: () = assert!(!std::mem::needs_drop::<Thread>());

thread_local! {
    static THREAD: Thread = const { Thread {
        current: Cell::new(None),
        attention: Cell::new(0),
        closed: Cell::new(false),
        next_id: Cell::new(1),
        living: Cell::new(0),
        graves: Cell::new(None),
        trace: ManuallyDrop::new(Cell::new(None)),
        trace_version: Cell::new(0),
        pool: ManuallyDrop::new(RefCell::new(Pool::new())),
        main: Block {
            sp: Cell::new(ptr::null_mut()),
            expects: Cell::new(None),
            refs: Cell::new(1),
            state: Cell::new(State::Active),
            parent: Cell::new(None),
            stack: None,
            body: &MAIN,
            id: 0,
            location: Location::caller(),
            label: "main greenlet",
            next_grave: Cell::new(None),
            reaping: Cell::new(None),
        },
    } };

    /// Ends the thread's greenlets. Made at first use, so that whoever registers a destructor later is destroyed before.
    static GUARD: Guard = const { Guard };
}

static MAIN: Body = Body {
    run: main_has_no_body,
    drop: main_has_no_closure,
};

unsafe extern "C" fn main_has_no_body(_: *mut (), _: *mut Notice) -> ! {
    unreachable!("the main greenlet was never entered")
}

unsafe fn main_has_no_closure(_: Ptr) {}

/// The state of this thread.
///
/// The reference is good for as long as the thread runs code at all: the thread-local has no destructor.
#[inline(always)]
pub(crate) fn thread() -> &'static Thread {
    // SAFETY: see above; `Thread` is not `Sync`, so the reference stays on this thread.
    THREAD.with(|thread| unsafe { &*ptr::from_ref(thread) })
}

/// The state of this thread, where nobody can know yet that it has been used.
#[inline(always)]
pub(crate) fn enter() -> &'static Thread {
    let thread = thread();
    if thread.current.get().is_none() {
        begin(thread);
    }
    thread
}

#[cold]
#[inline(never)]
fn begin(thread: &'static Thread) {
    thread.current.set(Some(thread.main()));
    // Fails where the thread-locals are being destroyed already: then nothing is kept for later.
    if GUARD.try_with(|_| ()).is_err() {
        thread.closed.set(true);
    }
}

impl Thread {
    /// The running greenlet. A handle is the proof that the thread has been entered.
    #[inline(always)]
    pub(crate) fn current(&self) -> Ptr {
        match self.current.get() {
            Some(current) => current,
            None => unreachable!("no greenlet is known to this thread"),
        }
    }

    #[inline(always)]
    pub(crate) fn set_current(&self, current: Ptr) {
        self.current.set(Some(current));
    }

    #[inline(always)]
    pub(crate) fn main(&'static self) -> Ptr {
        // SAFETY: the main block lives in the thread-local, which has no destructor.
        unsafe { Ptr::new(NonNull::from(&self.main)) }
    }

    #[inline(always)]
    pub(crate) fn next_id(&self) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        id
    }
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        crate::death::end_of_thread(thread());
    }
}
