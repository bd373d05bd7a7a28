//! What a thread has used so far: processor time, system calls, memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The processor time that the calling thread has used, in user and in kernel mode.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What a thread has used up to one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) cpu_ns: u64,
    /// None where the kernel does not let them be counted.
    pub(crate) syscalls: Option<u64>,
    /// Resident memory of the process in bytes, none where the system does not say.
    pub(crate) resident: Option<u64>,
}

/// Reads what the thread that made it has used.
pub(crate) struct Meter {
    syscalls: Option<Counter>,
    /// Kept open, so that a reading is one system call more and not three.
    statm: Option<File>,
}

impl Meter {
    pub(crate) fn new() -> Meter {
        Meter {
            syscalls: Counter::start().ok(),
            statm: File::open("/proc/self/statm").ok(),
        }
    }

    pub(crate) fn read(&mut self) -> Reading {
        Reading {
            cpu_ns: thread_time().as_nanos() as u64,
            syscalls: self
                .syscalls
                .as_mut()
                .and_then(|counter| counter.read().ok()),
            resident: self.resident(),
        }
    }

    fn resident(&self) -> Option<u64> {
        let mut text = [0; 128];
        let length = self.statm.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }
}

/// Why system calls are not counted here, if they are not.
pub(crate) fn uncounted() -> Option<String> {
    Counter::start().err().map(|error| error.to_string())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
struct Counter(perf_event::Counter);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Counter {
    /// Counts the system calls of the calling thread by the kernel's tracepoint.
    fn start() -> io::Result<Counter> {
        use perf_event::{Builder, events::Tracepoint};

        let places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
        let id = places.iter().find_map(|place| {
            let path = format!("{place}/events/raw_syscalls/sys_enter/id");
            std::fs::read_to_string(path).ok()?.trim().parse().ok()
        });
        let id = id.ok_or_else(|| {
            io::Error::other(
                "the tracepoint raw_syscalls:sys_enter cannot be read: as root, \
                 `mount -t tracefs tracefs /sys/kernel/tracing`",
            )
        })?;
        let mut counter = Builder::new(Tracepoint::with_id(id))
            .include_kernel()
            .build()
            .map_err(|error| io::Error::other(format!("perf_event_open: {error}")))?;
        counter.enable()?;
        Ok(Counter(counter))
    }

    fn read(&mut self) -> io::Result<u64> {
        self.0.read()
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
struct Counter;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Counter {
    fn start() -> io::Result<Counter> {
        Err(io::Error::other("this system has no counter for them"))
    }

    fn read(&mut self) -> io::Result<u64> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_uses_time_and_a_reading_says_so() {
        let mut meter = Meter::new();
        let first = meter.read();
        while thread_time().as_nanos() as u64 - first.cpu_ns < 1_000_000 {}
        let second = meter.read();
        assert!(second.cpu_ns - first.cpu_ns >= 1_000_000);
        assert!(second.syscalls >= first.syscalls);
        #[cfg(target_os = "linux")]
        assert!(second.resident.unwrap() > 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn system_calls_are_counted_or_it_is_said_why_not() {
        let Ok(mut counter) = Counter::start() else {
            assert!(!uncounted().unwrap().is_empty());
            return;
        };
        let first = counter.read().unwrap();
        for _ in 0..100 {
            let _ = rustix::process::getppid();
        }
        assert!(counter.read().unwrap() - first >= 100);
    }
}
