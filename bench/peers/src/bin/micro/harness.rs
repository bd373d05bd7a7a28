//! Timing of loops, memory of tasks, delays of sleepers.

use std::time::{Duration, Instant};

use peers::sys::CpuClock;

/// How long the loop of a sample runs at least.
const LONG_ENOUGH: Duration = Duration::from_millis(80);

/// How many tasks sleep, and the longest delay.
pub const SLEEPERS: usize = 100_000;
/// How many tasks are parked.
pub const PARKED: usize = 1_000_000;
/// Capacity of a batch, and the size of a ring.
pub const BATCH: usize = 1000;
/// A timeout that never fires.
pub const NEVER: Duration = Duration::from_secs(60);

/// The processor time this process has used.
pub fn cpu() -> Duration {
    CpuClock::OWN.now().expect("every Linux has this clock")
}

/// Nanoseconds of processor time for each operation. `run` does as many operations as it is told, a multiple of
/// [`BATCH`]; the count doubles until it takes long enough, and what came before was the warm-up.
pub fn per_operation(mut run: impl FnMut(usize)) -> Vec<f64> {
    let mut count = 2 * BATCH;
    loop {
        let before = cpu();
        run(count);
        let spent = cpu() - before;
        if spent >= LONG_ENOUGH {
            return vec![spent.as_nanos() as f64 / count as f64];
        }
        count *= 2;
    }
}

/// The delay of a sleeper: evenly from 0 to 1 s, in a scattered order.
pub fn delay(sleeper: usize) -> Duration {
    Duration::from_secs(1) * (sleeper * 61_803 % SLEEPERS) as u32 / SLEEPERS as u32
}

/// Sleeps by means of `sleep` and returns by how many seconds it was late.
pub fn lateness(deadline: Instant) -> f64 {
    let now = Instant::now();
    assert!(now >= deadline, "a sleeper woke early");
    (now - deadline).as_secs_f64()
}

/// Resident and peak memory of this process in bytes.
fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs is mounted");
    let line = status.lines().find(|line| line.starts_with(field));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    number.expect("the field is in the status") * 1024.0
}

/// What a run has used since it began.
pub struct Usage {
    cpu: Duration,
    resident: f64,
}

impl Usage {
    pub fn start() -> Usage {
        Usage {
            cpu: cpu(),
            resident: memory("VmRSS:"),
        }
    }

    fn cpu_seconds(&self) -> f64 {
        (cpu() - self.cpu).as_secs_f64()
    }

    /// The values of the figure `sleepers`.
    pub fn of_sleepers(&self, mut lateness: Vec<f64>) -> Vec<f64> {
        let cpu = self.cpu_seconds();
        let bytes = (memory("VmHWM:") - self.resident) / SLEEPERS as f64;
        lateness.sort_by(f64::total_cmp);
        let at = |share: f64| lateness[(lateness.len() as f64 * share) as usize] * 1000.0;
        vec![cpu, at(0.5), at(0.99), bytes]
    }

    /// The values of the figure `parked`.
    pub fn of_parked(&self) -> Vec<f64> {
        let cpu = self.cpu_seconds();
        vec![(memory("VmRSS:") - self.resident) / PARKED as f64, cpu]
    }
}
