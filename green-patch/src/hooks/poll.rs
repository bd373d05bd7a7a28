//! `poll`, `ppoll`.

use std::ffi::c_int;
use std::ptr;
use std::time::{Duration, Instant};

use green::layer::{self, Direction, Interest, WaitEnd};
use libc::{nfds_t, pollfd, sigset_t, timespec};

use crate::active::{Part, is_green};
use crate::known::{self, Kind, borrow};
use crate::sys::{self, int, sys};
use crate::wait::{Pause, Waits, deadline};

/// How long a signal that only the call lets through may have to wait.
const SIGNALS: Duration = Duration::from_millis(20);

/// The size of the kernel's set of signals.
pub(super) const SIGSET: usize = 8;

pub(super) const NO_TIME: timespec = timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// Asks the system, without a wait.
fn ask(fds: &mut [pollfd], mask: *const sigset_t) -> isize {
    let mut now = NO_TIME;
    let (at, len) = (fds.as_mut_ptr(), fds.len());
    // SAFETY: these descriptors are there, and the caller of the hook vouches for the mask.
    unsafe { sys!(SYS_ppoll, at, len, &raw mut now, mask, SIGSET) }
}

/// True if a call in this direction finds something, were it an error.
pub(super) fn is_ready_now(fd: c_int, direction: Direction) -> bool {
    has_any(
        fd,
        match direction {
            Direction::Read => libc::POLLIN,
            Direction::Write => libc::POLLOUT,
        },
    )
}

/// True if the other end, or this one, has said that nothing more will come.
pub(super) fn is_read_shut(fd: c_int) -> bool {
    has_any(fd, libc::POLLRDHUP)
}

fn has_any(fd: c_int, events: i16) -> bool {
    let mut fds = [pollfd {
        fd,
        events,
        revents: 0,
    }];
    ask(&mut fds, ptr::null()) != 0
}

/// What the hub is asked for.
fn interest(events: i16) -> Interest {
    const READ: i16 =
        libc::POLLIN | libc::POLLPRI | libc::POLLRDHUP | libc::POLLRDNORM | libc::POLLRDBAND;
    const WRITE: i16 = libc::POLLOUT | libc::POLLWRNORM | libc::POLLWRBAND;
    match (events & READ != 0, events & WRITE != 0) {
        (_, false) => Interest::READ,
        (false, true) => Interest::WRITE,
        (true, true) => Interest::READ | Interest::WRITE,
    }
}

/// Waits until `look`, which does not wait, says anything but 0, for what `fds` name. Gives what it said, 0 after the
/// deadline, or `-errno`.
pub(super) fn wait_for(
    fds: &[(c_int, Interest)],
    until: Option<Instant>,
    has_mask: bool,
    mut look: impl FnMut() -> isize,
) -> isize {
    layer::spend();
    let mut in_vain = Pause::new();
    let mut one = one_of(fds).map(|(seen, direction)| Waits::until(seen, direction, until));
    let mut vain = 0;
    loop {
        let said = look();
        if said != 0 {
            return said;
        }
        if vain > 1 {
            // What makes it ready is nothing that was asked for.
            match in_vain.wait(until) {
                WaitEnd::Interrupted => return -(libc::ECANCELED as isize),
                WaitEnd::Ready => return 0,
                WaitEnd::Expired | WaitEnd::Cannot(_) => {}
            }
        }
        let errno = sys::errno();
        let ended = match &mut one {
            // It pauses by itself after reports in vain.
            Some(waits) if !has_mask => waits.wait(),
            _ => wait_all(fds, until, has_mask),
        };
        sys::set_errno(errno);
        match ended {
            Ok(()) if has_mask || one.is_some() => {}
            Ok(()) => vain += 1,
            Err(libc::EAGAIN) => return look(),
            Err(errno) => return -(errno as isize),
        }
    }
}

/// The one descriptor and direction, if the hub can know it.
fn one_of(fds: &[(c_int, Interest)]) -> Option<(known::Seen, Direction)> {
    let &[(fd, interest)] = fds else {
        return None;
    };
    let direction = match (
        interest.has(Direction::Read),
        interest.has(Direction::Write),
    ) {
        (true, false) => Direction::Read,
        (false, true) => Direction::Write,
        _ => return None,
    };
    let seen = known::look(fd)?;
    let is_known = !matches!(seen.mode.kind, Kind::Device | Kind::File);
    is_known.then_some((seen, direction))
}

/// Waits for the first of them; with a mask of signals for no longer than they may have to wait.
fn wait_all(
    fds: &[(c_int, Interest)],
    until: Option<Instant>,
    has_mask: bool,
) -> Result<(), c_int> {
    let slice = match has_mask {
        true => layer::deadline(SIGNALS),
        false => None,
    };
    let sooner = match (until, slice) {
        (Some(until), Some(slice)) => Some(until.min(slice)),
        (until, slice) => until.or(slice),
    };
    let ended = match fds.is_empty() {
        true => layer::sleep_until(sooner),
        false => {
            let fds: Vec<_> = fds
                .iter()
                .map(|&(fd, interest)| (borrow(fd), interest))
                .collect();
            layer::wait_fds(&fds, sooner)
        }
    };
    match ended {
        WaitEnd::Ready => Ok(()),
        WaitEnd::Expired if sooner != until => Ok(()),
        WaitEnd::Expired => Err(libc::EAGAIN),
        WaitEnd::Interrupted => Err(libc::ECANCELED),
        // For want of a descriptor, say: the system is asked from time to time.
        WaitEnd::Cannot(_) => Ok(()),
    }
}

/// # Safety
/// As for `ppoll`.
unsafe fn poll_until(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: Option<Duration>,
    mask: *const sigset_t,
) -> c_int {
    let fds = match fds.is_null() || count == 0 {
        true => &mut [][..],
        // SAFETY: as the caller vouches for.
        false => unsafe { std::slice::from_raw_parts_mut(fds, count as usize) },
    };
    let until = deadline(timeout);
    let wanted = fds.iter().filter(|fd| fd.fd >= 0);
    let wanted: Vec<_> = wanted.map(|fd| (fd.fd, interest(fd.events))).collect();
    int(wait_for(&wanted, until, !mask.is_null(), || ask(fds, mask)))
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    let after = u64::try_from(timeout).ok().map(Duration::from_millis);
    if after == Some(Duration::ZERO) || !is_green(Part::Select) {
        let mut time = after.map(timespec_of);
        let time = time.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let mask: *const sigset_t = ptr::null();
        // SAFETY: as the caller vouches for.
        return int(unsafe { sys!(SYS_ppoll, fds, count, time, mask, SIGSET) });
    }
    // SAFETY: as the caller vouches for.
    unsafe { poll_until(fds, count, after, ptr::null()) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn ppoll(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: as the caller vouches for.
    let time = unsafe { timeout.as_ref() }.copied();
    let after = time.map(duration_of);
    if after == Some(Some(Duration::ZERO)) || after == Some(None) || !is_green(Part::Select) {
        let mut time = time;
        let time = time.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        // SAFETY: as the caller vouches for.
        return int(unsafe { sys!(SYS_ppoll, fds, count, time, mask, SIGSET) });
    }
    // SAFETY: as the caller vouches for.
    unsafe { poll_until(fds, count, after.flatten(), mask) }
}

pub(super) fn timespec_of(time: Duration) -> timespec {
    timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// `None` if it is none.
pub(super) fn duration_of(time: timespec) -> Option<Duration> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
}
