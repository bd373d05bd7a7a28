//! Runs code of the user whose panic must go no further.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::GreenletExit;

/// Runs `f` and keeps a panic of it, which has been reported, to itself. True if it was unwound by a [`GreenletExit`]
/// instead: that is meant for the running greenlet.
pub(crate) fn contain(f: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => false,
        Err(payload) => {
            let exit = payload.is::<GreenletExit>();
            drop_payload(payload);
            exit
        }
    }
}

/// Drops what was raised, which may panic in its turn: what that raises is leaked.
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(another);
    }
}
