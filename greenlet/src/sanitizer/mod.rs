//! Tells the sanitizers of switches, in builds with `--cfg greenlet_sanitize="address"` or `"thread"` beside the
//! compiler's option. In all others nothing of this is left.
//!
//! Each file offers the same: what a block remembers ([`Fiber`]), and what is said right before the stack pointer goes to
//! another stack ([`leave`]) and right after a stack goes on, or begins ([`arrive`]).

#[cfg(greenlet_sanitize = "address")]
mod address;
#[cfg(not(any(greenlet_sanitize = "address", greenlet_sanitize = "thread")))]
mod none;
#[cfg(greenlet_sanitize = "thread")]
mod thread;

#[cfg(greenlet_sanitize = "address")]
pub(crate) use address::{Range as Fiber, arrive, leave};
#[cfg(not(any(greenlet_sanitize = "address", greenlet_sanitize = "thread")))]
pub(crate) use none::{Nothing as Fiber, arrive, leave};
#[cfg(greenlet_sanitize = "thread")]
pub(crate) use thread::{FiberOfStack as Fiber, arrive, leave};
