//! The system calls about the memory of stacks.

use std::io;
use std::ptr::{self, NonNull};

use super::size::page;

/// Address space that takes no memory before it is touched.
pub(crate) fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    #[cfg(target_os = "linux")]
    let flags = libc::MAP_NORESERVE | libc::MAP_STACK;
    #[cfg(not(target_os = "linux"))]
    let flags = 0;
    // SAFETY: a new mapping, wherever the system likes.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON | flags,
            -1,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A huge page would make one stack cost as much as 512. Where this fails there are none.
    #[cfg(target_os = "linux")]
    // SAFETY: our own mapping.
    unsafe {
        libc::madvise(address, bytes, libc::MADV_NOHUGEPAGE);
    }
    NonNull::new(address.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
}

/// # Safety
/// The range is a whole mapping of [`map`], and nothing in it is used again.
pub(crate) unsafe fn unmap(base: NonNull<u8>, bytes: usize) {
    // SAFETY: as promised by the caller. It fails only where the range is none.
    unsafe { libc::munmap(base.as_ptr().cast(), bytes) };
}

/// Makes ranges of whole pages inaccessible and says how many of them, from the first on, it was done for.
///
/// # Safety
/// The ranges belong to mappings of [`map`], and nothing is in them.
///
/// # Errors
/// If it could not be done for the first.
pub(crate) unsafe fn guard(ranges: &[(NonNull<u8>, usize)]) -> io::Result<usize> {
    // SAFETY: as promised by the caller.
    #[cfg(target_os = "linux")]
    let mut done = unsafe { linux::guard(ranges) };
    #[cfg(not(target_os = "linux"))]
    let mut done = 0;
    for &(base, bytes) in &ranges[done..] {
        // SAFETY: as promised by the caller.
        if unsafe { libc::mprotect(base.as_ptr().cast(), bytes, libc::PROT_NONE) } != 0 {
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

/// Gives the memory of ranges back to the system; they stay mapped, and guards in them stay guards.
///
/// # Safety
/// The ranges belong to mappings of [`map`], and nothing in them is used again.
pub(crate) unsafe fn give_back(ranges: &[(NonNull<u8>, usize)]) {
    // SAFETY: as promised by the caller.
    #[cfg(target_os = "linux")]
    let done = unsafe { linux::give_back(ranges) };
    #[cfg(not(target_os = "linux"))]
    let done = 0;
    for &(base, bytes) in &ranges[done..] {
        // SAFETY: as promised by the caller. Where it fails, as for locked memory, the memory stays.
        unsafe { libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_DONTNEED) };
    }
}

/// Puts memory behind pages that will be touched soon, if that takes a single call.
///
/// # Safety
/// The pages belong to mappings of [`map`].
pub(crate) unsafe fn populate(pages: &[NonNull<u8>]) {
    // SAFETY: changes nothing that can be read.
    #[cfg(target_os = "linux")]
    unsafe {
        linux::populate(pages)
    };
    #[cfg(not(target_os = "linux"))]
    let _ = pages;
}

/// The bytes from the lowest page of the range that is in memory to its end.
pub(crate) fn high_water(base: NonNull<u8>, bytes: usize) -> usize {
    let mut resident = vec![0u8; bytes / page()];
    // SAFETY: asks about a range of our own, with a byte for each page.
    if unsafe { libc::mincore(base.as_ptr().cast(), bytes, resident.as_mut_ptr().cast()) } != 0 {
        return bytes;
    }
    let untouched = resident.iter().take_while(|&&page| page & 1 == 0).count();
    bytes - untouched * page()
}

/// Guards without a mapping of their own, and many ranges in one call.
#[cfg(target_os = "linux")]
mod linux {
    use std::ptr::NonNull;
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    use super::{map, page, unmap};

    /// Linux 6.13: accesses fault, and no mapping is split for it.
    const MADV_GUARD_INSTALL: libc::c_int = 102;

    /// Linux 5.14: faults pages in.
    const MADV_POPULATE_WRITE: libc::c_int = 23;

    /// The ranges of one call.
    const MOST: usize = 512;
    /// For fewer, single calls are cheaper.
    const FEW: usize = 4;

    /// As [`guard`](super::guard); what it leaves is for `mprotect`.
    ///
    /// # Safety
    /// As for [`guard`](super::guard).
    pub(super) unsafe fn guard(ranges: &[(NonNull<u8>, usize)]) -> usize {
        if !guards_work() {
            return 0;
        }
        // SAFETY: as promised by the caller.
        let mut done = unsafe { advise(ranges, MADV_GUARD_INSTALL) };
        for &(base, bytes) in &ranges[done..] {
            // SAFETY: as promised by the caller.
            let failed = unsafe { libc::madvise(base.as_ptr().cast(), bytes, MADV_GUARD_INSTALL) };
            if failed != 0 {
                break;
            }
            done += 1;
        }
        done
    }

    /// As [`give_back`](super::give_back); says for how many ranges, from the first on, it was done.
    ///
    /// # Safety
    /// As for [`give_back`](super::give_back).
    pub(super) unsafe fn give_back(ranges: &[(NonNull<u8>, usize)]) -> usize {
        // SAFETY: as promised by the caller.
        unsafe { advise(ranges, libc::MADV_DONTNEED) }
    }

    /// As [`populate`](super::populate).
    ///
    /// # Safety
    /// As for [`populate`](super::populate).
    pub(super) unsafe fn populate(pages: &[NonNull<u8>]) {
        let ranges: Vec<_> = pages.iter().map(|&start| (start, page())).collect();
        // SAFETY: as promised by the caller.
        unsafe { advise(&ranges, MADV_POPULATE_WRITE) };
    }

    /// One system call for up to `MOST` ranges. Says for how many ranges, from the first on, it was done; none where the
    /// system does not know the call, or does not allow it.
    ///
    /// # Safety
    /// The advice may be given for all the ranges.
    unsafe fn advise(ranges: &[(NonNull<u8>, usize)], advice: libc::c_int) -> usize {
        if ranges.len() < FEW {
            return 0;
        }
        // SAFETY: opens a descriptor. It is not kept: after a fork, one that was would name the parent.
        let process = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) };
        if process < 0 {
            return 0;
        }
        let mut done = 0;
        for chunk in ranges.chunks(MOST) {
            let vectors: Vec<libc::iovec> = chunk
                .iter()
                .map(|&(base, len)| libc::iovec {
                    iov_base: base.as_ptr().cast(),
                    iov_len: len,
                })
                .collect();
            // SAFETY: the vectors are alive; what the advice does was promised by the caller.
            let advised = unsafe {
                libc::syscall(
                    libc::SYS_process_madvise,
                    process,
                    vectors.as_ptr(),
                    vectors.len(),
                    advice,
                    0,
                )
            };
            let mut advised = usize::try_from(advised).unwrap_or(0);
            for &(_, len) in chunk {
                if advised < len {
                    break;
                }
                advised -= len;
                done += 1;
            }
            if done % MOST != 0 {
                break;
            }
        }
        // SAFETY: our own descriptor.
        unsafe { libc::close(process as libc::c_int) };
        done
    }

    const UNKNOWN: u8 = 0;
    const WORK: u8 = 1;
    const DO_NOT: u8 = 2;
    static GUARDS: AtomicU8 = AtomicU8::new(UNKNOWN);

    fn guards_work() -> bool {
        match GUARDS.load(Relaxed) {
            UNKNOWN => {
                let work = try_guard();
                GUARDS.store(if work { WORK } else { DO_NOT }, Relaxed);
                work
            }
            state => state == WORK,
        }
    }

    /// True if a guarded page really is inaccessible: emulators and sandboxes may take advice and do nothing about
    /// it.
    #[cold]
    fn try_guard() -> bool {
        let Ok(base) = map(page()) else {
            return false;
        };
        // SAFETY: a mapping of our own, which the system, if it can, writes a random byte to.
        unsafe {
            let guarded = libc::madvise(base.as_ptr().cast(), page(), MADV_GUARD_INSTALL) == 0
                && libc::syscall(
                    libc::SYS_getrandom,
                    base.as_ptr(),
                    1usize,
                    libc::GRND_NONBLOCK,
                ) < 0
                && std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT);
            unmap(base, page());
            guarded
        }
    }
}
