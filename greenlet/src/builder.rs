//! How greenlets are made.

use std::cell::Cell;
use std::io;
use std::panic::Location;

use crate::block::{Block, Body, Ptr, State};
use crate::body::{closure, drop_closure, entry};
use crate::end::end_postponed;
use crate::greenlet::Greenlet;
use crate::handle::AnyGreenlet;
use crate::message::Type;
use crate::sanitizer::Fiber;
use crate::stack;
use crate::thread_end::{arm, enter};
use crate::thread_locals::Storage;

/// What the top of a stack must hold beside the closure: the control block and a few frames.
const ROOM: usize = 4096;

/// Makes greenlets that differ from the default.
///
/// ```
/// use greenlet::Builder;
///
/// let here = std::panic::Location::caller();
/// let builder = Builder::new().stack_size(64 * 1024).own_thread_locals(false);
/// let g = builder.label("parser").id(7).location(here).build(|n: u64| n + 1)?;
/// assert_eq!((g.stack_size(), g.label(), g.id()), (64 * 1024, "parser", 7));
/// assert_eq!(g.spawned_at(), here);
/// assert_eq!(g.switch(1), Ok(2));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a builder makes nothing by itself"]
pub struct Builder {
    stack_size: Option<usize>,
    label: &'static str,
    id: Option<u64>,
    location: &'static Location<'static>,
    own_thread_locals: bool,
}

impl Builder {
    /// A greenlet as it is by default: the stack size of [`default_stack_size`](crate::default_stack_size), the label
    /// `greenlet`, the next free id, and the place of this call.
    #[inline]
    #[track_caller]
    #[allow(
        clippy::new_without_default,
        reason = "the place of the call is part of it"
    )]
    pub fn new() -> Builder {
        Builder {
            stack_size: None,
            label: "greenlet",
            id: None,
            location: Location::caller(),
            own_thread_locals: false,
        }
    }

    /// Sets the size of the stack in bytes, rounded up to whole pages. A guard of at least 64 KiB of address space
    /// comes below.
    ///
    /// A panic that prints a backtrace takes 24 KiB in a build without optimisation: see
    /// [`MIN_STACK_SIZE`](crate::MIN_STACK_SIZE).
    #[inline]
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets what reports call the greenlet.
    #[inline]
    pub fn label(mut self, label: &'static str) -> Builder {
        self.label = label;
        self
    }

    /// Sets the number by which reports call the greenlet, in place of the thread's next one.
    #[inline]
    pub fn id(mut self, id: u64) -> Builder {
        self.id = Some(id);
        self
    }

    /// Sets the place that reports name as the greenlet's origin.
    #[inline]
    pub fn location(mut self, location: &'static Location<'static>) -> Builder {
        self.location = location;
        self
    }

    /// Gives the greenlet thread-locals of its own, or those of the OS thread, which is the default. See
    /// [`thread_locals`](crate::thread_locals).
    #[inline]
    pub fn own_thread_locals(mut self, own: bool) -> Builder {
        self.own_thread_locals = own;
        self
    }

    /// Makes the greenlet. Its parent is the current one.
    ///
    /// # Errors
    /// `Unsupported` if it is to have thread-locals of its own and [cannot](crate::thread_locals::check). `InvalidInput` if
    /// the stack size is below [`MIN_STACK_SIZE`](crate::MIN_STACK_SIZE), or the closure does not fit the stack, or
    /// `GREENLET_STACK_SIZE` is no size; otherwise what the system says if it has no memory for a stack.
    #[inline]
    pub fn build<In, Out, F>(self, body: F) -> io::Result<Greenlet<In, Out>>
    where
        In: 'static,
        Out: 'static,
        F: FnOnce(In) -> Out + 'static,
    {
        let thread = enter();
        if thread.attention.get() != 0 && !std::thread::panicking() {
            end_postponed(thread);
        }
        let size = stack::size_for(self.stack_size, size_of::<F>() + align_of::<F>() + ROOM)?;
        if !thread.end_is_next.get() && !arm(thread) {
            return Err(ending());
        }
        let storage = Storage::new(self.own_thread_locals)?;
        let (top, stack) = thread.pool.acquire(size)?;
        // SAFETY: the stack is ours alone, and far larger.
        let block = unsafe { top.cast::<Block>().sub(1) };
        let functions: &'static Body = const {
            &Body {
                run: entry::<F, In, Out>,
                drop: drop_closure::<F>,
            }
        };
        let parent = thread.current();
        parent.retain();
        thread.living.set(thread.living.get() + 1);
        // SAFETY: the stack is ours alone, and `size_for` has seen to the room at its top.
        unsafe {
            block.write(Block {
                sp: Cell::new(block.as_ptr().cast()),
                expects: Cell::new(Some(Type::of::<In>())),
                refs: Cell::new(1),
                state: Cell::new(State::Unstarted),
                exit_masked: Cell::new(0),
                has_own_locals: storage.is_own(),
                parent: Cell::new(Some(parent)),
                stack: Some(stack),
                body: functions,
                id: match self.id {
                    Some(id) => id,
                    None => thread.next_id(),
                },
                location: self.location,
                label: self.label,
                next: Cell::new(None),
                awaits_end: Cell::new(None),
                values: Cell::new(None),
                fiber: Fiber::new(stack),
            });
            let ptr = Ptr::new(block);
            let place = closure::<F>(ptr);
            place.write(body);
            let top = place.cast::<u8>().sub(place.addr() % 16);
            ptr.sp.set(storage.init(top, functions.run));
            Ok(Greenlet::from_any(AnyGreenlet::adopt(ptr)))
        }
    }
}

#[cold]
fn ending() -> io::Error {
    io::Error::other("cannot make a greenlet: this thread is ending")
}

impl<In: 'static, Out: 'static> Greenlet<In, Out> {
    /// Makes a greenlet that will run `body`, whose parent is the current one. Nothing runs yet: the first switch brings
    /// the argument.
    ///
    /// ```
    /// use greenlet::Greenlet;
    ///
    /// let double = Greenlet::new(|n: i32| 2 * n);
    /// assert_eq!(double.switch(21), Ok(42));
    /// assert!(double.is_dead());
    /// ```
    ///
    /// # Panics
    /// If no stack can be had. [`Builder::build`] returns that as an error.
    #[inline]
    #[track_caller]
    pub fn new(body: impl FnOnce(In) -> Out + 'static) -> Greenlet<In, Out> {
        match Builder::new().build(body) {
            Ok(greenlet) => greenlet,
            Err(error) => panic!("{error}"),
        }
    }
}
