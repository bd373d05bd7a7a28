//! The accept loop of every server.

use std::io;
use std::time::{Duration, Instant};

use super::Listener;
use super::shortage::{AcceptFailure, FIRST_PAUSE, LONGEST_PAUSE, Reserve};
use crate::GreenPool;
use crate::runtime::{Runtime, Why};

/// As many connections in a row may fail before the loop pauses: it must not spin on an error that stays.
const FAILURES: u32 = 16;

/// After a shortage of this length a connection that finds no descriptor is accepted on the reserve and closed: its
/// client learns that it is not served.
const SHED_AFTER: Duration = Duration::from_secs(5);

/// How an accept loop runs.
pub(super) struct Acceptor<'a> {
    /// Nothing is accepted while it has no place.
    pub(super) pool: &'a GreenPool,
    /// After as many connections in a row the other greenthreads run.
    pub(super) max_accept: usize,
    /// Called for each connection that is closed for want of memory or descriptors.
    pub(super) refused: &'a dyn Fn(),
}

/// Accepts while there is a place, and calls `start` with each connection. Gives the error that ended it.
///
/// An error of `start` says that there is no stack for a connection, which is then closed.
pub(super) fn accept_all<L: Listener + ?Sized>(
    listener: &L,
    acceptor: &Acceptor<'_>,
    mut start: impl FnMut(L::Stream, L::Addr) -> io::Result<()>,
) -> io::Error {
    // Connections that come fast could use up all descriptors before anything waits and needs the hub's own.
    Runtime::with(|runtime| {
        runtime.reactor(|_| ());
        if let Err(error) = runtime.handle() {
            log::debug!("what other threads close will be seen late: {error}");
        }
    });
    let mut trouble = Trouble::new();
    let mut accepted = 0;
    loop {
        acceptor.pool.wait_available(None);
        let peer = match trouble.accept(listener, acceptor) {
            Ok(Some((stream, addr))) => {
                let peer = addr.clone();
                match start(stream, addr) {
                    Ok(()) => {
                        trouble.over();
                        accepted += 1;
                        if accepted >= acceptor.max_accept {
                            accepted = 0;
                            crate::yield_now();
                        }
                        continue;
                    }
                    Err(error) => Some((peer, error)),
                }
            }
            Ok(None) => None,
            Err(error) => return error,
        };
        if let Some((peer, error)) = peer {
            (acceptor.refused)();
            trouble.say(|| format!("closed the connection from {peer:?}: {error}"));
            if trouble.pause() == Err(Why::Unwinding) {
                return error;
            }
        }
    }
}

/// What has gone wrong since the last connection that was served.
struct Trouble {
    reserve: Reserve,
    failures: u32,
    pause: Duration,
    since: Option<Instant>,
    said: bool,
}

impl Trouble {
    fn new() -> Trouble {
        Trouble {
            reserve: Reserve::new(),
            failures: 0,
            pause: FIRST_PAUSE,
            since: None,
            said: false,
        }
    }

    #[inline]
    fn over(&mut self) {
        if self.since.is_some() || self.failures > 0 {
            if self.said {
                log::warn!("connections are served again");
            }
            self.failures = 0;
            self.pause = FIRST_PAUSE;
            self.since = None;
            self.said = false;
        }
    }

    /// The next connection. `None` says that something was wrong, and that the caller should try again.
    #[inline]
    fn accept<L: Listener + ?Sized>(
        &mut self,
        listener: &L,
        acceptor: &Acceptor<'_>,
    ) -> io::Result<Option<(L::Stream, L::Addr)>> {
        match listener.accept() {
            Ok(connection) => Ok(Some(connection)),
            Err(error) => self.bear(error, listener, acceptor),
        }
    }

    /// Waits as long as `error` asks for. An error that nothing helps against is given back.
    #[cold]
    fn bear<L: Listener + ?Sized>(
        &mut self,
        error: io::Error,
        listener: &L,
        acceptor: &Acceptor<'_>,
    ) -> io::Result<Option<(L::Stream, L::Addr)>> {
        match AcceptFailure::of(&error) {
            AcceptFailure::Listener => return Err(error),
            AcceptFailure::Idle => return Ok(None),
            AcceptFailure::Connection => {
                log::debug!("a connection failed before it was accepted: {error}");
                self.failures += 1;
                if self.failures < FAILURES {
                    return Ok(None);
                }
            }
            AcceptFailure::Shortage => {}
        }
        self.say(|| format!("cannot accept: {error}; waiting until something is closed"));
        if self.pause() == Err(Why::Unwinding) {
            return Err(error);
        }
        let now = Runtime::with(Runtime::now);
        let long = self
            .since
            .is_some_and(|since| now.saturating_duration_since(since) >= SHED_AFTER);
        if long && matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
            return self.accept_on_reserve(listener, acceptor);
        }
        Ok(None)
    }

    /// Lets one connection in. It is served if the process has a descriptor by then, and closed otherwise.
    fn accept_on_reserve<L: Listener + ?Sized>(
        &mut self,
        listener: &L,
        acceptor: &Acceptor<'_>,
    ) -> io::Result<Option<(L::Stream, L::Addr)>> {
        if !self.reserve.give_up() {
            self.reserve.take_again();
            return Ok(None);
        }
        let accepted = listener.accept();
        let relieved = self.reserve.take_again();
        match accepted {
            Ok(connection) if relieved => Ok(Some(connection)),
            Ok((stream, peer)) => {
                log::debug!("closed the connection from {peer:?}: no descriptors left");
                drop(stream);
                (acceptor.refused)();
                self.reserve.take_again();
                Ok(None)
            }
            Err(error) if AcceptFailure::of(&error) == AcceptFailure::Listener => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Says it once, until a connection is served again.
    fn say(&mut self, what: impl FnOnce() -> String) {
        if !self.said {
            log::warn!("{}", what());
            self.said = true;
        }
    }

    fn pause(&mut self) -> Result<(), Why> {
        let now = Runtime::with(Runtime::now);
        self.since.get_or_insert(now);
        let pause = self.pause;
        self.pause = LONGEST_PAUSE.min(2 * pause);
        Runtime::with(|runtime| runtime.wait_for_descriptor(pause))
    }
}
