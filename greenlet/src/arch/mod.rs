//! The context switch, one file per processor.
//!
//! Each file offers the same two functions:
//!
//! - `init` writes the first frame of a new stack: the first switch to the stack pointer that it returns calls
//!   [`Entry`] with the message that came along. Where greenlets may have thread-locals of their own, it is told the
//!   thread pointer that the stack begins with.
//! - `switch` suspends the running stack, leaves its stack pointer in a cell, and resumes another one. It returns when
//!   somebody switches back, with the message of whoever did.
//!
//! There the file also offers what reads, sets and lends a thread pointer.

#[cfg(all(
    target_arch = "aarch64",
    not(feature = "context"),
    not(own_thread_locals)
))]
mod aarch64;
#[cfg(all(target_arch = "aarch64", own_thread_locals))]
mod aarch64_tls;
#[cfg(any(
    feature = "context",
    not(any(target_arch = "x86_64", target_arch = "aarch64"))
))]
mod context;
#[cfg(all(
    target_arch = "x86_64",
    not(feature = "context"),
    not(own_thread_locals)
))]
mod x86_64;
#[cfg(all(target_arch = "x86_64", own_thread_locals))]
mod x86_64_tls;

#[cfg(all(
    target_arch = "aarch64",
    not(feature = "context"),
    not(own_thread_locals)
))]
pub(crate) use aarch64::{init, switch};
#[cfg(all(target_arch = "aarch64", own_thread_locals))]
pub(crate) use aarch64_tls::{call_with, configure, init, pointer, pointer_at, switch};
#[cfg(any(
    feature = "context",
    not(any(target_arch = "x86_64", target_arch = "aarch64"))
))]
pub(crate) use context::{init, switch};
#[cfg(all(
    target_arch = "x86_64",
    not(feature = "context"),
    not(own_thread_locals)
))]
pub(crate) use x86_64::{init, switch};
#[cfg(all(target_arch = "x86_64", own_thread_locals))]
pub(crate) use x86_64_tls::{call_with, configure, init, pointer, pointer_at, switch};

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
