//! Unmodified blocking code on green threads.
//!
//! [`monkey_patch`] has the blocking calls of libc park the greenthread that makes them, and let the others of its thread
//! run.

mod error;
mod flags;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod unsupported;

pub use error::PatchError;
pub use flags::Flags;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub use unsupported::{is_monkey_patched, monkey_patch, monkey_patch_with};
