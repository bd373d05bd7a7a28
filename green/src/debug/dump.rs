//! Lists of greenthreads, of what they wait for and where they were spawned; and everything as one text.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::rc::Rc;

use super::account::Account;
use super::info::GreenthreadInfo;
use super::observe::Watch;
use super::waits::{format_hub_listeners, format_hub_timers};
use crate::Builder;
use crate::GreenThread;
use crate::os::Stderr;
use crate::runtime::{Runtime, Task};
use crate::signal::Signals;

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

pub(super) fn look(runtime: &Runtime, task: &Rc<Task>, stack: bool) -> GreenthreadInfo {
    let state = task.state();
    let account = task.existing_state_of::<Account>();
    let account = account.unwrap_or_default();
    let (waits_for, waits_on) = runtime.wait_of(task).unzip();
    let watch = runtime.existing_state::<Watch>();
    let stopped = watch.filter(|_| !runtime.is_current(task));
    let stopped = stopped.and_then(|watch| watch.stopped(task));
    GreenthreadInfo {
        id: task.id,
        name: task.name(),
        state: format!("{state:?}").to_lowercase(),
        waits_for,
        waits_on: waits_on.unwrap_or_default(),
        stopped: stopped.map(|stopped| stopped.elapsed()),
        spawned_by: task.spawner(),
        spawned_at: task.spawned_at,
        age: runtime.age(task),
        locals: crate::greenthread::local::names(task),
        ran: account.ran.get(),
        waited: account.waited.get(),
        switches: account.switches.get(),
        bytes_read: account.bytes_read.get(),
        bytes_written: account.bytes_written.get(),
        stack: if stack { runtime.stack(task) } else { None },
    }
}

/// [`greenthreads`] as a text, a line each; with `stacks`, each followed by its stack.
///
/// A suspended greenthread's stack is captured by running on it for a moment; it stays suspended.
///
/// ```
/// let _gt = green::Builder::new().name("worker").spawn(|| ());
/// assert!(green::debug::format_greenthreads(false).contains("worker"));
/// ```
pub fn format_greenthreads(stacks: bool) -> String {
    Runtime::with(|runtime| {
        let mut text = String::new();
        for task in runtime.tasks() {
            line(&mut text, &look(runtime, &task, stacks));
        }
        text
    })
}

pub(super) fn line(text: &mut String, what: &dyn fmt::Display) {
    let written = writeln!(text, "{what}");
    debug_assert!(written.is_ok(), "a String takes all that is written to it");
}

/// Every greenthread below the one that spawned it, a line each, as far as that one lives.
///
/// ```
/// let gt = green::spawn(|| green::spawn(|| green::yield_now()).join().unwrap());
/// green::yield_now();
/// green::yield_now();
/// let tree = green::debug::format_spawn_tree();
/// assert!(tree.contains("\n  greenthread") && tree.contains("\n    greenthread"));
/// gt.join().unwrap();
/// ```
pub fn format_spawn_tree() -> String {
    let all = greenthreads();
    let lives = |id| all.binary_search_by_key(&id, |info| info.id).is_ok();
    let mut children: HashMap<Option<u64>, Vec<&GreenthreadInfo>> = HashMap::new();
    for info in all.iter().rev() {
        let parent = info.spawned_by.filter(|&id| lives(id));
        children.entry(parent).or_default().push(info);
    }
    let mut text = String::new();
    let mut next: Vec<(usize, &GreenthreadInfo)> = Vec::new();
    let below = |id, depth| {
        children
            .get(&id)
            .into_iter()
            .flatten()
            .map(move |&info| (depth, info))
    };
    next.extend(below(None, 0));
    while let Some((depth, info)) = next.pop() {
        line(&mut text, &format_args!("{:1$}{info}", "", 2 * depth));
        next.extend(below(Some(info.id), depth + 1));
    }
    text
}

/// What reading the tables of symbols for stacks may take.
const MEMORY_FOR_STACKS: usize = 64 << 20;

/// True if the system would give that much. Nothing of it is touched.
fn has_memory(bytes: usize) -> bool {
    Vec::<u8>::new().try_reserve_exact(bytes).is_ok()
}

/// Everything that can be seen, as one text: the hub, the counters, greenthreads with their stacks, listeners, timers.
///
/// Stacks are left out if the system has no 64 MiB left to read their names with: a dump is also for programs that
/// have used up their memory.
///
/// ```
/// assert!(green::debug::dump_all().starts_with("hub: "));
/// ```
pub fn dump_all() -> String {
    let mut text = String::new();
    let hub = Runtime::with(|runtime| runtime.with_reactor(|reactor| Some(reactor.hub_name())));
    line(
        &mut text,
        &format_args!("hub: {}", hub.unwrap_or("none yet")),
    );
    line(&mut text, &format_args!("{:?}", super::counters()));
    let stacks = has_memory(MEMORY_FOR_STACKS);
    let title = match stacks {
        true => "greenthreads:",
        false => "greenthreads, without their stacks, for which no memory is left:",
    };
    line(&mut text, &title);
    text.push_str(&format_greenthreads(stacks));
    line(&mut text, &"listeners:");
    text.push_str(&format_hub_listeners());
    line(&mut text, &"timers:");
    text.push_str(&format_hub_timers());
    text
}

/// Prints [`dump_all`] to the standard error whenever `signal` comes, in a greenthread of this thread that waits for
/// it. Killing that one ends this; dropping the handle does not. It does not keep a deadlock from being reported.
///
/// While nobody reads the standard error that greenthread waits, and the others run on; signals that come meanwhile
/// bring one more dump. A greenthread that does not let the others run delays the dump: for that there is
/// [`blocking_detection`](super::blocking_detection).
///
/// # Errors
/// As [`Signals::new`], and [`os::stderr`](crate::os::stderr).
///
/// ```
/// use green::signal::SIGUSR1;
///
/// let dumper = green::debug::dump_on_signal(SIGUSR1)?; // kill -USR1 PID shows everything
/// dumper.kill();
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn dump_on_signal(signal: i32) -> io::Result<GreenThread<()>> {
    let signals = Signals::new([signal])?;
    // Not std's, which blocks the thread; and made now, when a descriptor is left.
    let mut stderr = crate::os::stderr()?;
    let dumper = move || {
        Runtime::with(|runtime| {
            loop {
                match runtime.in_background(|| signals.wait()) {
                    // Nobody is left to be told that the standard error is closed.
                    Ok(_) => drop(write(runtime, &mut stderr, dump_all().as_bytes())),
                    Err(error) => {
                        return log::error!("no dumps on signal {signal} any more: {error}");
                    }
                }
            }
        })
    };
    Builder::new().name("dump on a signal").spawn(dumper)
}

/// A reader of the standard error wakes nobody but this one.
fn write(runtime: &Runtime, stderr: &mut Stderr, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match runtime.in_background(|| stderr.write(text)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => text = &text[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
