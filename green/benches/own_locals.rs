//! What thread-locals of each greenthread's own cost: one line of figures. `cargo bench -p green --bench own_locals` is
//! without the feature, `--features thread-locals` with it and unused, and that with `-- own` with it and used.

use std::hint::black_box;
use std::time::Duration;

/// Samples of each figure, of which the median is printed.
const SAMPLES: usize = 15;

fn main() {
    let own = std::env::args().any(|argument| argument == "own");
    let name = match (own, cfg!(feature = "thread-locals")) {
        (true, _) => "own",
        (false, true) => "unused",
        (false, false) => "without",
    };
    if own {
        use_own();
    }
    println!(
        "{name}: yield, 2 greenthreads {:.2} ns; yield, 1000 {:.2} ns; spawn and join {:.1} ns; parked {:.2} KiB",
        median(|| yields(2)),
        median(|| yields(1000)),
        median(spawns),
        parked()
    );
}

#[cfg(feature = "thread-locals")]
fn use_own() {
    green::own_thread_locals().expect("thread-locals can be had here");
}

#[cfg(not(feature = "thread-locals"))]
fn use_own() {
    panic!("built without the feature thread-locals");
}

fn median(mut sample: impl FnMut() -> f64) -> f64 {
    let mut samples: Vec<_> = (0..SAMPLES).map(|_| sample()).collect();
    samples.sort_by(f64::total_cmp);
    samples[SAMPLES / 2]
}

/// Processor time of this process.
fn time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn each(n: u64, f: impl FnOnce()) -> f64 {
    let start = time();
    f();
    (time() - start).as_nanos() as f64 / n as f64
}

fn yields(greenthreads: u64) -> f64 {
    let rounds = 2_000_000 / greenthreads;
    let all: Vec<_> = (0..greenthreads)
        .map(|_| {
            green::spawn(move || {
                green::yield_now();
                (0..rounds).for_each(|_| green::yield_now());
            })
        })
        .collect();
    green::yield_now();
    each(rounds * greenthreads, || {
        green::joinall(&all);
    })
}

fn spawns() -> f64 {
    const N: u64 = 100_000;
    each(N, || {
        for n in 0..N {
            let got = green::spawn(move || n).join().expect("nobody kills it");
            black_box(got);
        }
    })
}

/// Resident memory of a greenthread that waits, in KiB.
fn parked() -> f64 {
    const N: usize = 20_000;
    let before = resident();
    let all: Vec<_> = (0..N)
        .map(|_| green::spawn(|| green::sleep(Duration::from_secs(3600))))
        .collect();
    green::yield_now();
    let grown = resident() - before;
    all.iter().for_each(|gt| gt.kill());
    grown as f64 / N as f64
}

/// In KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("what the system says");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    words.and_then(|kib| kib.parse().ok()).expect("a number")
}
