//! Choosing the hub: the event loop underneath.
//!
//! In this order: what [`use_hub`] or [`use_hub_with`] chose for this thread, what the environment variable
//! `GREEN_HUB` names, the best one that the system has. Each OS thread has a hub of its own, made when a
//! greenthread of it first waits.

use std::error::Error;
use std::fmt;
use std::io;

pub use crate::io::trampoline;
use crate::runtime::Runtime;
pub use crate::runtime::{ThreadClosed, ThreadHandle};
pub use hub_core::{Direction, Hub};

/// The environment variable that names the hub of threads that have not chosen one.
pub const GREEN_HUB: &str = "GREEN_HUB";

type Make = fn() -> io::Result<Box<dyn Hub>>;

/// A hub that comes with this crate: its name, what eventlet calls it, and how to make one.
struct Known {
    name: &'static str,
    alias: &'static str,
    make: Make,
}

/// The best first.
const KNOWN: &[Known] = &[
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Known {
        name: "epoll",
        alias: "epolls",
        make: || Ok(Box::new(hub_epoll::Epoll::new()?)),
    },
    #[cfg(any(target_os = "linux", target_os = "android"))]
    POLL,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    SELECT,
    Known {
        name: "polling",
        alias: "kqueue",
        make: || Ok(Box::new(hub_polling::Polling::new()?)),
    },
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    POLL,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    SELECT,
];

const POLL: Known = Known {
    name: "poll",
    alias: "poll",
    make: || Ok(Box::new(hub_poll::Poll::new()?)),
};

const SELECT: Known = Known {
    name: "select",
    alias: "selects",
    make: || Ok(Box::new(hub_select::Select::new()?)),
};

/// The names that [`use_hub`] takes, the best first.
///
/// ```
/// assert!(green::hubs::hub_names().any(|name| name == "poll"));
/// ```
pub fn hub_names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

/// Makes the hub of this name the hub of this thread.
///
/// It may be called at any time: sockets that are open, greenthreads that wait and timers that run are carried
/// over. eventlet's names `epolls` and `selects` are accepted.
///
/// # Errors
/// [`HubError`] if the name is not known (the error lists those that are), if the system refuses to make the hub,
/// or if a descriptor cannot be carried over. The thread then keeps the hub it had.
///
/// ```
/// green::hubs::use_hub("poll")?;
/// assert_eq!(green::hubs::get_hub(), "poll");
/// assert!(green::hubs::use_hub("pool").unwrap_err().to_string().contains("poll"));
/// # Ok::<(), green::hubs::HubError>(())
/// ```
pub fn use_hub(name: &str) -> Result<(), HubError> {
    replace(make(name, "use_hub")?)
}

/// Makes a hub of the caller's the hub of this thread: any type that implements [`Hub`].
///
/// # Errors
/// As [`use_hub`], but for the name.
///
/// ```
/// green::hubs::use_hub_with(hub_poll::Poll::new()?)?;
/// assert_eq!(green::hubs::get_hub(), "poll");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn use_hub_with(hub: impl Hub + 'static) -> Result<(), HubError> {
    replace(Box::new(hub))
}

/// Makes the default the hub of this thread: what `GREEN_HUB` names, or else the best one.
///
/// # Errors
/// As [`use_hub`].
pub fn use_default_hub() -> Result<(), HubError> {
    replace(default()?)
}

/// Bounds how many greenthreads that other threads have sent run in this thread at a time; the others wait, without a
/// stack, in the order in which they were sent. `None`, as at first, is no bound.
///
/// ```
/// green::hubs::set_spawn_limit(Some(1));
/// let handle = green::hubs::handle()?;
/// for n in 0..3 {
///     handle.spawn(move || green::sleep(std::time::Duration::from_millis(n))).unwrap();
/// }
/// green::sleep(std::time::Duration::from_millis(20));
/// assert_eq!(handle.pending(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn set_spawn_limit(limit: Option<usize>) {
    Runtime::with(|runtime| runtime.set_spawn_limit(limit));
}

/// What becomes of the other greenthreads of a thread in the child of a fork. See [`after_fork`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFork {
    /// They run on in the child as they do in the parent, on the same sockets and files.
    Keep,
    /// They never run again, and neither do their destructors, links and timers: whatever they do happens once, in
    /// the parent. What they hold, a lock for instance, is never given back in the child; their memory and
    /// descriptors are its own until it ends.
    Discard,
}

/// Makes this thread's hub the child's own after a fork, and says what becomes of its other greenthreads.
///
/// A child shares the descriptors of the parent, and so the poller of the hub and the pipe that wakes it: what one of
/// them asks for, the other may get. So in the child everything that waits panics until this is called. It makes a
/// new hub of the same kind, registers all open sockets with it, and makes a new wake-up channel. Timers keep
/// their deadlines, [`Signals`](crate::signal::Signals) are registered anew.
///
/// Of a process with several threads, only the one that forks goes on in the child. So the [thread
/// pool](crate::tpool) is set up anew when it is next used; jobs that were under way are lost, which is an error for
/// those who wait for them; a [`ThreadPool`](crate::tpool::ThreadPool) of one's own takes no more jobs; a
/// [`ThreadHandle`] says [`ThreadClosed`]. And what any other thread held at that moment stays locked: what
/// [`sync`](crate::sync) shares with other threads cannot be used in the child. (It is safest to fork while there
/// are no other threads.)
///
/// A child that was forked elsewhere than in the thread's own greenthread, `main`, and discards the others ends by
/// [`std::process::exit`].
///
/// In a process that has not been forked it does nothing.
///
/// # Errors
/// If the new hub cannot be made, or refuses a descriptor: then this may be called again. If the hub is one that
/// [`use_hub_with`] was given: see [`after_fork_with`]. If the others are to be discarded and the caller has a
/// [`scope`](crate::scope) open in which some of them run: they use what is on its stack, and it waits for them.
///
/// ```
/// use green::hubs::{AfterFork, after_fork};
///
/// // The parent comes here too, and so does a process that was never forked.
/// after_fork(AfterFork::Discard)?;
/// green::sleep(std::time::Duration::from_millis(1));
/// # Ok::<(), green::hubs::HubError>(())
/// ```
pub fn after_fork(others: AfterFork) -> Result<(), HubError> {
    restart(others, |name| make(name, "after_fork"))
}

/// As [`after_fork`], with the hub that the child shall use.
///
/// # Errors
/// If the hub refuses a descriptor.
pub fn after_fork_with(others: AfterFork, hub: impl Hub + 'static) -> Result<(), HubError> {
    restart(others, |_| Ok(Box::new(hub)))
}

fn restart(
    others: AfterFork,
    hub: impl FnOnce(&str) -> Result<Box<dyn Hub>, HubError>,
) -> Result<(), HubError> {
    Runtime::with(|runtime| {
        if !runtime.is_forked() {
            return Ok(());
        }
        if others == AfterFork::Discard && crate::greenthread::is_lending() {
            let problem = Problem::Scope;
            return Err(HubError { problem });
        }
        let name = runtime.with_reactor(|reactor| Some(reactor.hub_name()));
        let hub = name.map(hub).transpose()?;
        let name = name.unwrap_or("default").to_owned();
        runtime
            .restart(hub, others == AfterFork::Discard)
            .map_err(|source| HubError {
                problem: Problem::Swap { name, source },
            })
    })?;
    crate::tpool::after_fork();
    crate::signal::after_fork();
    Ok(())
}

/// The name of this thread's hub.
///
/// # Panics
/// If no hub was chosen and the default one cannot be had: see [`use_default_hub`] for an error instead.
pub fn get_hub() -> &'static str {
    Runtime::with(|runtime| runtime.reactor(|reactor| reactor.hub_name()))
}

/// A handle to this thread's hub that other threads may use.
///
/// # Errors
/// If the system has no descriptors left for its wake-up channel.
pub fn handle() -> io::Result<ThreadHandle> {
    Runtime::with(Runtime::handle)
}

fn replace(hub: Box<dyn Hub>) -> Result<(), HubError> {
    let name = hub.name().to_owned();
    Runtime::with(|runtime| runtime.replace_hub(hub)).map_err(|source| HubError {
        problem: Problem::Swap { name, source },
    })
}

/// Checks and applies the default in a thread that has chosen nothing.
pub(crate) fn first() -> Box<dyn Hub> {
    match default() {
        Ok(hub) => hub,
        Err(error) => panic!("{error}"),
    }
}

fn default() -> Result<Box<dyn Hub>, HubError> {
    match std::env::var_os(GREEN_HUB) {
        Some(name) => make(
            &name.to_string_lossy(),
            "the environment variable GREEN_HUB",
        ),
        None => best(),
    }
}

fn best() -> Result<Box<dyn Hub>, HubError> {
    let mut refused = None;
    for known in KNOWN {
        match (known.make)() {
            Ok(hub) => return Ok(hub),
            Err(source) => {
                log::warn!("the {} hub cannot be made: {source}", known.name);
                refused.get_or_insert(Problem::Make {
                    name: known.name,
                    source,
                });
            }
        }
    }
    Err(HubError {
        problem: refused.unwrap_or(Problem::None),
    })
}

fn make(name: &str, from: &'static str) -> Result<Box<dyn Hub>, HubError> {
    let Some(known) = KNOWN
        .iter()
        .find(|known| known.name == name || known.alias == name)
    else {
        return Err(HubError {
            problem: Problem::Unknown {
                name: name.to_owned(),
                from,
            },
        });
    };
    (known.make)().map_err(|source| HubError {
        problem: Problem::Make {
            name: known.name,
            source,
        },
    })
}

/// A hub that could not be chosen. The thread keeps the one it had.
pub struct HubError {
    problem: Problem,
}

enum Problem {
    Unknown {
        name: String,
        from: &'static str,
    },
    Make {
        name: &'static str,
        source: io::Error,
    },
    Swap {
        name: String,
        source: io::Error,
    },
    Scope,
    None,
}

impl HubError {
    /// True if no hub of that name exists.
    pub fn is_unknown(&self) -> bool {
        matches!(self.problem, Problem::Unknown { .. })
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Unknown { name, from } => {
                let known: Vec<_> = hub_names().collect();
                write!(
                    f,
                    "{from} names the hub {name:?}, which is not known; known are: {}",
                    known.join(", ")
                )
            }
            Problem::Make { name, source } => write!(f, "cannot make the {name} hub: {source}"),
            Problem::Swap { name, source } => {
                write!(f, "cannot carry over to the {name} hub: {source}")
            }
            Problem::Scope => f.write_str(
                "cannot discard the other greenthreads: some run in a scope that the caller has open, \
                 which could never end; leave the scope before the fork, or keep them",
            ),
            Problem::None => f.write_str("this system has no hub"),
        }
    }
}

/// As `Display`: it is what a `main` that returns the error prints, and there the list of names is wanted.
impl fmt::Debug for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for HubError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            Problem::Make { source, .. } | Problem::Swap { source, .. } => Some(source),
            Problem::Unknown { .. } | Problem::Scope | Problem::None => None,
        }
    }
}
