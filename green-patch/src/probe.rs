//! Checks if this program can be patched, so that an error says so before anything goes wrong.

use std::io;
use std::mem::MaybeUninit;

use crate::PatchError;
use crate::hooks::{Hook, hooks};

/// # Errors
/// If a name of libc does not lead here.
pub(crate) fn check() -> Result<(), PatchError> {
    let lost: Vec<_> = hooks()
        .iter()
        .filter(|hook| !leads_here(hook))
        .map(Hook::name)
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(PatchError::new(
        io::ErrorKind::Unsupported,
        format!(
            "the dynamic linker finds libc's {} before this crate's. It is in a shared library: only those calls that \
             the library itself makes could be patched, and only if it is linked with -Bsymbolic-functions \
             (RUSTFLAGS=\"-C link-arg=-Wl,-Bsymbolic-functions\"). Patch in the program, or use green::net",
            lost.join(", ")
        ),
    ))
}

/// True if who asks the dynamic linker for this name is led to ours. In a library that is loaded late even our own mention of
/// the name leads elsewhere: so it is also looked at in which object that is.
fn leads_here(hook: &Hook) -> bool {
    // SAFETY: a name that ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, hook.c_name().as_ptr()) } as usize;
    found == hook.address && object(found) == object(check as *const () as usize)
}

/// Where the program or library begins that has this address.
fn object(address: usize) -> usize {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: there is room for what it says, and zeros are a `Dl_info` that says nothing.
    unsafe {
        libc::dladdr(address as *const _, info.as_mut_ptr());
        info.assume_init().dli_fbase as usize
    }
}
