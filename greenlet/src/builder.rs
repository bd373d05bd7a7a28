//! How greenlets are made.

use std::cell::Cell;
use std::io;
use std::panic::Location;

use crate::arch;
use crate::block::{Block, Body, Ptr, State};
use crate::death;
use crate::greenlet::Greenlet;
use crate::handle::AnyGreenlet;
use crate::message::Type;
use crate::stack;
use crate::switch::{closure, entry};
use crate::thread::enter;

/// What the top of a stack must hold beside the closure: the control block and a few frames.
const ROOM: usize = 4096;

/// Makes greenlets that differ from the default.
///
/// ```
/// use greenlet::Builder;
///
/// let g = Builder::new().stack_size(64 * 1024).label("parser").build(|n: u64| n + 1)?;
/// assert_eq!(g.stack_size(), 64 * 1024);
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
}

impl Builder {
    /// The default: the stack size of [`default_stack_size`](crate::default_stack_size), the label `greenlet`, the next
    /// free id, and the place of this call.
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
        }
    }

    /// The bytes of the stack, rounded up to whole pages. A guard page comes on top.
    #[inline]
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = Some(bytes);
        self
    }

    /// What reports call the greenlet.
    #[inline]
    pub fn label(mut self, label: &'static str) -> Builder {
        self.label = label;
        self
    }

    /// The number by which reports call the greenlet, in place of the thread's next one.
    #[inline]
    pub fn id(mut self, id: u64) -> Builder {
        self.id = Some(id);
        self
    }

    /// The place that reports name as the greenlet's origin.
    #[inline]
    pub fn location(mut self, location: &'static Location<'static>) -> Builder {
        self.location = location;
        self
    }

    /// Makes the greenlet. Its parent is the current one.
    ///
    /// # Errors
    /// `InvalidInput` if the stack size is below [`MIN_STACK_SIZE`](crate::MIN_STACK_SIZE), or the closure does not fit
    /// the stack, or `GREENLET_STACK_SIZE` is no size; otherwise what the system says if it has no memory for a stack.
    #[inline]
    pub fn build<In, Out, F>(self, body: F) -> io::Result<Greenlet<In, Out>>
    where
        In: 'static,
        Out: 'static,
        F: FnOnce(In) -> Out + 'static,
    {
        let thread = enter();
        if thread.attention.get() != 0 && !std::thread::panicking() {
            death::visit_graves(thread);
        }
        let size = stack::size_for(self.stack_size, size_of::<F>() + align_of::<F>() + ROOM)?;
        let (block, stack) = if thread.closed.get() {
            stack::Class::single(size)?
        } else {
            thread.pool.acquire(size)?
        };
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
                reaping: Cell::new(None),
                locals: Cell::new(None),
            });
            let ptr = Ptr::new(block);
            let place = closure::<F>(ptr);
            place.write(body);
            let top = place.cast::<u8>().sub(place.addr() % 16);
            ptr.sp.set(arch::init(top, functions.run));
            Ok(Greenlet::from_any(AnyGreenlet::adopt(ptr)))
        }
    }
}

/// # Safety
/// The block has a closure of type `F` in its place, and it is not used again.
unsafe fn drop_closure<F>(block: Ptr) {
    // SAFETY: as promised by the caller.
    unsafe { closure::<F>(block).drop_in_place() }
}
