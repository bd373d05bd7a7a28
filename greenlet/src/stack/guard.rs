//! Guard pages.

use std::io;

use super::size::page;

/// Makes the page at each address inaccessible and says for how many of them, from the first on, that was done.
///
/// # Errors
/// If it could not be done for the first.
pub(crate) fn install(guards: impl Iterator<Item = *mut u8>) -> io::Result<usize> {
    let mut done = 0;
    for guard in guards {
        // SAFETY: a page of our own mapping that nothing is in.
        if unsafe { libc::mprotect(guard.cast(), page(), libc::PROT_NONE) } != 0 {
            let error = io::Error::last_os_error();
            if done == 0 {
                return Err(error);
            }
            break;
        }
        done += 1;
    }
    Ok(done)
}
