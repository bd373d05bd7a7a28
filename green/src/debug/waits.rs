//! Waits for descriptors, and timers: as values and as text.

use std::fmt;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use hub_core::Direction;

use super::dump::line;
use super::shown::stacks;
use crate::runtime::{Alarm, Runtime, Task};

/// One wait for a descriptor, as it was when [`listeners`] looked.
///
/// ```
/// let listener = green::listen("127.0.0.1:0")?;
/// let gt = green::spawn(move || listener.accept().map(|_| ()));
/// green::yield_now();
/// let waits = green::debug::listeners().remove(0);
/// assert_eq!((waits.greenthread, waits.writable), (Some(gt.id()), false));
/// println!("{} waits for descriptor {}", waits.who, waits.descriptor);
/// # gt.kill();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerInfo {
    /// The number of the descriptor.
    pub descriptor: RawFd,
    /// True if it is to become writable, false if readable.
    pub writable: bool,
    /// The id of the greenthread that waits; `None` for a future.
    pub greenthread: Option<u64>,
    /// The greenthread or future that waits, in words.
    pub who: String,
}

/// One timer, as it was when [`timers`] looked.
///
/// ```
/// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60)));
/// green::yield_now();
/// let timer = green::debug::timers().remove(0);
/// assert_eq!(timer.greenthread, Some(gt.id()));
/// println!("in {:?}: {}", timer.due_in, timer.what);
/// # gt.kill();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimerInfo {
    /// In how long it is due; zero if it is overdue.
    pub due_in: Duration,
    /// The id of the greenthread that it wakes, starts or interrupts; `None` for a future.
    pub greenthread: Option<u64>,
    /// What the timer does when it is due, in words.
    pub what: String,
}

/// A value beside the greenthread that it is about.
type About<T> = (T, Option<Rc<Task>>);

/// Every wait for a descriptor, in the order of the descriptors.
///
/// ```
/// let listener = green::net::TcpListener::bind("127.0.0.1:0")?;
/// let gt = green::spawn(move || drop(listener.accept()));
/// green::yield_now();
/// let listeners = green::debug::listeners();
/// assert!(listeners.iter().any(|wait| wait.greenthread == Some(gt.id()) && !wait.writable));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn listeners() -> Vec<ListenerInfo> {
    look_at_listeners()
        .into_iter()
        .map(|(info, _)| info)
        .collect()
}

/// Every timer, the earliest first.
///
/// ```
/// use std::time::Duration;
///
/// let gt = green::spawn(|| green::sleep(Duration::from_secs(60)));
/// green::yield_now();
/// let timers = green::debug::timers();
/// assert!(timers.iter().any(|timer| timer.greenthread == Some(gt.id()) && timer.due_in > Duration::ZERO));
/// ```
pub fn timers() -> Vec<TimerInfo> {
    look_at_timers().into_iter().map(|(info, _)| info).collect()
}

fn look_at_listeners() -> Vec<About<ListenerInfo>> {
    let mut listeners = Vec::new();
    Runtime::with(|runtime| {
        let _ = runtime.with_reactor(|reactor| {
            listeners.extend(reactor.waiters().map(|(_, fd, direction, alarm)| {
                let info = ListenerInfo {
                    descriptor: fd,
                    writable: direction == Direction::Write,
                    greenthread: alarm.task().map(|task| task.id),
                    who: alarm.to_string(),
                };
                (info, alarm.task().cloned())
            }));
            Some(())
        });
    });
    let order =
        |(info, _): &About<ListenerInfo>| (info.descriptor, info.writable, info.who.clone());
    listeners.sort_by_cached_key(order);
    listeners
}

fn look_at_timers() -> Vec<About<TimerInfo>> {
    let mut timers = Vec::new();
    Runtime::with(|runtime| {
        let _ = runtime.with_reactor(|reactor| {
            let now = reactor.now();
            timers.extend(reactor.timers().map(|(deadline, alarm)| {
                let info = TimerInfo {
                    due_in: deadline.saturating_duration_since(now),
                    greenthread: alarm.task().map(|task| task.id),
                    what: alarm.to_string(),
                };
                (deadline, (info, alarm.task().cloned()))
            }));
            Some(())
        });
    });
    timers.sort_by(|(at, (one, _)), (other_at, (other, _))| {
        (at, &one.what).cmp(&(other_at, &other.what))
    });
    timers.into_iter().map(|(_, timer)| timer).collect()
}

impl fmt::Display for ListenerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.writable {
            false => "readable",
            true => "writable",
        };
        write!(f, "descriptor {} {what}: {}", self.descriptor, self.who)
    }
}

impl fmt::Display for TimerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {:?}: {}", self.due_in, self.what)
    }
}

/// Every wait for a descriptor, a line each: its number, the direction, and the greenthread that waits. After
/// [`hub_listener_stacks(true)`](super::hub_listener_stacks) each is followed by the stack of the one who waits.
///
/// ```
/// let listener = green::net::TcpListener::bind("127.0.0.1:0")?;
/// green::spawn_n(move || drop(listener.accept()));
/// green::yield_now();
/// assert!(green::debug::format_hub_listeners().contains("readable"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn format_hub_listeners() -> String {
    with_stacks(&look_at_listeners(), stacks().listeners.get())
}

/// Every timer, a line each, the earliest first: when it is due, the greenthread that it wakes, and for a
/// [`Timeout`](crate::Timeout) where it was begun. After [`hub_timer_stacks(true)`](super::hub_timer_stacks) each is
/// followed by the stack of its greenthread.
///
/// ```
/// green::spawn_n(|| green::sleep(std::time::Duration::from_secs(60)));
/// green::yield_now();
/// assert!(green::debug::format_hub_timers().contains("greenthread"));
/// ```
pub fn format_hub_timers() -> String {
    with_stacks(&look_at_timers(), stacks().timers.get())
}

fn with_stacks(lines: &[About<impl fmt::Display>], stacks: bool) -> String {
    let mut text = String::new();
    for (what, task) in lines {
        line(&mut text, what);
        let task = task.as_ref().filter(|_| stacks);
        let stack = task.and_then(|task| Runtime::with(|runtime| runtime.stack(task)));
        if let Some(stack) = stack {
            for frame in stack.to_string().lines() {
                line(&mut text, &format_args!("    {frame}"));
            }
        }
    }
    text
}

impl Alarm {
    /// The greenthread that it wakes, starts or interrupts, if it is known to be one.
    fn task(&self) -> Option<&Rc<Task>> {
        match self {
            Alarm::Park(waiter) => Some(waiter.task()),
            Alarm::Deadline(task, _) => Some(task),
            Alarm::Start(start) => Some(&start.task),
            Alarm::Waker(_) => None,
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |f: &mut fmt::Formatter<'_>, task: &Task| match task.id {
            0 => f.write_str("the thread's own greenthread"),
            id => write!(f, "greenthread {id} (spawned at {})", task.spawned_at),
        };
        match self {
            Alarm::Park(waiter) => who(f, waiter.task()),
            Alarm::Deadline(task, deadline) => {
                f.write_str("a timeout of ")?;
                who(f, task)?;
                match task.deadline_place(*deadline) {
                    Some(place) => write!(f, ", begun at {place}"),
                    None => Ok(()),
                }
            }
            Alarm::Start(start) => {
                f.write_str("the start of ")?;
                who(f, &start.task)
            }
            Alarm::Waker(_) => f.write_str("a future"),
        }
    }
}
