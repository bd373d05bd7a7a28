//! Who is there, what they wait for, and where they came from.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::{self, Write};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use hub_core::Direction;

use crate::runtime::{Alarm, Runtime, State, Task};

/// One greenthread, as it was when [`greenthreads`] looked.
#[derive(Debug)]
#[non_exhaustive]
pub struct GreenthreadInfo {
    /// Its id; 0 is the thread's own.
    pub id: u64,
    /// Its name, if it has one.
    pub name: Option<Rc<str>>,
    /// `ready`, `running`, `parked`, `fresh` (never ran) or `delayed`.
    pub state: String,
    /// What it waits for, if it is parked.
    pub waits_for: Option<String>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The time since its spawn, to about a millisecond.
    pub age: Duration,
    /// How many greenthread-local values it has.
    pub locals: usize,
    /// How long it has run, and how long it has waited, since [`accounting`](super::accounting) was turned on.
    pub ran: Duration,
    /// See `ran`.
    pub waited: Duration,
    /// How often it was switched to, since accounting was turned on.
    pub switches: u64,
    /// Its stack, if asked for: where it waits. `None` for one that never ran.
    pub stack: Option<Backtrace>,
}

impl fmt::Display for GreenthreadInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            0 => write!(f, "the thread's own greenthread")?,
            id => write!(f, "greenthread {id} (spawned at {})", self.spawned_at)?,
        }
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        match &self.waits_for {
            Some(what) => write!(f, " waits for {what}")?,
            None => write!(f, " is {}", self.state)?,
        }
        write!(f, ", age {:?}", self.age)?;
        if self.switches > 0 {
            write!(
                f,
                ", ran {:?} in {} turns, waited {:?}",
                self.ran, self.switches, self.waited
            )?;
        }
        if self.locals > 0 {
            write!(f, ", {} locals", self.locals)?;
        }
        if let Some(stack) = &self.stack
            && stack.status() == BacktraceStatus::Captured
        {
            for line in stack.to_string().lines() {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}

/// Every greenthread of this thread that is not dead, in the order of spawn, without stacks.
///
/// ```
/// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60)));
/// green::yield_now();
/// let all = green::debug::greenthreads();
/// let info = all.iter().find(|info| info.id == gt.id()).unwrap();
/// assert_eq!(info.waits_for.as_deref(), Some("the end of a sleep"));
/// ```
pub fn greenthreads() -> Vec<GreenthreadInfo> {
    Runtime::with(|runtime| {
        let tasks = runtime.tasks();
        tasks
            .iter()
            .map(|task| look(runtime, task, false))
            .collect()
    })
}

fn look(runtime: &Runtime, task: &Task, stack: bool) -> GreenthreadInfo {
    let state = task.state();
    let extra = task.has_extra();
    let (ran, waited, switches) = extra.map(|extra| extra.account.read()).unwrap_or_default();
    GreenthreadInfo {
        id: task.id,
        name: extra.and_then(|extra| extra.name.borrow().clone()),
        state: format!("{state:?}").to_lowercase(),
        waits_for: (state == State::Parked).then(|| task.reason().to_string()),
        spawned_at: task.spawned_at,
        age: runtime.age(task),
        locals: extra.map_or(0, |extra| extra.locals.borrow().len()),
        ran,
        waited,
        switches,
        stack: if stack { task.stack() } else { None },
    }
}

/// [`greenthreads`] as a text, a line each; with `stacks`, each followed by its stack.
///
/// A suspended greenthread's stack is captured by running on it for a moment; it stays suspended.
pub fn format_greenthreads(stacks: bool) -> String {
    Runtime::with(|runtime| {
        let mut text = String::new();
        for task in runtime.tasks() {
            line(&mut text, &look(runtime, &task, stacks));
        }
        text
    })
}

fn line(text: &mut String, what: &dyn fmt::Display) {
    let written = writeln!(text, "{what}");
    debug_assert!(written.is_ok(), "a String takes all that is written to it");
}

/// Every wait for a descriptor, a line each: which, for what, and who waits.
///
/// ```
/// let listener = green::net::TcpListener::bind("127.0.0.1:0")?;
/// green::spawn_n(move || drop(listener.accept()));
/// green::yield_now();
/// assert!(green::debug::format_hub_listeners().contains("readable"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn format_hub_listeners() -> String {
    let mut listeners = Runtime::with(|runtime| {
        let listeners = runtime.with_reactor(|reactor| {
            let waiters = reactor.waiters();
            let lines = waiters.map(|(_, fd, direction, alarm)| {
                let what = match direction {
                    Direction::Read => "readable",
                    Direction::Write => "writable",
                };
                (fd, format!("descriptor {fd} {what}: {alarm}"))
            });
            Some(lines.collect::<Vec<_>>())
        });
        listeners.unwrap_or_default()
    });
    listeners.sort();
    let mut text = String::new();
    for (_, listener) in listeners {
        line(&mut text, &listener);
    }
    text
}

/// Every timer, a line each, the earliest first: when, and for whom.
///
/// ```
/// green::spawn_n(|| green::sleep(std::time::Duration::from_secs(60)));
/// green::yield_now();
/// assert!(green::debug::format_hub_timers().contains("greenthread"));
/// ```
pub fn format_hub_timers() -> String {
    let mut timers = Runtime::with(|runtime| {
        let timers = runtime.with_reactor(|reactor| {
            let now = reactor.now();
            let lines = reactor.timers().map(|(deadline, alarm)| {
                let left = deadline.saturating_duration_since(now);
                (deadline, format!("in {left:?}: {alarm}"))
            });
            Some(lines.collect::<Vec<_>>())
        });
        timers.unwrap_or_default()
    });
    timers.sort();
    let mut text = String::new();
    for (_, timer) in timers {
        line(&mut text, &timer);
    }
    text
}

/// Everything: the hub, the counters, greenthreads with their stacks, listeners, timers.
pub fn dump_all() -> String {
    let mut text = String::new();
    let hub = Runtime::with(|runtime| runtime.with_reactor(|reactor| Some(reactor.hub_name())));
    line(
        &mut text,
        &format_args!("hub: {}", hub.unwrap_or("none yet")),
    );
    line(&mut text, &format_args!("{:?}", super::counters()));
    line(&mut text, &"greenthreads:");
    text.push_str(&format_greenthreads(true));
    line(&mut text, &"listeners:");
    text.push_str(&format_hub_listeners());
    line(&mut text, &"timers:");
    text.push_str(&format_hub_timers());
    text
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |f: &mut fmt::Formatter<'_>, task: &Task| match task.id {
            0 => f.write_str("the thread's own greenthread"),
            id => write!(f, "greenthread {id} (spawned at {})", task.spawned_at),
        };
        match self {
            Alarm::Park(waiter) => who(f, waiter.task()),
            Alarm::Scope(task, _) => {
                f.write_str("a timeout of ")?;
                who(f, task)
            }
            Alarm::Call(_) => f.write_str("a delayed start"),
        }
    }
}
