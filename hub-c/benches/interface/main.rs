//! cargo bench -p hub-c --bench interface -- [--instructions] [--rounds N] [--hubs LIST]
//!
//! The C interface beside the Rust ones. C is called as a program in another language calls it, by
//! the addresses that the dynamic linker finds in the built libhub.so. Prints a markdown table:
//! nanoseconds, or with --instructions those that the processor executes outside the kernel, as
//! counted by valgrind. For Linux, whose eventfd it uses.

mod figure;
mod native;
mod on_c;
mod on_hub;
mod on_reactor;

use std::env;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use figure::{FIGURES, Figure, Work};

type Prepare = fn(Figure, &str) -> Option<Work>;

const INTERFACES: [(&str, Prepare); 3] = [
    ("Hub", on_hub::prepare),
    ("Reactor", on_reactor::prepare),
    ("C", on_c::prepare),
];

fn main() {
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--sample", figure, hub, interface, times] = words[..] {
        return sample(figure, hub, interface, times.parse().expect("a number"));
    }
    let value = |option| {
        let position = words.iter().position(|&word| word == option)?;
        Some(*words.get(position + 1).expect("an option has a value"))
    };
    let hubs = value("--hubs").unwrap_or("epoll,poll,select,polling");
    let rounds = value("--rounds").map_or(15, |rounds| rounds.parse().expect("a number"));
    let counts = words.contains(&"--instructions");
    println!(
        "| {} | hub | Hub | Reactor | C | C/Hub |",
        if counts { "instructions" } else { "ns" }
    );
    println!("|---|---|---|---|---|---|");
    for (name, figure) in FIGURES {
        for hub in hubs.split(',') {
            let [plain, reactor, c] = match counts {
                true => INTERFACES.map(|(interface, _)| instructions(name, hub, interface)),
                false => times(figure, hub, rounds),
            };
            let cell =
                |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.0}"));
            let ratio = plain
                .zip(c)
                .map_or("–".into(), |(plain, c)| format!("{:.2}", c / plain));
            let (plain, reactor, c) = (cell(plain), cell(reactor), cell(c));
            println!("| {name} | {hub} | {plain} | {reactor} | {c} | {ratio} |");
        }
    }
}

/// Nanoseconds an operation: the median over rounds in which the interfaces take turns.
fn times(figure: Figure, hub: &str, rounds: usize) -> [Option<f64>; 3] {
    let mut works = INTERFACES.map(|(_, prepare)| prepare(figure, hub).map(calibrated));
    let mut samples = [(); 3].map(|()| Vec::new());
    for _ in 0..rounds {
        for (work, samples) in works.iter_mut().zip(&mut samples) {
            if let Some((work, times)) = work {
                samples.push(run(work, *times).as_nanos() as f64 / *times as f64);
            }
        }
    }
    samples.map(|mut samples| {
        samples.sort_by(f64::total_cmp);
        samples.get(samples.len() / 2).copied()
    })
}

/// How many operations take five milliseconds; what it takes to know is the warm-up.
fn calibrated(mut work: Work) -> (Work, usize) {
    let mut times = 1;
    while run(&mut work, times) < Duration::from_millis(5) {
        times *= 2;
    }
    (work, times)
}

fn run(work: &mut Work, times: usize) -> Duration {
    let start = Instant::now();
    black_box(work)(times);
    start.elapsed()
}

/// Instructions an operation: what twice as many cost more, in processes of their own.
fn instructions(figure: &str, hub: &str, interface: &str) -> Option<f64> {
    const TIMES: usize = 200;
    let counted = |times: usize| -> Option<f64> {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        valgrind.arg(env::current_exe().ok()?);
        valgrind.args(["--sample", figure, hub, interface, &times.to_string()]);
        let output = valgrind.output().expect("valgrind is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().find(|line| line.contains("Collected"))?;
        line.rsplit(' ').next()?.parse().ok()
    };
    let (_, prepare) = INTERFACES
        .into_iter()
        .find(|(name, _)| *name == interface)?;
    let (_, figure) = FIGURES.into_iter().find(|(name, _)| *name == figure)?;
    drop(prepare(figure, hub)?);
    Some((counted(2 * TIMES)? - counted(TIMES)?) / TIMES as f64)
}

fn sample(figure: &str, hub: &str, interface: &str, times: usize) {
    let (_, prepare) = INTERFACES
        .into_iter()
        .find(|(name, _)| *name == interface)
        .expect("an interface");
    let (_, figure) = FIGURES
        .into_iter()
        .find(|(name, _)| *name == figure)
        .expect("a figure");
    let mut work = prepare(figure, hub).expect("it has this figure");
    work(times);
}
