//! The library with hubs of the caller's: good ones, and such as fail in every way that there is.
//!
//! It has a `main` of its own, since `run` starts the program again.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use hub_bench::{Candidate, Plan, Workload, run};
use hub_core::{Event, Hub, Interest, Token, Trigger};
use hub_poll::Poll;

/// Does `wait` and leaves the rest to poll.
struct Faulty(Poll, fn(&mut Poll, &mut Vec<Event>) -> io::Result<()>);

impl Hub for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        self.0.add(fd, token, trigger)
    }

    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        self.0.arm(fd, token, interest)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        self.0.remove(fd, token)
    }

    fn wait(&mut self, _: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        (self.1)(&mut self.0, events)
    }
}

fn main() -> io::Result<()> {
    // Printed by every worker too, before it says anything of its own.
    println!("own_hubs: a line that is none of the benchmark's business");
    alone()?;
    out_of_time()?;
    failures()?;
    println!("own_hubs: ok");
    Ok(())
}

fn plan(workloads: &[Workload]) -> Plan {
    Plan {
        workloads: workloads.to_vec(),
        connections: vec![2],
        timers: vec![20],
        rounds: 2,
        warmup: Duration::from_millis(2),
        window: Duration::from_millis(5),
        ..Plan::default()
    }
}

/// As in the documentation.
fn alone() -> io::Result<()> {
    let plan = plan(&[Workload::Ring, Workload::Echo]);
    let report = run(&[("mine", &|| Ok(Box::new(Poll::new()?)))], &plan)?;
    if report.figures.is_empty() {
        // A worker of the second run passes here.
        return Ok(());
    }
    assert_eq!(report.hubs(), ["mine"]);
    assert_eq!(report.failures, []);
    assert_eq!(report.figures.len(), 2);
    assert!(report.figures.iter().all(|figure| figure.cpu_ns.len() == 2));
    Ok(())
}

/// It keeps what it has by then, and says so.
fn out_of_time() -> io::Result<()> {
    let plan = Plan {
        limit: Some(Duration::ZERO),
        ..plan(&[Workload::Ring, Workload::Echo])
    };
    let report = run(&[("mine", &|| Ok(Box::new(Poll::new()?)))], &plan)?;
    if report.figures.is_empty() {
        return Ok(());
    }
    assert_eq!(report.figures.len(), 1);
    assert_eq!(report.figures[0].cpu_ns.len(), 1);
    assert!(report.table().contains("The time was up"));
    assert!(!report.partial);
    Ok(())
}

/// Each is reported, none ends the others.
fn failures() -> io::Result<()> {
    let hubs: &[Candidate<'_>] = &[
        ("refuses", &|| Err(io::Error::other("it is Sunday"))),
        ("fails", &|| {
            let wait = |_: &mut Poll, _: &mut _| Err(io::Error::other("no more waiting"));
            Ok(Box::new(Faulty(Poll::new()?, wait)))
        }),
        ("dies", &|| {
            let wait = |_: &mut Poll, _: &mut _| -> io::Result<()> {
                eprintln!("last words");
                std::process::abort()
            };
            Ok(Box::new(Faulty(Poll::new()?, wait)))
        }),
        ("hangs", &|| {
            let wait = |_: &mut Poll, _: &mut _| loop {
                std::thread::park();
            };
            Ok(Box::new(Faulty(Poll::new()?, wait)))
        }),
        ("good", &|| Ok(Box::new(Poll::new()?))),
    ];
    let plan = Plan {
        patience: Duration::from_secs(4),
        ..plan(&[Workload::Ring, Workload::Churn, Workload::Layers])
    };
    let report = run(hubs, &plan)?;
    let errors = |name: &str| -> Vec<&str> {
        let of_hub = report.failures.iter().filter(|failure| failure.hub == name);
        of_hub.map(|failure| failure.error.as_str()).collect()
    };
    assert_eq!(errors("good"), [""; 0]);
    assert_eq!(report.hubs(), ["good"]);
    let cases = report.figures.len();
    for name in ["refuses", "fails", "dies", "hangs"] {
        assert_eq!(
            errors(name).len(),
            cases,
            "{name}: once for each case, not each round"
        );
    }
    assert!(
        errors("refuses")
            .iter()
            .all(|error| error.contains("it is Sunday"))
    );
    assert!(
        errors("dies")
            .iter()
            .all(|error| error.contains("last words")),
        "{:?}",
        errors("dies")
    );
    assert!(
        errors("fails")
            .iter()
            .any(|error| error.contains("no more waiting")),
        "{:?}",
        errors("fails")
    );
    assert!(
        errors("hangs")
            .iter()
            .any(|error| error.contains("deadline")),
        "{:?}",
        errors("hangs")
    );
    assert!(report.table().contains("FAILED: churn 64 on hangs"));
    Ok(())
}
