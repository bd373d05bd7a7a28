//! `wait`, `waitpid`, `wait3`, `wait4`, `waitid`; `system` and `pclose`, which wait for a process within libc: in a thread of
//! the pool.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr;

use green::layer::{self, Interest, WaitEnd};
use libc::{FILE, id_t, idtype_t, pid_t, rusage, siginfo_t};

use super::close::ends_file;
use super::names::Sent;
use crate::active::{Part, is_green};
use crate::known::borrow;
use crate::sys::{self, int, next, sys};
use crate::wait::Pause;

/// Asks until `ask`, which does not wait, finds something, as `found` sees it. `process` is the one that is waited for, if
/// it is one, and `ends` says that its end is all that is.
fn wait_for(process: Option<pid_t>, ends: bool, mut ask: impl FnMut() -> Option<isize>) -> isize {
    layer::spend();
    // Asked for first: it is a child that was not waited for, so the number is its own.
    if let Some(said) = ask() {
        return said;
    }
    let descriptor = process.filter(|_| ends).and_then(open);
    let mut pause = Pause::new();
    loop {
        let errno = sys::errno();
        let ended = match &descriptor {
            Some(descriptor) => layer::wait_fds(&[(descriptor.as_fd(), Interest::READ)], None),
            None => pause.wait(None),
        };
        sys::set_errno(errno);
        match ended {
            WaitEnd::Interrupted => return -(libc::ECANCELED as isize),
            WaitEnd::Ready | WaitEnd::Expired => {}
            WaitEnd::Cannot(_) => drop(pause.wait(None)),
        }
        if let Some(said) = ask() {
            return said;
        }
    }
}

fn open(process: pid_t) -> Option<OwnedFd> {
    // SAFETY: makes a descriptor of a number, or an error.
    let fd = unsafe { sys!(SYS_pidfd_open, process, 0) };
    // SAFETY: the system has just made it.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn wait4(
    process: pid_t,
    status: *mut c_int,
    options: c_int,
    usage: *mut rusage,
) -> pid_t {
    // SAFETY: as the caller vouches for.
    let ask = |options: c_int| unsafe { sys!(SYS_wait4, process, status, options, usage) };
    if options & libc::WNOHANG != 0 || !is_green(Part::Os) {
        return int(ask(options));
    }
    let ends = options & (libc::WUNTRACED | libc::WCONTINUED) == 0;
    let one = (process > 0).then_some(process);
    int(wait_for(one, ends, || {
        let said = ask(options | libc::WNOHANG);
        (said != 0).then_some(said)
    }))
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn wait3(
    status: *mut c_int,
    options: c_int,
    usage: *mut rusage,
) -> pid_t {
    // SAFETY: as the caller vouches for.
    unsafe { wait4(-1, status, options, usage) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn waitpid(
    process: pid_t,
    status: *mut c_int,
    options: c_int,
) -> pid_t {
    // SAFETY: as the caller vouches for.
    unsafe { wait4(process, status, options, ptr::null_mut()) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn wait(status: *mut c_int) -> pid_t {
    // SAFETY: as the caller vouches for.
    unsafe { wait4(-1, status, 0, ptr::null_mut()) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn waitid(
    kind: idtype_t,
    id: id_t,
    info: *mut siginfo_t,
    options: c_int,
) -> c_int {
    let none: *mut rusage = ptr::null_mut();
    // SAFETY: as the caller vouches for.
    let ask = |info: *mut siginfo_t, options: c_int| unsafe {
        sys!(SYS_waitid, kind, id, info, options, none)
    };
    if options & libc::WNOHANG != 0 || !is_green(Part::Os) {
        return int(ask(info, options));
    }
    let ends = options & (libc::WSTOPPED | libc::WCONTINUED) == 0;
    let mut own = std::mem::MaybeUninit::<siginfo_t>::zeroed();
    let at = match info.is_null() {
        true => own.as_mut_ptr(),
        false => info,
    };
    let found = || {
        // SAFETY: the kernel writes it below, and says by zeros that there was nothing.
        unsafe { *at = std::mem::zeroed() };
        let said = ask(at, options | libc::WNOHANG);
        // SAFETY: it was written.
        let pid = unsafe { (*at).si_pid() };
        (said != 0 || pid != 0).then_some(said)
    };
    if kind == libc::P_PIDFD {
        return int(wait_by_descriptor(id, ends, found));
    }
    let one = (kind == libc::P_PID).then_some(id as pid_t);
    int(wait_for(one, ends, found))
}

fn wait_by_descriptor(id: c_uint, ends: bool, mut found: impl FnMut() -> Option<isize>) -> isize {
    if !ends {
        return wait_for(None, false, found);
    }
    layer::spend();
    let mut pause = Pause::new();
    loop {
        if let Some(said) = found() {
            return said;
        }
        match layer::wait_fds(&[(borrow(id as c_int), Interest::READ)], None) {
            WaitEnd::Interrupted => return -(libc::ECANCELED as isize),
            WaitEnd::Ready | WaitEnd::Expired => {}
            WaitEnd::Cannot(_) => drop(pause.wait(None)),
        }
    }
}

/// Makes a call of libc in a thread of the pool. One that is cut short goes on there.
fn elsewhere(call: impl FnOnce() -> c_int + Send + 'static) -> c_int {
    let before = sys::errno();
    let ended = layer::elsewhere(move || (call(), sys::errno()));
    let (said, errno) = ended.unwrap_or((-1, libc::ECANCELED));
    sys::set_errno(if said == -1 { errno } else { before });
    said
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn system(command: *const c_char) -> c_int {
    type System = unsafe extern "C" fn(*const c_char) -> c_int;

    let real = next!(c"system" as System);
    if command.is_null() || !is_green(Part::Os) {
        // SAFETY: as the caller vouches for.
        return unsafe { real(command) };
    }
    // SAFETY: as the caller vouches for.
    let command = unsafe { CStr::from_ptr(command) }.to_owned();
    // SAFETY: a text that lives until it returns.
    elsewhere(move || unsafe { real(command.as_ptr()) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pclose(file: *mut FILE) -> c_int {
    type Close = unsafe extern "C" fn(*mut FILE) -> c_int;

    let real = next!(c"pclose" as Close);
    // SAFETY: as the caller vouches for.
    unsafe { ends_file(file) };
    if !is_green(Part::Os) {
        // SAFETY: as the caller vouches for.
        return unsafe { real(file) };
    }
    let file = Sent(file);
    elsewhere(move || {
        let Sent(file) = { file };
        // SAFETY: as the caller vouches for: nobody else uses it.
        unsafe { real(file) }
    })
}
