//! How much memory the process has, and a call when that is too much.

use std::fmt;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// The memory of this process that is resident, in bytes: on Linux; `None` where it cannot be known.
///
/// ```
/// if let Some(bytes) = green::debug::resident_memory() {
///     assert!(bytes > 4096);
/// }
/// ```
pub fn resident_memory() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Calls `above` with the number of bytes when the resident memory of this process is found above `threshold` bytes,
/// and again when that happens after it was found at or below it. It is looked at every `period`, by a thread of its own,
/// in which `above` runs: also while a greenthread keeps the hub from turning. It ends when what this returns is dropped.
/// In the child of a fork nothing is watched: that thread stays in the parent.
///
/// # Errors
/// `Unsupported` where [`resident_memory`] is not known; if the system has no thread left.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use std::time::Duration;
///
/// let watch = green::debug::memory_threshold(1 << 30, Duration::from_secs(1), |bytes| {
///     eprintln!("{bytes} bytes are in use");
/// })?;
/// drop(watch);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn memory_threshold(
    threshold: u64,
    period: Duration,
    mut above: impl FnMut(u64) + Send + 'static,
) -> io::Result<MemoryWatch> {
    assert!(
        !period.is_zero(),
        "the period of a memory threshold must not be zero"
    );
    if resident_memory().is_none() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system does not tell how much memory a process has",
        ));
    }
    let (alive, ended) = mpsc::channel();
    let watch = move || {
        let mut was_above = false;
        loop {
            let bytes = resident_memory().unwrap_or(0);
            if bytes > threshold && !was_above {
                above(bytes);
            }
            was_above = bytes > threshold;
            if ended.recv_timeout(period) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("green-memory".to_owned());
    thread.spawn(watch)?;
    Ok(MemoryWatch { _alive: alive })
}

/// Made by [`memory_threshold`], which ends when this is dropped.
///
/// ```
/// use green::debug::{MemoryWatch, memory_threshold};
///
/// let watch: MemoryWatch = memory_threshold(
///     1 << 40,
///     std::time::Duration::from_secs(1),
///     |bytes| println!("{bytes} bytes are in use"),
/// )?;
/// drop(watch);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "the memory is not watched any more once this is dropped"]
pub struct MemoryWatch {
    _alive: Sender<()>,
}

impl fmt::Debug for MemoryWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryWatch").finish_non_exhaustive()
    }
}
