//! The stacks of a thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::class::{Class, Stack};

/// One class for each stack size in use.
pub(crate) struct StackPool {
    /// The class that was asked for last.
    last: Cell<Option<NonNull<Class>>>,
    classes: ManuallyDrop<RefCell<Vec<NonNull<Class>>>>,
}

/// What the stacks of a thread come to.
#[derive(Debug, Default)]
pub(crate) struct StackStats {
    pub(crate) used: usize,
    pub(crate) free: usize,
    pub(crate) mapped_bytes: usize,
}

impl StackPool {
    pub(crate) const fn new() -> StackPool {
        StackPool {
            last: Cell::new(None),
            classes: ManuallyDrop::new(RefCell::new(Vec::new())),
        }
    }

    /// The top of a stack of `size` bytes, and the stack.
    #[inline]
    pub(crate) fn acquire(&self, size: usize) -> io::Result<(NonNull<u8>, Stack)> {
        let class = match self.last.get() {
            // SAFETY: the classes of the pool live until it is closed, which forgets the last one.
            Some(class) if unsafe { class.as_ref() }.size == size => class,
            _ => self.class(size),
        };
        // SAFETY: as above.
        unsafe { Class::acquire(class) }
    }

    #[cold]
    #[inline(never)]
    fn class(&self, size: usize) -> NonNull<Class> {
        let mut classes = self.classes.borrow_mut();
        // SAFETY: the classes of the pool live until it is closed.
        let known = classes
            .iter()
            .copied()
            .find(|class| unsafe { class.as_ref() }.size == size);
        let class = known.unwrap_or_else(|| {
            let class = Class::new(size);
            classes.push(class);
            class
        });
        self.last.set(Some(class));
        class
    }

    /// The tops of all stacks that are in use.
    pub(crate) fn in_use(&self) -> Vec<NonNull<u8>> {
        let mut tops = Vec::new();
        for class in self.classes.borrow().iter() {
            // SAFETY: the classes of the pool live until it is closed.
            unsafe { class.as_ref() }.in_use(&mut tops);
        }
        tops
    }

    /// Unmaps what is free. What is not goes with the last handle of its greenlet.
    pub(crate) fn close(&self) {
        self.last.set(None);
        for class in self.classes.take() {
            // SAFETY: the pool has forgotten it.
            unsafe { Class::close(class) };
        }
    }

    pub(crate) fn stats(&self) -> StackStats {
        let mut stats = StackStats::default();
        for class in self.classes.borrow().iter() {
            // SAFETY: the classes of the pool live until it is closed.
            unsafe { class.as_ref() }.count(&mut stats);
        }
        stats
    }
}
