//! `select`, `pselect`.

use std::ffi::c_int;
use std::ptr;
use std::time::{Duration, Instant};

use green::layer::Interest;
use libc::{fd_set, sigset_t, timespec, timeval};

use super::poll::{NO_TIME, SIGSET, duration_of, timespec_of, wait_for};
use crate::active::{Part, is_green};
use crate::sys::{int, sys};
use crate::wait::deadline;

const BITS: usize = u64::BITS as usize;

/// The sets that a call is given and gives back: for reading, for writing, for exceptions.
struct Sets {
    at: [*mut u64; 3],
    /// What was asked for.
    asked: [Vec<u64>; 3],
    count: usize,
}

impl Sets {
    /// # Safety
    /// Each is null, or has room for so many numbers.
    unsafe fn new(count: c_int, sets: [*mut fd_set; 3]) -> Sets {
        let count = usize::try_from(count).unwrap_or(0);
        let at = sets.map(|set| set.cast::<u64>());
        let words = count.div_ceil(BITS);
        let asked = at.map(|at| match at.is_null() {
            true => vec![0; words],
            // SAFETY: as the caller vouches for.
            false => unsafe { std::slice::from_raw_parts(at, words) }.to_vec(),
        });
        Sets { at, asked, count }
    }

    /// Each number, with what the hub is asked for.
    fn wanted(&self) -> Vec<(c_int, Interest)> {
        let has = |set: &[u64], fd: usize| set[fd / BITS] & 1 << (fd % BITS) != 0;
        let [read, write, except] = &self.asked;
        let mut wanted = Vec::new();
        for fd in 0..self.count {
            let reads = has(read, fd) || has(except, fd);
            let interest = match (reads, has(write, fd)) {
                (false, false) => continue,
                (true, false) => Interest::READ,
                (false, true) => Interest::WRITE,
                (true, true) => Interest::READ | Interest::WRITE,
            };
            wanted.push((fd as c_int, interest));
        }
        wanted
    }

    /// Asks the system, without a wait. The sets are as they were if nothing is ready, so that they can be asked for again.
    fn ask(&mut self, mask: *const sigset_t) -> isize {
        let (mut now, count) = (NO_TIME, self.count);
        let mask = (mask, SIGSET);
        let [read, write, except] = self.at;
        // SAFETY: as the caller of the hook vouches for.
        let said = unsafe {
            sys!(
                SYS_pselect6,
                count,
                read,
                write,
                except,
                &raw mut now,
                &raw const mask
            )
        };
        if said == 0 {
            for (at, asked) in self
                .at
                .iter()
                .zip(&self.asked)
                .filter(|(at, _)| !at.is_null())
            {
                // SAFETY: a set of the caller's has so many words.
                unsafe { ptr::copy_nonoverlapping(asked.as_ptr(), *at, asked.len()) };
            }
        }
        said
    }

    /// Nothing is ready.
    fn clear(&mut self) {
        for (at, asked) in self
            .at
            .iter()
            .zip(&self.asked)
            .filter(|(at, _)| !at.is_null())
        {
            // SAFETY: a set of the caller's has so many words.
            unsafe { ptr::write_bytes(*at, 0, asked.len()) };
        }
    }
}

/// # Safety
/// As for `pselect`.
unsafe fn select_until(
    count: c_int,
    sets: [*mut fd_set; 3],
    until: Option<Instant>,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: as the caller vouches for.
    let mut sets = unsafe { Sets::new(count, sets) };
    let wanted = sets.wanted();
    let said = wait_for(&wanted, until, !mask.is_null(), || sets.ask(mask));
    if said == 0 {
        sets.clear();
    }
    int(said)
}

/// # Safety
/// As for `pselect`.
unsafe fn select_now(
    count: c_int,
    sets: [*mut fd_set; 3],
    time: Option<timespec>,
    mask: *const sigset_t,
) -> c_int {
    let mut time = time;
    let time = time.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let mask = (mask, SIGSET);
    let [read, write, except] = sets;
    // SAFETY: as the caller vouches for.
    int(unsafe {
        sys!(
            SYS_pselect6,
            count,
            read,
            write,
            except,
            time,
            &raw const mask
        )
    })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    let sets = [read, write, except];
    // SAFETY: as the caller vouches for.
    let time = unsafe { timeout.as_ref() }.map(|time| timespec {
        tv_sec: time.tv_sec.saturating_add(time.tv_usec / 1_000_000),
        tv_nsec: time.tv_usec % 1_000_000 * 1000,
    });
    let after = time.map(duration_of);
    let starts = Instant::now();
    let waits = after != Some(None) && after != Some(Some(Duration::ZERO));
    let said = match waits && is_green(Part::Select) {
        // SAFETY: as the caller vouches for.
        true => unsafe { select_until(count, sets, deadline(after.flatten()), ptr::null()) },
        // SAFETY: as the caller vouches for.
        false => unsafe { select_now(count, sets, time, ptr::null()) },
    };
    // SAFETY: as the caller vouches for.
    if let (Some(timeout), Some(Some(after))) = (unsafe { timeout.as_mut() }, after) {
        // As Linux does: what is left of it.
        let left = after.saturating_sub(starts.elapsed());
        let left = if said == 0 { Duration::ZERO } else { left };
        timeout.tv_sec = timespec_of(left).tv_sec;
        timeout.tv_usec = left.subsec_micros().into();
    }
    said
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pselect(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    let sets = [read, write, except];
    // SAFETY: as the caller vouches for.
    let time = unsafe { timeout.as_ref() }.copied();
    let after = time.map(duration_of);
    let waits = after != Some(None) && after != Some(Some(Duration::ZERO));
    match waits && is_green(Part::Select) {
        // SAFETY: as the caller vouches for.
        true => unsafe { select_until(count, sets, deadline(after.flatten()), mask) },
        // SAFETY: as the caller vouches for.
        false => unsafe { select_now(count, sets, time, mask) },
    }
}
