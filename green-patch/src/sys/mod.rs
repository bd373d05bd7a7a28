//! The system itself: calls that no name of libc stands before.
//!
//! A call is one instruction: it needs no initialisation and no lock, and may be made before `main` and in a handler of
//! signals. What is not one system call is found behind our own name by the dynamic linker: [`Next`].

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::call;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::call;

/// The most that a failed call says: `-errno`.
const LOWEST: isize = -4095;

/// Makes a system call and gives what the system says: a value, or `-errno`. It must be made as its manual says.
macro_rules! sys {
    ($number:ident $(, $argument:expr)* $(,)?) => {{
        let given: &[usize] = &[$($argument as usize),*];
        let mut all = [0; 6];
        all[..given.len()].copy_from_slice(given);
        $crate::sys::call(libc::$number, all)
    }};
}
pub(crate) use sys;

/// What a function of libc returns for this: -1, with `errno`, if the system has failed it.
#[inline]
pub(crate) fn outcome(said: isize) -> isize {
    if (LOWEST..0).contains(&said) {
        set_errno(-said as c_int);
        return -1;
    }
    said
}

/// As `outcome`, for functions that return an `int`.
#[inline]
pub(crate) fn int(said: isize) -> c_int {
    outcome(said) as c_int
}

/// True if the system has failed a call for this reason.
#[inline]
pub(crate) fn is(said: isize, errno: c_int) -> bool {
    said == -(errno as isize)
}

#[inline]
pub(crate) fn errno() -> c_int {
    // SAFETY: libc's own word of this thread.
    unsafe { *libc::__errno_location() }
}

#[inline]
pub(crate) fn set_errno(errno: c_int) {
    // SAFETY: libc's own word of this thread.
    unsafe { *libc::__errno_location() = errno }
}

/// The function of libc that has the same name as one of ours.
pub(crate) struct Next {
    name: &'static CStr,
    /// Its address, once it was found.
    found: AtomicUsize,
}

impl Next {
    pub(crate) const fn new(name: &'static CStr) -> Next {
        Next {
            name,
            found: AtomicUsize::new(0),
        }
    }

    /// Its address. A libc that lacks it, whose name we define, cannot be gone on with.
    pub(crate) fn address(&self) -> *const c_void {
        let mut found = self.found.load(Ordering::Acquire);
        if found == 0 {
            // SAFETY: a name that ends with a zero.
            found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) } as usize;
            if found == 0 {
                // SAFETY: it ends the process.
                unsafe { libc::abort() }
            }
            self.found.store(found, Ordering::Release);
        }
        found as *const c_void
    }
}

/// The function of libc behind our own name, as what it is declared as.
macro_rules! next {
    ($name:literal as $kind:ty) => {{
        static NEXT: $crate::sys::Next = $crate::sys::Next::new($name);
        #[allow(unused_unsafe, reason = "it may stand in a larger block")]
        // SAFETY: libc declares it so.
        let next = unsafe { std::mem::transmute::<*const std::ffi::c_void, $kind>(NEXT.address()) };
        next
    }};
}
pub(crate) use next;

/// The address of a symbol of the program: zero unless something else has linked one of this name.
macro_rules! linked {
    ($symbol:literal) => {{
        #[unsafe(naked)]
        extern "C" fn address() -> usize {
            #[cfg(target_arch = "x86_64")]
            std::arch::naked_asm!(
                concat!(".weak ", $symbol),
                concat!("mov rax, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
                "ret",
            );
            #[cfg(target_arch = "aarch64")]
            std::arch::naked_asm!(
                concat!(".weak ", $symbol),
                concat!("adrp x0, :got:", $symbol),
                concat!("ldr x0, [x0, :got_lo12:", $symbol, "]"),
                "ret",
            );
        }
        address()
    }};
}
pub(crate) use linked;
