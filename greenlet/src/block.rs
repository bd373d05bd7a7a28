//! The control block of a greenlet.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;
use std::rc::Rc;

use crate::arch::Entry;
use crate::contain::contain;
use crate::message::Type;
use crate::sanitizer::Fiber;
use crate::stack::Stack;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    Unstarted,
    /// Started and not dead: running or suspended.
    Active,
    /// It never runs again, and its closure is gone or going, unless its thread has abandoned it.
    Dead,
}

/// The two functions that know the type of a greenlet's closure.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) run: Entry,
    pub(crate) drop: unsafe fn(Ptr),
}

/// A greenlet, on the top page of its own stack.
///
/// One of three things holds: it is running (`expects` is `None`), it can be switched to (`expects` is the type of the
/// value that it waits for; the first switch of an unstarted one is no exception), or it is dead (`None`).
#[repr(C, align(64))]
pub(crate) struct Block {
    // What a switch touches stands in the first cache line.
    pub(crate) sp: Cell<*mut u8>,
    pub(crate) expects: Cell<Option<&'static Type>>,
    /// Handles and children. The one that runs needs none.
    pub(crate) refs: Cell<u32>,
    pub(crate) state: Cell<State>,
    /// Above zero it is not told to exit: see [`mask_exit`](crate::mask_exit).
    pub(crate) exit_masked: Cell<u8>,
    /// Its thread pointer is that of a storage of its own, which goes when the stack does.
    pub(crate) has_own_locals: bool,
    /// Owned: counted in the parent's `refs`. Only the main greenlet has none.
    pub(crate) parent: Cell<Option<Ptr>>,
    pub(crate) stack: Option<Stack>,
    pub(crate) body: &'static Body,

    pub(crate) id: u64,
    pub(crate) location: &'static Location<'static>,
    pub(crate) label: &'static str,
    /// The next one among those whose end was postponed, or among those that refuse to end.
    pub(crate) next: Cell<Option<Ptr>>,
    /// While this one waits for the end of a greenlet that it has told to exit: that greenlet.
    pub(crate) awaits_end: Cell<Option<Ptr>>,
    pub(crate) values: Cell<Option<LocalValues>>,
    pub(crate) fiber: Fiber,
}

/// The values of a greenlet, by the addresses of their statics. See [`Local`](crate::Local).
pub(crate) type LocalValues = Vec<(usize, Rc<dyn Any>)>;

// Two cache lines, but for what the sanitizers need.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Block>() == 128 || size_of::<Fiber>() > 0);

/// A pointer to the control block of a greenlet of this thread that is not freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ptr(NonNull<Block>);

impl Ptr {
    /// # Safety
    /// The block is initialised, and not freed before the last use of the `Ptr`.
    #[inline(always)]
    pub(crate) unsafe fn new(block: NonNull<Block>) -> Ptr {
        Ptr(block)
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut Block {
        self.0.as_ptr()
    }

    /// The end of its stack, where the block lies.
    #[inline(always)]
    pub(crate) fn top(self) -> NonNull<u8> {
        // SAFETY: one past the block.
        unsafe { self.0.add(1).cast() }
    }

    /// Counts one more handle.
    #[inline(always)]
    pub(crate) fn retain(self) {
        match self.refs.get().checked_add(1) {
            Some(refs) => self.refs.set(refs),
            // Four billion handles can only be forgotten ones, and one more would free what they point to.
            None => std::process::abort(),
        }
    }

    /// Counts one handle less and says whether it was the last.
    #[inline(always)]
    pub(crate) fn release(self) -> bool {
        let refs = self.refs.get() - 1;
        self.refs.set(refs);
        refs == 0
    }
}

impl Block {
    #[inline(always)]
    pub(crate) fn has_values(&self) -> bool {
        // SAFETY: nothing else looks at the cell meanwhile.
        unsafe { (*self.values.as_ptr()).is_some() }
    }

    /// Drops the values of a greenlet that ends, and those that their destructors have made, the last first.
    #[cold]
    #[inline(never)]
    pub(crate) fn drop_values(&self) {
        for _ in 0..8 {
            let Some(mut values) = self.values.take() else {
                return;
            };
            while let Some(value) = values.pop() {
                contain(|| drop(value));
            }
        }
    }

    /// The nearest ancestor that is not dead. The main greenlet never is.
    #[inline]
    pub(crate) fn living_ancestor(&self) -> Ptr {
        let Some(mut block) = self.parent.get() else {
            unreachable!("the main greenlet was asked for an ancestor");
        };
        while block.state.get() == State::Dead {
            match block.parent.get() {
                Some(parent) => block = parent,
                None => break,
            }
        }
        block
    }

    /// True if it is `ancestor` or has it among its ancestors.
    pub(crate) fn descends_from(&self, ancestor: Ptr) -> bool {
        let mut block = self;
        let mut next;
        while !std::ptr::eq(block, ancestor.as_ptr()) {
            next = block.parent.get();
            match &next {
                Some(parent) => block = parent,
                None => return false,
            }
        }
        true
    }
}

impl Deref for Ptr {
    type Target = Block;

    #[inline(always)]
    fn deref(&self) -> &Block {
        // SAFETY: the maker of the `Ptr` promised a block that lives; all that changes in it are cells.
        unsafe { self.0.as_ref() }
    }
}

/// "greenlet 3 (spawned at src/main.rs:4:20)"
impl fmt::Display for Ptr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.stack.is_none() {
            return f.write_str("the main greenlet");
        }
        write!(
            f,
            "{} {} (spawned at {})",
            self.label, self.id, self.location
        )
    }
}
