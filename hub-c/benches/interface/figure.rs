//! What is measured, and the descriptors it is measured with

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;

/// Does an operation so many times.
pub(crate) type Work = Box<dyn FnMut(usize)>;

#[derive(Clone, Copy)]
pub(crate) enum Figure {
    /// A wait that finds so many counters ready, which stay so: level-triggered.
    Report(usize),
    /// So many counters are raised, a wait reports them, and each is read: two system calls of
    /// its own for each. The reactor is edge-triggered here, the others level-triggered.
    Round(usize),
    /// A descriptor is registered, armed and removed, beside a hundred others.
    Register,
    /// The interest changes; in a reactor a waiter is taken back and parked.
    Modify,
    /// A timer is added and cancelled among a thousand.
    Cancel,
    /// A timer is added among a thousand, and expires.
    Expire,
}

pub(crate) const FIGURES: [(&str, Figure); 10] = [
    ("wait: 1 ready", Figure::Report(1)),
    ("wait: 64 ready", Figure::Report(64)),
    ("wait: 1,000 ready", Figure::Report(1000)),
    ("raise, wait, read: 1", Figure::Round(1)),
    ("raise, wait, read: 64", Figure::Round(64)),
    ("raise, wait, read: 1,000", Figure::Round(1000)),
    ("add, remove", Figure::Register),
    ("modify", Figure::Modify),
    ("timer: add, cancel", Figure::Cancel),
    ("timer: add, expire", Figure::Expire),
];

/// Room for the reports of a wait.
pub(crate) const CAPACITY: usize = 1024;

/// Timers that run beside the one that is measured, and their deadlines in nanoseconds.
pub(crate) const TIMERS: u64 = 1000;
pub(crate) const FAR: u64 = 3_600_000_000_000;

/// Counters of the kernel (eventfd) with this value: ready if it is not 0.
pub(crate) fn counters(count: usize, value: u32) -> Vec<File> {
    let counter = |_| {
        // SAFETY: it takes no pointers.
        let fd = unsafe { libc::eventfd(value, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        // SAFETY: the call has made it, and nobody else knows it.
        unsafe { File::from_raw_fd(fd) }
    };
    (0..count).map(counter).collect()
}

pub(crate) fn raise(mut counter: &File) {
    counter.write_all(&1_u64.to_ne_bytes()).unwrap();
}

pub(crate) fn read(mut counter: &File) {
    counter.read_exact(&mut [0; 8]).unwrap();
}
