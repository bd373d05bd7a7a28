//! A run: rounds over all cases and hubs, in an order that rotates.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hub_core::Hub;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::machine::{self, Places};
use crate::plan::Plan;
use crate::report::{Method, Report};
use crate::worker::{Order, Said, Worker};
use crate::workload::{self, Case, Job, Sample};

/// How to make a hub: a function, or a closure that knows more than its name.
pub type MakeHub<'a> = &'a (dyn Fn() -> io::Result<Box<dyn Hub>> + Sync);

/// A hub to be measured: its name in the report, and how to make it.
pub type Candidate<'a> = (&'a str, MakeHub<'a>);

/// The hubs of this workspace, the best first.
pub const HUBS: &[Candidate<'static>] = &[
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("epoll", &|| Ok(Box::new(hub_epoll::Epoll::new()?))),
    ("poll", &|| Ok(Box::new(hub_poll::Poll::new()?))),
    ("select", &|| Ok(Box::new(hub_select::Select::new()?))),
    ("polling", &|| Ok(Box::new(hub_polling::Polling::new()?))),
];

/// Measures hubs against each other.
///
/// Every sample is taken in a process of its own: the calling program, started again with the same arguments, which
/// runs up to this call and does not return from it. So call it early in `main`, before anything that must not happen
/// twice. A program may call it several times; a worker returns from the earlier ones with an empty report.
///
/// A hub that fails in one case is in the report's failures, and the others go on. An interrupt (ctrl-C) ends the run
/// with what there is; a second one ends the program.
///
/// ```no_run
/// use hub_bench::{Plan, Workload};
/// use hub_poll::Poll;
///
/// let plan = Plan { workloads: vec![Workload::Idle], ..Plan::quick() };
/// let report = hub_bench::run(&[("mine", &|| Ok(Box::new(Poll::new()?)))], &plan)?;
/// println!("{}", report.table());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// `InvalidInput` if there is no hub, no workload or no round, or two hubs have one name. If signals cannot be caught.
pub fn run(hubs: &[Candidate<'_>], plan: &Plan) -> io::Result<Report> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let places = Places::find();
    match Order::received()? {
        Some(order) if order.call == call => order.obey(hubs),
        Some(_) => Ok(Report::new(Method::of(plan))),
        None => {
            check(hubs, plan)?;
            let interrupted = Arc::new(AtomicBool::new(false));
            let signal = signal_hook::consts::SIGINT;
            // Registered in this order: the second interrupt finds the flag set.
            let condition = interrupted.clone();
            let handlers = [
                signal_hook::flag::register_conditional_shutdown(signal, 130, condition)?,
                signal_hook::flag::register(signal, interrupted.clone())?,
            ];
            let session = Session {
                hubs,
                plan,
                call,
                places,
                interrupted,
            };
            let report = session.run();
            for handler in handlers {
                signal_hook::low_level::unregister(handler);
            }
            Ok(report)
        }
    }
}

fn check(hubs: &[Candidate<'_>], plan: &Plan) -> io::Result<()> {
    let invalid = |what: String| Err(io::Error::new(ErrorKind::InvalidInput, what));
    if hubs.is_empty() || plan.workloads.is_empty() || plan.rounds == 0 {
        return invalid("there must be a hub, a workload and a round at least".into());
    }
    for (at, (name, _)) in hubs.iter().enumerate() {
        if hubs[..at].iter().any(|(other, _)| other == name) {
            return invalid(format!("two hubs are called {name:?}"));
        }
    }
    Ok(())
}

const OUT_OF_TIME: &str =
    "The time was up before the last round was: some figures have a round less, or are missing.";

struct Session<'a> {
    hubs: &'a [Candidate<'a>],
    plan: &'a Plan,
    call: usize,
    places: Places,
    interrupted: Arc<AtomicBool>,
}

impl Session<'_> {
    fn run(&self) -> Report {
        let mut report = Report::new(Method::of(self.plan));
        let (cases, notes) = workload::cases(self.plan, report.machine.descriptors);
        report.notes = notes;
        let bound = self.places.client.map(|place| machine::pin(&[place]));
        if let Some(Err(error)) = bound {
            let note = format!("The load generator is not bound to a processor: {error}.");
            report.notes.push(note);
        }
        let bar = self.bar(cases.len());
        let end = self.plan.limit.map(|limit| Instant::now() + limit);
        'run: for round in 0..self.plan.rounds {
            for &case in &cases {
                for turn in 0..self.hubs.len() {
                    let (hub, _) = self.hubs[(turn + round) % self.hubs.len()];
                    bar.set_message(format!("round {}, {case} on {hub}", round + 1));
                    if !report.has_failed(hub, &case) {
                        match self.sample(hub, case) {
                            Ok(samples) => report.add(hub, &case, samples),
                            Err(_) if self.is_interrupted() => {}
                            Err(error) => report.fail(hub, &case, error.to_string()),
                        }
                    }
                    if self.is_interrupted() {
                        report.partial = true;
                        break 'run;
                    }
                    if end.is_some_and(|end| Instant::now() >= end) {
                        report.notes.push(OUT_OF_TIME.into());
                        break 'run;
                    }
                    bar.inc(1);
                }
            }
        }
        bar.finish_and_clear();
        // Where it could be bound it can be let go.
        let _ = machine::pin(machine::processors());
        report
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn bar(&self, cases: usize) -> ProgressBar {
        let samples = (cases * self.hubs.len() * self.plan.rounds) as u64;
        let bar = ProgressBar::new(samples);
        if !self.plan.progress {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} left, {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar
    }

    /// One sample of each operation of a case.
    fn sample(&self, hub: &str, case: Case) -> io::Result<Vec<Sample>> {
        let job = Job {
            case,
            warmup: self.plan.warmup,
            window: self.plan.window,
            places: self.places,
        };
        let order = Order {
            call: self.call,
            hub: hub.to_owned(),
            job,
        };
        let deadline = Instant::now() + job.warmup + job.window * 2 + self.plan.patience;
        let stop = || self.is_interrupted();
        let mut worker = Worker::start(&order)?;
        match worker.hear(deadline, &stop)? {
            Said::Samples(samples) => Ok(samples),
            Said::Failed(what) => Err(io::Error::other(what)),
            Said::Listening(address) if case.task.is_remote() => {
                let sample = workload::measure_remote(&job, address, deadline, &stop);
                match sample {
                    Ok(sample) => Ok(vec![sample]),
                    // The server knows better why, if it has ended.
                    Err(error) => {
                        match worker.hear(Instant::now() + Duration::from_millis(200), &stop) {
                            Err(reason) if reason.kind() == ErrorKind::Other => Err(reason),
                            _ => Err(error),
                        }
                    }
                }
            }
            Said::Listening(_) => Err(io::Error::other("a worker serves that should measure")),
        }
    }
}
