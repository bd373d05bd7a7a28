//! `getaddrinfo`, `getnameinfo`, `gethostbyname` and its kin: they run in a thread of the pool, since what they do cannot be
//! cut into pieces.
//!
//! A lookup that is cut short goes on there, so it has copies of all that it was given, and its result is thrown away.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem;
use std::ptr;

use green::layer;
use libc::{addrinfo, hostent, sockaddr, sockaddr_storage, socklen_t};

use crate::active::{Part, is_green};
use crate::sys::{errno, next, set_errno};

type GetAddrInfo = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const addrinfo,
    *mut *mut addrinfo,
) -> c_int;
type GetNameInfo = unsafe extern "C" fn(
    *const sockaddr,
    socklen_t,
    *mut c_char,
    socklen_t,
    *mut c_char,
    socklen_t,
    c_int,
) -> c_int;
type GetHostByName = unsafe extern "C" fn(*const c_char) -> *mut hostent;
type GetHostByName2 = unsafe extern "C" fn(*const c_char, c_int) -> *mut hostent;
type GetHostByAddr = unsafe extern "C" fn(*const c_void, socklen_t, c_int) -> *mut hostent;

unsafe extern "C" {
    /// Where this thread's `h_errno` is.
    fn __h_errno_location() -> *mut c_int;
}

/// Something that another thread may have while this one waits.
pub(super) struct Sent<T>(pub(super) T);

// SAFETY: what is sent here is copied for the call, or made by it: no other thread has it.
unsafe impl<T> Send for Sent<T> {}

/// Addresses that libc has found.
struct Found(*mut addrinfo);

impl Drop for Found {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: libc has made it, and nobody else has it.
            unsafe { libc::freeaddrinfo(self.0) }
        }
    }
}

/// # Safety
/// Null, or a text that ends with a zero.
unsafe fn copied(text: *const c_char) -> Option<CString> {
    // SAFETY: as the caller vouches for.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned())
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_deref().map_or(ptr::null(), CStr::as_ptr)
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    let real = next!(c"getaddrinfo" as GetAddrInfo);
    if !is_green(Part::Socket) {
        // SAFETY: as the caller vouches for.
        return unsafe { real(node, service, hints, result) };
    }
    // SAFETY: as the caller vouches for.
    let (node, service, hints) = unsafe {
        (
            copied(node),
            copied(service),
            hints.as_ref().map(|hints| addrinfo {
                ai_addrlen: 0,
                ai_addr: ptr::null_mut(),
                ai_canonname: ptr::null_mut(),
                ai_next: ptr::null_mut(),
                ..*hints
            }),
        )
    };
    let asked = Sent((node, service, hints));
    let before = errno();
    let found = layer::elsewhere(move || {
        let Sent((node, service, hints)) = { asked };
        let hints = hints.as_ref().map_or(ptr::null(), ptr::from_ref);
        let mut list = ptr::null_mut();
        // SAFETY: copies that live until it returns.
        let said = unsafe { real(pointer(&node), pointer(&service), hints, &mut list) };
        let list = if said == 0 { list } else { ptr::null_mut() };
        Sent((said, Found(list), errno()))
    });
    set_errno(before);
    let Some(Sent((said, mut list, errno))) = found else {
        set_errno(libc::ECANCELED);
        return libc::EAI_SYSTEM;
    };
    match said {
        // SAFETY: as the caller vouches for.
        0 => unsafe { *result = mem::replace(&mut list.0, ptr::null_mut()) },
        libc::EAI_SYSTEM => set_errno(errno),
        _ => {}
    }
    said
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getnameinfo(
    address: *const sockaddr,
    len: socklen_t,
    host: *mut c_char,
    host_len: socklen_t,
    service: *mut c_char,
    service_len: socklen_t,
    flags: c_int,
) -> c_int {
    let real = next!(c"getnameinfo" as GetNameInfo);
    let is_plain = !address.is_null() && len as usize <= mem::size_of::<sockaddr_storage>();
    if !is_plain || !is_green(Part::Socket) {
        // SAFETY: as the caller vouches for.
        return unsafe { real(address, len, host, host_len, service, service_len, flags) };
    }
    // SAFETY: zeros are an address of no family.
    let mut copy: sockaddr_storage = unsafe { mem::zeroed() };
    // SAFETY: so many bytes are there, and have room.
    unsafe { ptr::copy_nonoverlapping(address.cast::<u8>(), (&raw mut copy).cast(), len as usize) };
    let (wants_host, wants_service) = (!host.is_null(), !service.is_null());
    let before = errno();
    let found = layer::elsewhere(move || {
        let mut names = (
            vec![0u8; host_len as usize],
            vec![0u8; service_len as usize],
        );
        let at = |wanted, buf: &mut Vec<u8>| match wanted {
            true => buf.as_mut_ptr().cast::<c_char>(),
            false => ptr::null_mut(),
        };
        let (host, service) = (
            at(wants_host, &mut names.0),
            at(wants_service, &mut names.1),
        );
        let address = (&raw const copy).cast();
        // SAFETY: copies that live until it returns.
        let said = unsafe { real(address, len, host, host_len, service, service_len, flags) };
        (said, names, errno())
    });
    set_errno(before);
    let Some((said, names, errno)) = found else {
        set_errno(libc::ECANCELED);
        return libc::EAI_SYSTEM;
    };
    if said == libc::EAI_SYSTEM {
        set_errno(errno);
    }
    for (name, at) in [(names.0, host), (names.1, service)] {
        if said == 0 && !at.is_null() {
            // SAFETY: as much room as the caller has said.
            unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast(), at, name.len()) };
        }
    }
    said
}

/// Runs a lookup whose result is libc's own, one for the process, and its `h_errno`.
fn host(lookup: impl FnOnce() -> *mut hostent + 'static) -> *mut hostent {
    let lookup = Sent(lookup);
    let before = errno();
    let found = layer::elsewhere(move || {
        let Sent(lookup) = { lookup };
        let found = lookup();
        // SAFETY: libc's own word of this thread.
        Sent((found, unsafe { *__h_errno_location() }))
    });
    set_errno(before);
    // That it should be asked again.
    const TRY_AGAIN: c_int = 2;
    let Sent((found, said)) = found.unwrap_or(Sent((ptr::null_mut(), TRY_AGAIN)));
    if found.is_null() {
        // SAFETY: libc's own word of this thread.
        unsafe { *__h_errno_location() = said };
    }
    found
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn gethostbyname(name: *const c_char) -> *mut hostent {
    let real = next!(c"gethostbyname" as GetHostByName);
    if name.is_null() || !is_green(Part::Socket) {
        // SAFETY: as the caller vouches for.
        return unsafe { real(name) };
    }
    // SAFETY: as the caller vouches for.
    let name = unsafe { copied(name) };
    // SAFETY: a copy that lives until it returns.
    host(move || unsafe { real(pointer(&name)) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent {
    let real = next!(c"gethostbyname2" as GetHostByName2);
    if name.is_null() || !is_green(Part::Socket) {
        // SAFETY: as the caller vouches for.
        return unsafe { real(name, family) };
    }
    // SAFETY: as the caller vouches for.
    let name = unsafe { copied(name) };
    // SAFETY: a copy that lives until it returns.
    host(move || unsafe { real(pointer(&name), family) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn gethostbyaddr(
    address: *const c_void,
    len: socklen_t,
    family: c_int,
) -> *mut hostent {
    let real = next!(c"gethostbyaddr" as GetHostByAddr);
    if address.is_null() || len > 16 || !is_green(Part::Socket) {
        // SAFETY: as the caller vouches for.
        return unsafe { real(address, len, family) };
    }
    let mut copy = [0u8; 16];
    // SAFETY: so many bytes are there, and have room.
    unsafe { ptr::copy_nonoverlapping(address.cast(), copy.as_mut_ptr(), len as usize) };
    // SAFETY: a copy that lives until it returns.
    host(move || unsafe { real(copy.as_ptr().cast(), len, family) })
}
