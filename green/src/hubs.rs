//! Choosing the hub: the event loop underneath.
//!
//! In this order: what [`use_hub`] or [`use_hub_with`] chose for this thread, what the environment variable
//! `GREEN_HUB` names, the best one that the system has. Each OS thread has a hub of its own, made when a
//! greenthread of it first waits. A `GREEN_HUB` that names no hub is a panic when a thread first uses this crate; a
//! `main` that begins with [`use_default_hub`] gets it as an error.
//!
//! A hub of one's own gets a name by [`register`]. A thread whose loop is another library's runs its greenthreads by
//! [`run_once`].

mod foreign;
mod fork;

use std::io;

pub use crate::io::trampoline;
use hub_core::Reactor;

use crate::runtime::{Alarm, Runtime};
pub use crate::runtime::{ThreadClosed, ThreadHandle, idle};
pub use foreign::{descriptor, run_once};
pub use fork::fork;
pub use hub_core::{Direction, Hub};

pub(crate) use crate::registry::is_known;
pub use crate::registry::{GREEN_HUB, HubError, hub_names, register};
use crate::registry::{Problem, default, make};

/// Makes the hub of this name the hub of this thread.
///
/// It may be called at any time: sockets that are open, greenthreads that wait and timers that run are carried
/// over. eventlet's names `epolls` and `selects` are accepted, and what was given to [`register`].
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
///
/// ```
/// green::hubs::use_hub("poll")?;
/// green::hubs::use_default_hub()?;
/// # Ok::<(), green::hubs::HubError>(())
/// ```
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
///
/// ```
/// use green::hubs::{AfterFork, after_fork};
///
/// fn in_child(serves_on: bool) -> Result<(), green::hubs::HubError> {
///     after_fork(if serves_on { AfterFork::Keep } else { AfterFork::Discard })
/// }
/// in_child(false)?; // In a process that has not been forked it does nothing.
/// # Ok::<(), green::hubs::HubError>(())
/// ```
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
/// If the new hub cannot be made, or refuses a descriptor: then this may be called again. If the hub is one of the
/// program's own that has no [`Hub::renew`]: see [`after_fork_with`]. If the others are to be discarded and the caller has a
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
    restart(others, |reactor| reactor.renew_hub())
}

/// As [`after_fork`], with the hub that the child shall use.
///
/// # Errors
/// If the hub refuses a descriptor.
///
/// ```
/// use green::hubs::{AfterFork, after_fork_with};
///
/// // In a process that has not been forked it does nothing.
/// after_fork_with(AfterFork::Keep, hub_poll::Poll::new()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn after_fork_with(others: AfterFork, hub: impl Hub + 'static) -> Result<(), HubError> {
    restart(others, |_| Ok(Box::new(hub)))
}

fn restart(
    others: AfterFork,
    hub: impl FnOnce(&Reactor<Alarm>) -> io::Result<Box<dyn Hub>>,
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
        let name = name.unwrap_or("default").to_owned();
        let hub = runtime.with_reactor(|reactor| Some(hub(reactor)));
        let hub = hub.transpose().map_err(|source| HubError {
            problem: Problem::Make {
                name: name.clone(),
                source,
            },
        })?;
        runtime
            .restart(hub, others == AfterFork::Discard)
            .map_err(|source| HubError {
                problem: Problem::Swap { name, source },
            })
    })?;
    Ok(())
}

/// The name of this thread's hub.
///
/// # Panics
/// If no hub was chosen and the default one cannot be had: see [`use_default_hub`] for an error instead.
///
/// ```
/// green::hubs::use_hub("select")?;
/// assert_eq!(green::hubs::get_hub(), "select");
/// # Ok::<(), green::hubs::HubError>(())
/// ```
pub fn get_hub() -> &'static str {
    Runtime::with(|runtime| runtime.reactor(|reactor| reactor.hub_name()))
}

/// A handle to this thread for other threads, which spawn into it and wake it.
///
/// # Errors
/// If the system has no descriptors left for its wake-up channel.
///
/// ```
/// let handle = green::hubs::handle()?;
/// let thread = std::thread::spawn(move || handle.spawn(|| println!("in the first thread")).is_ok());
/// while !thread.is_finished() {
///     green::sleep(std::time::Duration::from_millis(1));
/// }
/// assert!(thread.join().unwrap());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn handle() -> io::Result<ThreadHandle> {
    Runtime::with(Runtime::handle)
}

fn replace(hub: Box<dyn Hub>) -> Result<(), HubError> {
    let name = hub.name().to_owned();
    Runtime::with_chosen_hub(|runtime| runtime.replace_hub(hub)).map_err(|source| HubError {
        problem: Problem::Swap { name, source },
    })
}
