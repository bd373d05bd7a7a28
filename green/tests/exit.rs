//! The end of the process from any greenthread: a program of its own, since only its `main` can show it.
//!
//! Without arguments it runs itself once for each scenario, and compares what that says and how it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

const SCENARIO: &str = "GREEN_TEST_EXIT_SCENARIO";
const LONG: Duration = Duration::from_secs(60);

/// Says when it is dropped.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

/// A name, what it does, and with which code and what words it ends.
type Scenario = (&'static str, fn(), i32, &'static str);

const SCENARIOS: &[Scenario] = &[
    ("main itself", || green::exit(3), 3, "main"),
    (
        "a greenthread",
        || {
            green::spawn_n(|| {
                let _inner = Says("inner");
                green::exit(4)
            });
            green::sleep(LONG);
        },
        4,
        "inner main",
    ),
    (
        "zero",
        || {
            green::spawn_n(|| green::exit(0));
            green::sleep(LONG);
        },
        0,
        "main",
    ),
    (
        "one that runs between two waits of main",
        || {
            green::spawn_n(|| green::exit(5));
            green::yield_now();
            unreachable!("main goes on after an exit");
        },
        5,
        "main",
    ),
    (
        "the first code counts",
        || {
            let _second = Says("second");
            green::spawn_n(|| green::exit(6));
            green::spawn_n(|| green::exit(7));
            green::sleep(LONG);
        },
        6,
        "second main",
    ),
    (
        "a scope ends its greenthreads first",
        || {
            let _ = green::scope(|scope| {
                scope.spawn(|| {
                    let _child = Says("child");
                    green::sleep(LONG);
                });
                scope.spawn(|| -> () { green::exit(8) });
            });
            unreachable!("main goes on after an exit");
        },
        8,
        "child main",
    ),
    (
        "a mask of the caller holds nothing back",
        || {
            green::spawn_n(|| green::mask(|| green::exit(9)));
            green::sleep(LONG);
        },
        9,
        "main",
    ),
    (
        "a mask of main holds it back",
        || {
            green::spawn_n(|| green::exit(10));
            green::mask(|| green::sleep(Duration::from_millis(5)));
            println!("masked");
            green::sleep(LONG);
        },
        10,
        "masked main",
    ),
    (
        "a job",
        || {
            // It may have ended before main waits for it.
            let _ = green::tpool::execute(|| green::exit(11));
            green::sleep(LONG);
        },
        11,
        "main",
    ),
    (
        "a greenthread of another thread",
        || {
            let _known = green::hubs::handle().unwrap();
            std::thread::spawn(|| {
                let there = green::spawn(|| green::exit(12));
                drop(there.join());
            });
            green::sleep(LONG);
        },
        12,
        "main",
    ),
    (
        "a thread that cannot reach main",
        || {
            let _ = std::thread::spawn(|| green::exit(13)).join();
        },
        13,
        "",
    ),
    (
        "a destructor while its thread unwinds",
        || {
            struct Exits;
            impl Drop for Exits {
                fn drop(&mut self) {
                    green::exit(14);
                }
            }
            let victim = green::spawn(|| {
                let _exits = Exits;
                green::sleep(LONG);
            });
            green::yield_now();
            victim.kill();
        },
        14,
        "",
    ),
    (
        "who catches it passes it on",
        || {
            green::spawn_n(|| green::exit(15));
            let caught = catch_unwind(AssertUnwindSafe(|| green::sleep(LONG)));
            println!("caught");
            green::resume_interrupt(caught.unwrap_err());
        },
        15,
        "caught main",
    ),
    (
        "who swallows it ends the process there",
        || {
            green::spawn_n(|| green::exit(16));
            loop {
                drop(catch_unwind(AssertUnwindSafe(|| green::sleep(LONG))));
            }
        },
        16,
        "",
    ),
    (
        "a link of main's own does not swallow it",
        || {
            let gt = green::spawn(|| ());
            green::spawn_n(|| green::exit(17));
            green::yield_now();
            gt.join().unwrap();
        },
        17,
        "main",
    ),
    (
        "a contained destructor does not end the process early",
        || {
            struct Waits;
            impl Drop for Waits {
                fn drop(&mut self) {
                    green::sleep(LONG);
                }
            }
            let gt = green::spawn(|| ());
            green::yield_now();
            green::spawn_n(|| green::exit(18));
            let waits = Waits;
            // Called here, since it has ended; what it drops waits, and is interrupted.
            gt.link(move |_| drop(waits));
            println!("went on");
            green::sleep(LONG);
        },
        18,
        "went on main",
    ),
];

/// Killed by hand, main ends with std's code for a panic; but not in silence.
fn killed() {
    let main = green::current();
    green::spawn_n(move || main.kill());
    green::sleep(LONG);
}

fn main() {
    if let Some(scenario) = std::env::var_os(SCENARIO) {
        let _main = Says("main");
        let scenario = scenario.to_str().unwrap();
        match SCENARIOS.iter().find(|(name, ..)| *name == scenario) {
            Some((_, run, ..)) => run(),
            None => killed(),
        }
        return;
    }
    let run = |scenario: &str| {
        Command::new(std::env::current_exe().unwrap())
            .env(SCENARIO, scenario)
            .output()
            .unwrap()
    };
    for (name, _, code, words) in SCENARIOS {
        let output = run(name);
        let said = String::from_utf8(output.stdout).unwrap();
        let complained = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(*code), "{name}: {complained}");
        assert_eq!(
            said.split_whitespace().collect::<Vec<_>>().join(" "),
            *words,
            "{name}"
        );
        assert_eq!(complained, "", "{name}");
        println!("{name}: ok");
    }
    let output = run("killed");
    assert_eq!(output.status.code(), Some(101));
    let complained = String::from_utf8(output.stderr).unwrap();
    assert!(
        complained.contains("the greenthread of main was killed"),
        "{complained}"
    );
    assert_eq!(output.stdout, b"main\n");
    println!("killed: ok");
}
