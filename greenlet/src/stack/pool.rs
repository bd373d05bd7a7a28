//! The stacks of a thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::class::{Class, Stack};
use crate::block::{Block, Ptr};
use crate::stats::Stats;

/// One class for each stack size in use.
pub(crate) struct Pool {
    /// The class that was asked for last.
    last: Cell<Option<&'static Class>>,
    classes: ManuallyDrop<RefCell<Vec<&'static Class>>>,
}

impl Pool {
    pub(crate) const fn new() -> Pool {
        Pool {
            last: Cell::new(None),
            classes: ManuallyDrop::new(RefCell::new(Vec::new())),
        }
    }

    /// A stack of `size` bytes, and where its control block goes.
    #[inline]
    pub(crate) fn acquire(&self, size: usize) -> io::Result<(NonNull<Block>, Stack)> {
        match self.last.get() {
            Some(class) if class.size == size => class.acquire(),
            _ => self.class(size).acquire(),
        }
    }

    #[cold]
    #[inline(never)]
    fn class(&self, size: usize) -> &'static Class {
        let mut classes = self.classes.borrow_mut();
        let known = classes.iter().copied().find(|class| class.size == size);
        let class = known.unwrap_or_else(|| {
            let class = Class::new(size);
            classes.push(class);
            class
        });
        self.last.set(Some(class));
        class
    }

    /// All greenlets that have a stack.
    pub(crate) fn blocks(&self) -> Vec<Ptr> {
        let mut blocks = Vec::new();
        for class in self.classes.borrow().iter() {
            class.blocks(&mut blocks);
        }
        blocks
    }

    /// Unmaps what is free. What is not goes with the last handle of its greenlet.
    pub(crate) fn close(&self) {
        self.last.set(None);
        for class in self.classes.take() {
            // SAFETY: the pool has forgotten it.
            unsafe { class.close() };
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for class in self.classes.borrow().iter() {
            class.count(&mut stats);
        }
        stats
    }
}
