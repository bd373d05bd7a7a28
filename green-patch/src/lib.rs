//! Unmodified blocking code on green threads.
//!
//! [`monkey_patch`] has the blocking calls of libc park the greenthread that makes them, and let the others of its thread
//! run.

#[cfg(patchable)]
mod active;
#[cfg(patchable)]
mod allocator;
mod error;
mod flags;
#[cfg(patchable)]
mod futex;
#[cfg(patchable)]
mod hooks;
mod host_alloc;
#[cfg(patchable)]
mod keys;
#[cfg(patchable)]
mod known;
#[cfg(patchable)]
pub mod original;
#[cfg(patchable)]
mod patch;
#[cfg(patchable)]
mod probe;
#[cfg(patchable)]
mod pthread;
#[cfg(patchable)]
mod sys;
#[cfg(patchable)]
mod thread_locals;
#[cfg(not(patchable))]
mod unsupported;
#[cfg(patchable)]
mod wait;

#[cfg(patchable)]
pub use active::patched;
pub use error::PatchError;
pub use flags::Flags;
pub use host_alloc::HostAlloc;
#[cfg(patchable)]
pub use patch::{is_monkey_patched, monkey_patch, monkey_patch_with};
#[cfg(patchable)]
pub use thread_locals::thread_locals;
#[cfg(not(patchable))]
pub use unsupported::{is_monkey_patched, monkey_patch, monkey_patch_with, thread_locals};
