//! Greenthreads in a thread whose event loop belongs to another library.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::runtime::Runtime;

/// A descriptor that is readable when [`run_once`] has something to do: another library's event loop waits for it
/// beside its own descriptors.
///
/// It is a duplicate, which the caller owns, and another one is needed when the thread has chosen another hub.
///
/// # Errors
/// `Unsupported` if the hub has none, as poll and select; and if the system has no descriptor left.
///
/// ```
/// # green::hubs::use_hub("polling")?;
/// let descriptor = green::hubs::descriptor()?;
/// let gt = green::spawn(|| 5);
/// while !gt.is_dead() {
///     green::hubs::run_once(); // Then the loop outside waits for `descriptor`.
/// }
/// drop(descriptor);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn descriptor() -> io::Result<OwnedFd> {
    Runtime::with(|runtime| {
        runtime.reactor(|reactor| {
            // By it the reactor ends the other loop's sleep when it must have a turn.
            drop(reactor.waker()?);
            let name = reactor.hub_name();
            let Some(descriptor) = reactor.as_fd() else {
                let what = format!("the {name} hub has no descriptor to wait for in another loop");
                return Err(io::Error::new(io::ErrorKind::Unsupported, what));
            };
            descriptor.try_clone_to_owned()
        })
    })
}

/// Looks for what is ready without waiting, and lets each greenthread that can run do so once. Says how long the other
/// loop may sleep if [`descriptor`] does not become readable before: `Some(Duration::ZERO)` says not at all, `None` for
/// as long as it likes.
///
/// An event loop that is not ours calls it before it sleeps, each time: then what its own callbacks have spawned or woken
/// runs as well. Greenthreads wait as ever. The caller is one of them: if a callback of the other loop calls what waits,
/// all greenthreads run meanwhile and the other loop stands still.
///
/// # Panics
/// If the hub cannot wait any more, and in the child of a fork before [`after_fork`](super::after_fork).
///
/// ```
/// use rustix::event::{PollFd, PollFlags, Timespec, poll};
/// use std::time::Duration;
///
/// # green::hubs::use_hub("polling")?;
/// // Another library's loop, which here waits for nothing of its own.
/// let descriptor = green::hubs::descriptor()?;
/// let sleeper = green::spawn(|| green::sleep(Duration::from_millis(5)));
/// loop {
///     let timeout = green::hubs::run_once();
///     if sleeper.is_dead() {
///         break;
///     }
///     let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap());
///     poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], timeout.as_ref())?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn run_once() -> Option<Duration> {
    Runtime::with(|runtime| {
        runtime.turn(Some(Duration::ZERO));
        runtime.yield_now();
        if runtime.is_busy() {
            return Some(Duration::ZERO);
        }
        runtime.reactor(|reactor| {
            let deadline = reactor.next_deadline()?;
            Some(deadline.saturating_duration_since(reactor.now()))
        })
    })
}
