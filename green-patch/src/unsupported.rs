//! The functions of this crate on systems where nothing can be patched.

use std::io;

use crate::{Flags, PatchError};

/// Says that it cannot be done here.
///
/// # Errors
/// Always, of kind `Unsupported`.
pub fn monkey_patch() -> Result<(), PatchError> {
    monkey_patch_with(Flags::ALL)
}

/// Says that it cannot be done here.
///
/// # Errors
/// Always, of kind `Unsupported`.
pub fn monkey_patch_with(_flags: Flags) -> Result<(), PatchError> {
    Err(PatchError::new(
        io::ErrorKind::Unsupported,
        "it takes Linux with glibc on x86-64 or aarch64; here use green::net, or green::tpool::execute for what blocks",
    ))
}

/// Says that it cannot be done here.
///
/// # Errors
/// Always, of kind `Unsupported`.
pub fn thread_locals() -> Result<(), PatchError> {
    Err(PatchError::new(
        io::ErrorKind::Unsupported,
        "it takes Linux with glibc on x86-64 or aarch64; here use green::corolocal",
    ))
}

/// False: nothing is.
pub fn is_monkey_patched(_name: &str) -> bool {
    false
}
