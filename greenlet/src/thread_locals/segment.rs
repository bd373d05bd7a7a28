//! The thread-locals of one loaded file: of the C library, whose own belong to the OS thread, and of this code.

use std::ffi::{c_int, c_void};

pub(super) fn errno() -> *mut c_int {
    // SAFETY: the call cannot fail.
    unsafe { libc::__errno_location() }
}

/// The thread-locals of one file in the running thread.
pub(super) struct Segment {
    pub(super) start: *const u8,
    pub(super) bytes: usize,
}

/// The C library's own.
pub(super) fn segment() -> Option<Segment> {
    segment_of(errno().addr()).filter(|segment| segment.bytes >= 16)
}

/// Those among which this address is.
pub(super) fn segment_of(address: usize) -> Option<Segment> {
    struct Search {
        address: usize,
        found: Option<Segment>,
    }

    unsafe extern "C" fn look(
        info: *mut libc::dl_phdr_info,
        _: libc::size_t,
        search: *mut c_void,
    ) -> c_int {
        // SAFETY: the system's description of a loaded file, and the place below.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
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
            if (start.addr()..start.addr() + bytes).contains(&search.address) {
                search.found = Some(Segment { start, bytes });
                return 1;
            }
        }
        0
    }
    let mut search = Search {
        address,
        found: None,
    };
    // SAFETY: the function has the type that is asked for, and the place lives until the call returns.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    search.found
}
