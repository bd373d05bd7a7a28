//! A hub whose wait fails: one clear error in the thread's own greenthread, and everything else goes on.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use green::hubs::{self, Hub};
use hub_core::{Event, Interest, Token, Trigger};

use crate::common::{bounded, tcp_pair};

const MS: Duration = Duration::from_millis(1);

/// How often the wait is still to fail.
type Failures = Rc<Cell<u32>>;

/// The hub of this run, but for its wait.
struct Failing(Box<dyn Hub>, Failures);

impl Hub for Failing {
    fn name(&self) -> &'static str {
        "failing"
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
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        match self.1.get() {
            0 => self.0.wait(timeout, events),
            left => {
                self.1.set(left - 1);
                Err(io::Error::from_raw_os_error(libc::EINVAL))
            }
        }
    }
}

/// Runs `test` on such a hub, in a thread of its own.
fn failing(test: fn(&Failures)) {
    bounded(|| {
        let run = move || {
            let hub: Box<dyn Hub> = match hubs::get_hub() {
                "poll" => Box::new(hub_poll::Poll::new().unwrap()),
                "select" => Box::new(hub_select::Select::new().unwrap()),
                "polling" => Box::new(hub_polling::Polling::new().unwrap()),
                #[cfg(any(target_os = "linux", target_os = "android"))]
                "epoll" => Box::new(hub_epoll::Epoll::new().unwrap()),
                other => panic!("the {other} hub is not known here"),
            };
            let failures = Failures::default();
            hubs::use_hub_with(Failing(hub, Rc::clone(&failures))).unwrap();
            test(&failures);
        };
        std::thread::spawn(run).join().unwrap();
    });
}

/// What the call raises, if it does.
fn raised(call: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(call)).err()?;
    Some(*panic.downcast::<String>().unwrap())
}

fn says_what_to_do(report: &str) {
    let begins = report.starts_with("the failing hub cannot wait: Invalid argument");
    assert!(begins && report.contains("choose another one"), "{report}");
}

#[test]
fn a_failure_while_all_are_busy_leaves_the_run_queue_as_it_is() {
    for failures in [1, 3] {
        let test = match failures {
            1 => |left: &Failures| busy(left, 1),
            _ => |left: &Failures| busy(left, 3),
        };
        failing(test);
    }
}

/// Many greenthreads and the root take turns, and looks at the hub in between fail.
fn busy(left: &Failures, failures: u32) {
    const WORKERS: usize = 300;
    let turns = Rc::new(RefCell::new(Vec::new()));
    let over = Rc::new(Cell::new(false));
    let workers: Vec<_> = (0..WORKERS)
        .map(|n| {
            let (turns, over) = (Rc::clone(&turns), Rc::clone(&over));
            green::spawn(move || {
                while !over.get() {
                    turns.borrow_mut().push(n);
                    green::yield_now();
                }
                n
            })
        })
        .collect();
    let late = green::spawn_after(MS, || "came");
    green::yield_now();
    left.set(failures);
    let mut reports = Vec::new();
    for _ in 0..100_000 {
        if left.get() == 0 && late.is_dead() {
            break;
        }
        reports.extend(raised(green::yield_now));
    }
    // The last may have failed in the last round.
    reports.extend(raised(green::yield_now));
    assert_eq!(left.get(), 0, "the hub was asked");
    let count = reports.len() as u32;
    assert!((1..=failures).contains(&count), "{reports:?}");
    reports.iter().for_each(|report| says_what_to_do(report));
    over.set(true);
    assert_eq!(late.join().unwrap(), "came");
    for (n, worker) in workers.into_iter().enumerate() {
        assert_eq!(worker.join().unwrap(), n);
    }
    // Each has run once in each round, in the order of the first.
    let turns = turns.borrow();
    for round in turns.chunks(WORKERS) {
        assert!(round.iter().copied().eq(0..round.len()), "{round:?}");
    }
}

#[test]
fn a_failure_while_the_root_waits_is_raised_there_and_loses_nobody() {
    failing(|left| {
        let (mut near, mut far) = tcp_pair();
        let reader = green::spawn(move || {
            let mut word = [0; 5];
            far.read_exact(&mut word).map(|()| word)
        });
        let sleeper = green::spawn(|| green::sleep(300 * MS));
        green::sleep(MS);
        for _ in 0..3 {
            left.set(1);
            let report = raised(|| green::sleep(MS)).expect("the error reaches the root");
            says_what_to_do(&report);
            assert!(!reader.is_dead() && !sleeper.is_dead());
        }
        near.write_all(b"hello").unwrap();
        assert_eq!(&reader.join().unwrap().unwrap(), b"hello");
        sleeper.join().unwrap();
    });
}

#[test]
fn a_failure_in_a_call_that_never_waits_is_raised_by_it() {
    failing(|left| {
        left.set(1);
        let report = raised(|| _ = hubs::run_once()).expect("the error reaches the root");
        says_what_to_do(&report);
        let runs = green::spawn(|| 7);
        hubs::run_once();
        assert_eq!(runs.join().unwrap(), 7);
    });
}

#[test]
fn a_hub_that_fails_for_good_can_be_exchanged() {
    failing(|left| {
        let (mut near, mut far) = tcp_pair();
        let reader = green::spawn(move || {
            let mut word = [0; 5];
            far.read_exact(&mut word).map(|()| word)
        });
        green::sleep(MS);
        left.set(u32::MAX);
        for _ in 0..3 {
            let report = raised(|| green::sleep(MS)).expect("the error reaches the root");
            says_what_to_do(&report);
        }
        hubs::use_hub("poll").unwrap();
        near.write_all(b"hello").unwrap();
        assert_eq!(&reader.join().unwrap().unwrap(), b"hello");
    });
}
