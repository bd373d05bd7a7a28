//! The C library's own thread-locals, which belong to the OS thread.

use std::ffi::{c_int, c_void};

pub(super) fn errno() -> *mut c_int {
    // SAFETY: the call cannot fail.
    unsafe { libc::__errno_location() }
}

/// The C library's own thread-locals of the running thread.
pub(super) struct Segment {
    pub(super) start: *const u8,
    pub(super) bytes: usize,
}

pub(super) fn segment() -> Option<Segment> {
    unsafe extern "C" fn look(
        info: *mut libc::dl_phdr_info,
        _: libc::size_t,
        found: *mut c_void,
    ) -> c_int {
        // SAFETY: the system's description of a loaded file, and the place below.
        let (info, found) = unsafe { (&*info, &mut *found.cast::<Option<Segment>>()) };
        if info.dlpi_tls_data.is_null() {
            return 0;
        }
        // SAFETY: so many headers are there.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let start = info.dlpi_tls_data.cast::<u8>().cast_const();
        for header in headers
            .iter()
            .filter(|header| header.p_type == libc::PT_TLS)
        {
            let bytes = header.p_memsz as usize;
            if (start.addr()..start.addr() + bytes).contains(&errno().addr()) {
                *found = Some(Segment { start, bytes });
                return 1;
            }
        }
        0
    }
    let mut found: Option<Segment> = None;
    // SAFETY: the function has the type that is asked for, and the place lives until the call returns.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut found).cast()) };
    found.filter(|segment| segment.bytes >= 16)
}
