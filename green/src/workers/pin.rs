//! A worker for a core.

use std::io;

/// Has the system run the calling thread on one core only: the one of this index among those that it may use, or
/// counted again from the first if there are fewer.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn pin(index: usize) -> io::Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let allowed = sched_getaffinity(None)?;
    let cores: Vec<_> = (0..CpuSet::MAX_CPU)
        .filter(|&core| allowed.is_set(core))
        .collect();
    let Some(&core) = cores.get(index % cores.len().max(1)) else {
        return Err(io::Error::other("the process may use no core"));
    };
    let mut one = CpuSet::new();
    one.set(core);
    Ok(sched_setaffinity(None, &one)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn pin(_index: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
