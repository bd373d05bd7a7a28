//! Where a run was made, and the machine's processors and limits.

use std::fs;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::meter;

/// The facts about a machine that its figures depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// System, release and architecture.
    pub system: String,
    /// The processor's name, if the system tells it.
    pub processor: String,
    /// How many processors this process may use.
    pub processors: usize,
    /// Memory in bytes, if the system tells it.
    pub memory: Option<u64>,
    /// How many descriptors a process may open, after raising the limit to what the system allows.
    pub descriptors: u64,
    /// What the limit was before.
    pub descriptors_before: u64,
    /// The load average of the last minute when the run began: what else the machine did.
    pub load: Option<f64>,
    /// True if server and load generator ran on processors of their own.
    pub pinned: bool,
    /// True if this was built without optimisation: then no figure is worth anything.
    pub debug_build: bool,
    /// Why system calls were not counted, if they were not.
    pub uncounted_syscalls: Option<String>,
    /// When the run began, in seconds since 1970.
    pub began: u64,
}

impl Machine {
    /// Looks around. It raises the limit of descriptors.
    pub(crate) fn look() -> Machine {
        let name = rustix::system::uname();
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        let (descriptors_before, descriptors) = raise_descriptors();
        let began = SystemTime::now().duration_since(UNIX_EPOCH);
        Machine {
            system: format!(
                "{} {} {}",
                text(name.sysname()),
                text(name.release()),
                text(name.machine())
            ),
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
            processors: processors().len(),
            memory: field("/proc/meminfo", "MemTotal").and_then(|text| {
                let kilobytes: u64 = text.strip_suffix(" kB")?.trim().parse().ok()?;
                Some(kilobytes * 1024)
            }),
            descriptors,
            descriptors_before,
            load: fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split(' ').next()?.parse().ok()),
            pinned: Places::find().server.is_some(),
            debug_build: cfg!(debug_assertions),
            uncounted_syscalls: meter::uncounted(),
            began: began.map_or(0, |time| time.as_secs()),
        }
    }
}

/// The value of a line `name : value`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Raises the limit of descriptors to what the system allows; says what it was and what it is.
pub(crate) fn raise_descriptors() -> (u64, u64) {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current.unwrap_or(u64::MAX);
    limit.current = limit.maximum;
    // Refused, as macOS does beyond a bound of its own, the old limit holds.
    let after = match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.maximum.unwrap_or(u64::MAX),
        Err(_) => before,
    };
    (before, after)
}

/// The processors of the two that must not share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Places {
    pub(crate) server: Option<usize>,
    pub(crate) client: Option<usize>,
}

impl Places {
    /// One for each, if there are two.
    pub(crate) fn find() -> Places {
        match processors() {
            [server, client, ..] => Places {
                server: Some(*server),
                client: Some(*client),
            },
            _ => Places::default(),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod affinity {
    use super::io;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    use std::sync::OnceLock;

    /// The processors that this process could use when it first asked.
    pub(crate) fn processors() -> &'static [usize] {
        static ALL: OnceLock<Vec<usize>> = OnceLock::new();
        ALL.get_or_init(|| match sched_getaffinity(None) {
            Ok(set) => (0..CpuSet::MAX_CPU)
                .filter(|&cpu| set.is_set(cpu))
                .collect(),
            Err(_) => Vec::new(),
        })
    }

    /// Binds the calling thread to these processors, and what it starts.
    pub(crate) fn pin(to: &[usize]) -> io::Result<()> {
        let mut set = CpuSet::new();
        to.iter().for_each(|&processor| set.set(processor));
        Ok(sched_setaffinity(None, &set)?)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod affinity {
    use super::io;

    pub(crate) fn processors() -> &'static [usize] {
        &[]
    }

    pub(crate) fn pin(_: &[usize]) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) use affinity::{pin, processors};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_stays_raised() {
        let all = getrlimit(Resource::Nofile);
        let few = all.maximum.map_or(1_000, |most| most.min(1_000));
        let mut lowered = all;
        lowered.current = Some(few);
        setrlimit(Resource::Nofile, lowered).unwrap();
        let (before, after) = raise_descriptors();
        assert_eq!(before, few);
        assert_eq!(after, all.maximum.unwrap_or(u64::MAX));
        assert_eq!(raise_descriptors(), (after, after));
    }

    #[test]
    fn a_machine_survives_its_json() {
        let machine = Machine::look();
        assert!(machine.descriptors > 0 && machine.began > 0);
        let text = serde_json::to_string(&machine).unwrap();
        assert_eq!(serde_json::from_str::<Machine>(&text).unwrap(), machine);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_bound_thread_has_one_processor_until_it_is_let_go() {
        use rustix::thread::sched_getaffinity;
        std::thread::spawn(|| {
            let before = sched_getaffinity(None).unwrap().count();
            pin(&processors()[..1]).unwrap();
            assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
            pin(processors()).unwrap();
            assert_eq!(sched_getaffinity(None).unwrap().count(), before);
        })
        .join()
        .unwrap();
    }
}
