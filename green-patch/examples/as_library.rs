//! A shared library that would patch: libc is found before it. What it is told is handed to the program that has loaded it.

use std::ffi::{CString, c_char};

/// What `monkey_patch` says here, or nothing if it has succeeded. It is the caller's, who never frees it.
///
/// # Safety
/// None is needed.
#[unsafe(no_mangle)]
pub extern "C" fn patch_from_a_library() -> *const c_char {
    let said = match green_patch::monkey_patch() {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    };
    CString::new(said).unwrap_or_default().into_raw()
}
