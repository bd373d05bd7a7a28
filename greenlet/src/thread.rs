//! What a thread knows of its greenlets.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr::{self, NonNull};

use crate::block::{Block, Body, Ptr, State};
use crate::stack::Pool;
use crate::stack::overflow::{self, SignalStack};
use crate::trace::TraceHook;

/// A trace hook is set.
pub(crate) const TRACE: u8 = 1;
/// Somebody is in the graveyard.
pub(crate) const GRAVES: u8 = 2;

#[repr(C)]
pub(crate) struct Thread {
    /// `None` until the first use of this crate on the thread.
    current: Cell<Option<Ptr>>,
    /// Why the next switch must not take the short way: `TRACE`, `GRAVES`.
    pub(crate) attention: Cell<u8>,
    /// The thread is past its end: what dies now gives its memory back at once.
    pub(crate) closed: Cell<bool>,
    next_id: Cell<u64>,
    /// Suspended greenlets that lost their last handle where a switch was not possible.
    pub(crate) graves: Cell<Option<Ptr>>,
    /// They are being unwound right now.
    pub(crate) visiting: Cell<bool>,
    /// Those that caught every exit.
    pub(crate) refused: Cell<Option<Ptr>>,
    pub(crate) signal_stack: Cell<Option<SignalStack>>,
    pub(crate) trace: ManuallyDrop<Cell<Option<TraceHook>>>,
    /// Counts calls of `set_trace`: a hook that was replaced while it ran is not put back.
    pub(crate) trace_version: Cell<u64>,
    pub(crate) pool: Pool,
    /// Greenlets that are not dead, without the main one.
    pub(crate) living: Cell<usize>,
    main: ManuallyDrop<Block>,
}

// Nothing in it is dropped by the thread: other thread-locals' destructors may still use greenlets.
const _: () = assert!(!std::mem::needs_drop::<Thread>());

thread_local! {
    static THREAD: Thread = const { Thread {
        current: Cell::new(None),
        attention: Cell::new(0),
        closed: Cell::new(false),
        next_id: Cell::new(1),
        graves: Cell::new(None),
        visiting: Cell::new(false),
        refused: Cell::new(None),
        signal_stack: Cell::new(None),
        trace: ManuallyDrop::new(Cell::new(None)),
        trace_version: Cell::new(0),
        pool: Pool::new(),
        living: Cell::new(0),
        main: ManuallyDrop::new(Block {
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
            next: Cell::new(None),
            reaping: Cell::new(None),
            locals: Cell::new(None),
        }),
    } };

    /// Ends the thread's greenlets. Made at first use, so that whoever registers a destructor later is destroyed before.
    static GUARD: Guard = const { Guard };
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
    overflow::install_handler();
    thread.signal_stack.set(SignalStack::install());
    // Fails where the thread-locals are being destroyed already: then nothing is kept for later.
    if GUARD.try_with(|_| ()).is_err() {
        thread.closed.set(true);
    }
}

impl Thread {
    /// The running greenlet.
    #[inline(always)]
    pub(crate) fn current(&self) -> Ptr {
        debug_assert!(self.current.get().is_some());
        // SAFETY: whoever comes by way of `thread` has a greenlet, which somebody made after `enter` had set this.
        unsafe { self.current.get().unwrap_unchecked() }
    }

    #[inline(always)]
    pub(crate) fn set_current(&self, current: Ptr) {
        self.current.set(Some(current));
    }

    #[inline(always)]
    pub(crate) fn main(&'static self) -> Ptr {
        // SAFETY: the main block lives in the thread-local, which has no destructor.
        unsafe { Ptr::new(NonNull::from(&*self.main)) }
    }

    /// The running greenlet, if `address` is in the guard page of its stack.
    pub(crate) fn overflowed(&self, address: usize) -> Option<Ptr> {
        let running = self.current.get()?;
        overflow::is_guard(running.stack?.low, address).then_some(running)
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
