//! The context switch, one file per processor.
//!
//! Each file offers the same two functions:
//!
//! - `init` writes the first frame of a new stack: the first switch to the stack pointer that it returns calls
//!   [`Entry`] with the message that came along.
//! - `switch` suspends the running stack, leaves its stack pointer in a cell, and resumes another one. It returns when
//!   somebody switches back, with the message of whoever did.

#[cfg(all(target_arch = "aarch64", not(feature = "context")))]
mod aarch64;
#[cfg(any(
    feature = "context",
    not(any(target_arch = "x86_64", target_arch = "aarch64"))
))]
mod context;
#[cfg(all(target_arch = "x86_64", not(feature = "context")))]
mod x86_64;

#[cfg(all(target_arch = "aarch64", not(feature = "context")))]
pub(crate) use aarch64::{init, switch};
#[cfg(any(
    feature = "context",
    not(any(target_arch = "x86_64", target_arch = "aarch64"))
))]
pub(crate) use context::{init, switch};
#[cfg(all(target_arch = "x86_64", not(feature = "context")))]
pub(crate) use x86_64::{init, switch};

/// The two words that cross in registers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    /// The value, on the sender's stack: the receiver moves it out before it does anything else.
    pub(crate) data: *mut (),
    /// What there is to do beside taking the value; null for nothing. See [`Tag`](crate::message::Tag).
    pub(crate) tag: *mut (),
}

/// The first function on a new stack. It gets the message of the first switch and never returns.
pub(crate) type Entry = unsafe extern "C" fn(data: *mut (), tag: *mut ()) -> !;
