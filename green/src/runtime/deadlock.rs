//! The report when no greenthread can ever run again: which one waits for which.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::rc::Rc;

use super::{Reason, Runtime, State, Task};

/// A report names no more greenthreads than this.
const MOST: usize = 100;

/// Nor does a line of it name more.
const MOST_HOLDERS: usize = 10;

/// Circles are looked for among so many greenthreads.
const MOST_IN_CIRCLES: usize = 1000;

impl Runtime {
    /// Ends the wait of the root greenthread with a report of who waits for what.
    #[cold]
    pub(super) fn deadlock(&self) {
        self.fail(self.report_of(
            "deadlock: every greenthread of this thread waits, and nothing is left that could wake one",
        ));
    }

    /// Says that all greenthreads wait for other threads, of which there are none. It is no more than said: a handler of
    /// signals may end the wait still, and who waits as threads do must not be unwound.
    #[cold]
    pub(super) fn tell_of_deadlock(&self) {
        let report = self.report_of(
            "deadlock: every greenthread waits for what other threads would have to do, and the process has only this one",
        );
        match log::log_enabled!(log::Level::Error) {
            true => log::error!("{report}"),
            false => eprintln!("{report}"),
        }
    }

    /// A report that begins with `what` and says what each greenthread waits for.
    fn report_of(&self, what: &str) -> String {
        let stacks = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
        let mut report = String::from(what);
        if !stacks {
            report.push_str(" (with RUST_BACKTRACE=1 this shows their stacks)");
        }
        let tasks = self.tasks();
        for task in tasks.iter().take(MOST) {
            append(&mut report, format_args!("\n  {}", Described(self, task)));
            if stacks && let Some(stack) = self.stack(task) {
                for line in stack.to_string().lines() {
                    append(&mut report, format_args!("\n      {line}"));
                }
            }
        }
        if tasks.len() > MOST {
            append(
                &mut report,
                format_args!("\n  and {} more", tasks.len() - MOST),
            );
        }
        if let Some(circle) = self.circle(&tasks) {
            append(&mut report, format_args!("\n  in a circle: {circle}"));
        }
        report
    }

    /// The stack of any greenthread, also of the one that turns the reactor while it is parked.
    pub(crate) fn stack(&self, task: &Rc<Task>) -> Option<std::backtrace::Backtrace> {
        match self.is_current(task) {
            true => Some(std::backtrace::Backtrace::force_capture()),
            false => task.stack(),
        }
    }

    /// Runs a wait of the current greenthread for a lock that `owner` names the owner of.
    pub(crate) fn held_up_by<T>(
        &self,
        owner: &Rc<Cell<Option<u64>>>,
        wait: impl FnOnce() -> T,
    ) -> T {
        struct Over(Rc<Task>);
        impl Drop for Over {
            fn drop(&mut self) {
                self.0.extra().held_up_by.take();
            }
        }
        let over = Over(self.current());
        over.0.extra().held_up_by.replace(Some(Rc::clone(owner)));
        wait()
    }

    /// What a parked greenthread waits for, and who could end that, as far as it is known.
    pub(crate) fn waits_for(&self, task: &Task) -> Option<String> {
        self.wait_of(task).map(|(what, _)| what)
    }

    /// As `waits_for`, with those whose next step could end the wait, by id, as far as they are known.
    pub(crate) fn wait_of(&self, task: &Task) -> Option<(String, Vec<u64>)> {
        if task.state.get() != State::Parked {
            return None;
        }
        let mut what = task.reason.get().to_string();
        let holders = self.holders(task);
        let names: Vec<_> = holders.iter().map(|&id| Named(id).to_string()).collect();
        let names = names.join(", ");
        match task.reason.get() {
            Reason::Join(_) => {}
            _ if holders.is_empty() => {}
            Reason::Group(_) => append(&mut what, format_args!(": {names}")),
            Reason::Pool(..) => append(&mut what, format_args!(", whose members are {names}")),
            _ => append(&mut what, format_args!(" that {names} holds")),
        }
        Some((what, holders))
    }

    /// Those whose next step could wake the greenthread, by id: not many, and only as far as it is known.
    fn holders(&self, task: &Task) -> Vec<u64> {
        if let Some(extra) = task.has_extra()
            && let Some(owner) = &*extra.held_up_by.borrow()
        {
            return owner.get().into_iter().collect();
        }
        let some = |is_one: &dyn Fn(&Task) -> bool| {
            // Not by way of `tasks`: many may ask, and each looks at all.
            let tasks = self.tasks.borrow();
            let some = tasks.iter().filter(|(_, other)| is_one(other));
            let ids = some.take(MOST_HOLDERS).map(|(_, other)| other.id);
            let mut ids: Vec<_> = ids.collect();
            ids.sort_unstable();
            ids
        };
        match task.reason.get() {
            Reason::Join(id) => vec![id],
            Reason::Group(address) => some(&|other| other.is_heard_by(address)),
            Reason::Pool(_, address) => some(&|other| other.is_of(address)),
            _ => Vec::new(),
        }
    }

    /// Greenthreads that wait for each other, if there are any.
    fn circle(&self, tasks: &[Rc<Task>]) -> Option<String> {
        let mut after = HashMap::new();
        let parked = |task: &&Rc<Task>| task.state.get() == State::Parked;
        for task in tasks.iter().take(MOST_IN_CIRCLES).filter(parked) {
            after.insert(task.id, self.holders(task));
        }
        // A walk along first edges that have not led into a dead end; what comes twice closes a circle.
        for start in tasks {
            let mut path = vec![start.id];
            while let Some(&last) = path.last() {
                let Some(next) = after.get_mut(&last).and_then(Vec::pop) else {
                    path.pop();
                    continue;
                };
                if let Some(at) = path.iter().position(|&id| id == next) {
                    let names: Vec<_> = path[at..]
                        .iter()
                        .chain([&next])
                        .map(|&id| Named(id).to_string())
                        .collect();
                    return Some(format!(
                        "{} waits for {}",
                        names[0],
                        names[1..].join(", which waits for ")
                    ));
                }
                path.push(next);
            }
        }
        None
    }
}

fn append(text: &mut String, what: fmt::Arguments<'_>) {
    let written = text.write_fmt(what);
    debug_assert!(written.is_ok(), "a String takes all that is written to it");
}

impl Runtime {
    /// One line about one greenthread: who it is, what it does, where it came from.
    pub(crate) fn describe<'a>(&'a self, task: &'a Task) -> impl fmt::Display {
        Described(self, task)
    }
}

/// A greenthread in the middle of a sentence.
struct Named(u64);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("the thread's own greenthread"),
            id => write!(f, "greenthread {id}"),
        }
    }
}

struct Described<'a>(&'a Runtime, &'a Task);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Described(runtime, task) = self;
        write!(f, "{}", Named(task.id))?;
        if task.id != 0 {
            write!(f, " (spawned at {})", task.spawned_at)?;
        }
        if let Some(name) = task.name() {
            write!(f, " \"{name}\"")?;
        }
        match runtime.waits_for(task) {
            Some(what) => write!(f, " waits for {what}"),
            None => write!(f, " is {}", format!("{:?}", task.state()).to_lowercase()),
        }
    }
}
