//! The system lacks memory for a call now, and has it a little later: no error, and no report lost
//!
//! This program has functions of its own in place of the C library's, which fail so often as a test
//! says. hub-polling makes its calls without that library; what it does then is what the others do,
//! by the same functions of `hub_core::backend`.

#![cfg(target_os = "linux")]

mod common;

use std::cell::Cell;
use std::ffi::{c_int, c_long, c_void};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::{HUBS, Make, pair, write};
use hub_core::{Interest, Token, Trigger};

thread_local! {
    /// How often the calls of this thread fail still, and with what.
    static FAILS: Cell<(u32, c_int)> = const { Cell::new((0, 0)) };
    /// How many calls there were.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Makes a call, or lets it fail.
fn call(number: c_long, arguments: [usize; 6]) -> c_long {
    CALLS.set(CALLS.get() + 1);
    let (left, error) = FAILS.get();
    if left > 0 {
        FAILS.set((left - 1, error));
        // SAFETY: the address of this thread's errno.
        unsafe { *libc::__errno_location() = error };
        return -1;
    }
    real(number, arguments)
}

/// The C library's own `syscall`.
fn real(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> c_long {
    type Syscall = unsafe extern "C" fn(c_long, ...) -> c_long;
    // SAFETY: a function of the C library, by its name.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"syscall".as_ptr()) };
    assert!(!found.is_null());
    // SAFETY: it has this type.
    let syscall = unsafe { std::mem::transmute::<*mut c_void, Syscall>(found) };
    // SAFETY: what the caller has promised of its own call.
    unsafe { syscall(number, a, b, c, d, e, f) }
}

/// # Safety
/// As `syscall` of the C library.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let arguments = [a, b, c, d, e, f];
    match number {
        libc::SYS_epoll_pwait2 => call(number, arguments),
        _ => real(number, arguments),
    }
}

/// # Safety
/// As `epoll_ctl` of the C library.
#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_ctl(epoll: c_int, what: c_int, fd: c_int, event: *mut c_void) -> c_int {
    let arguments = [epoll as _, what as _, fd as _, event.addr(), 0, 0];
    call(libc::SYS_epoll_ctl, arguments) as c_int
}

/// # Safety
/// As `ppoll` of the C library.
#[unsafe(no_mangle)]
unsafe extern "C" fn ppoll(
    list: *mut c_void,
    length: libc::nfds_t,
    limit: *const libc::timespec,
    mask: *const c_void,
) -> c_int {
    assert!(mask.is_null());
    // The system writes the time that is left over it, which the C library hides.
    // SAFETY: null, or the caller's.
    let mut limit = unsafe { limit.as_ref() }.copied();
    let limit = limit
        .as_mut()
        .map_or(0, |limit| std::ptr::from_mut(limit).expose_provenance());
    let arguments = [list.expose_provenance(), length as _, limit, 0, 0, 0];
    call(libc::SYS_ppoll, arguments) as c_int
}

/// # Safety
/// As `pselect` of the C library.
#[unsafe(no_mangle)]
unsafe extern "C" fn pselect(
    count: c_int,
    reads: *mut c_void,
    writes: *mut c_void,
    urgent: *mut c_void,
    limit: *const libc::timespec,
    mask: *const c_void,
) -> c_int {
    assert!(mask.is_null());
    // SAFETY: null, or the caller's.
    let mut limit = unsafe { limit.as_ref() }.copied();
    let limit = limit
        .as_mut()
        .map_or(0, |limit| std::ptr::from_mut(limit).expose_provenance());
    let sets = [reads, writes, urgent].map(|set| set.expose_provenance());
    let arguments = [count as _, sets[0], sets[1], sets[2], limit, 0];
    call(libc::SYS_pselect6, arguments) as c_int
}

fn hubs() -> impl Iterator<Item = (&'static str, Make)> {
    HUBS.into_iter().filter(|(name, _)| *name != "polling")
}

#[test]
fn a_wait_is_tried_again() {
    for (name, make) in hubs() {
        for error in [libc::ENOMEM, libc::ENOBUFS, libc::EAGAIN] {
            let mut hub = make().unwrap();
            let (near, far) = pair();
            hub.add(far.as_fd(), Token::from_raw(1), Trigger::Level)
                .unwrap();
            hub.arm(far.as_fd(), Token::from_raw(1), Interest::READ)
                .unwrap();
            write(&near, "x");
            CALLS.set(0);
            FAILS.set((3, error));
            let mut events = Vec::new();
            let waited = hub.wait(None, &mut events);
            waited.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((events.len(), CALLS.get()), (1, 4), "{name}");
            assert!(!hub.was_interrupted());
        }
    }
}

#[test]
fn a_signal_ends_the_wait_also_after_a_shortage() {
    for (name, make) in hubs() {
        let mut hub = make().unwrap();
        FAILS.set((1, libc::EINTR));
        let waited = hub.wait(Some(Duration::from_secs(60)), &mut Vec::new());
        waited.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(hub.was_interrupted(), "{name}");
    }
}

#[test]
fn what_stays_is_one_error_that_keeps_its_number() {
    for (name, make) in hubs() {
        let mut hub = make().unwrap();
        let (start, mut events) = (Instant::now(), Vec::new());
        FAILS.set((u32::MAX, libc::ENOMEM));
        let error = hub.wait(Some(Duration::ZERO), &mut events).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOMEM), "{name}");
        assert!(
            start.elapsed() > Duration::from_millis(500),
            "{name} gives up early"
        );
        FAILS.set((0, 0));
        hub.wait(Some(Duration::ZERO), &mut events).unwrap();
        assert!(events.is_empty());
    }
}

#[test]
fn a_registration_is_tried_again() {
    for error in [libc::ENOMEM, libc::EINTR] {
        let mut hub = hub_epoll::Epoll::new().unwrap();
        let (near, far) = pair();
        let token = Token::from_raw(1);
        let hub: &mut dyn hub_core::Hub = &mut hub;
        FAILS.set((2, error));
        hub.add(far.as_fd(), token, Trigger::Oneshot).unwrap();
        FAILS.set((2, error));
        hub.arm(far.as_fd(), token, Interest::READ).unwrap();
        write(&near, "x");
        let mut events = Vec::new();
        hub.wait(None, &mut events).unwrap();
        assert_eq!(events.len(), 1);
        FAILS.set((2, error));
        hub.remove(far.as_fd(), token).unwrap();
        hub.add(far.as_fd(), token, Trigger::Oneshot).unwrap();
    }
}
