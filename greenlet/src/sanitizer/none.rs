//! Nothing to tell.

use crate::block::Ptr;
use crate::stack::Stack;

#[derive(Debug)]
pub(crate) struct Nothing;

impl Nothing {
    pub(crate) const fn of_thread() -> Nothing {
        Nothing
    }

    #[inline(always)]
    pub(crate) fn begin_thread(&self) {}

    #[inline(always)]
    pub(crate) fn new(_stack: Stack) -> Nothing {
        Nothing
    }

    #[inline(always)]
    pub(crate) fn free(&self) {}
}

/// Right before the stack pointer goes to the stack of `target`.
#[inline(always)]
pub(crate) fn leave(_target: Ptr) {}

/// Right after a stack goes on, or begins.
#[inline(always)]
pub(crate) fn arrive() {}
