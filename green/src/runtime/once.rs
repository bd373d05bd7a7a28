//! Waiting for descriptors that the reactor knows for the time of one wait: those of others, of any kind and mode.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hub_core::{Direction, Interest, ParkError, Ready, Token, Trigger};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::backoff::Backoff;
use super::readiness::{Waited, closed, reason};
use super::{Alarm, Reason, Runtime, Waiter, Wake, Watched};
use crate::error::is_shortage;

/// Waits for one descriptor of any kind. If the process has none left to register it with, the system is asked from
/// time to time.
pub(crate) fn one(
    runtime: &Runtime,
    fd: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
) -> Waited {
    let mut watch = Registrations::new(runtime);
    let number = fd.as_raw_fd();
    let added = fd
        .try_clone_to_owned()
        .and_then(|own| watch.add(Rc::new(own), runtime.watch(number), direction.into()));
    match added {
        Ok(()) => watch.wait(reason(number, direction), deadline),
        Err(error) if is_shortage(&error) => {
            drop(watch);
            one_by_asking(runtime, fd, direction, deadline)
        }
        Err(error) => Waited::Refused(error),
    }
}

#[cold]
fn one_by_asking(
    runtime: &Runtime,
    fd: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
) -> Waited {
    let watched = runtime.watch(fd.as_raw_fd());
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));
    loop {
        if watched.is_closed() {
            return Waited::Refused(closed());
        }
        match is_ready(fd, direction) {
            Ok(true) => return Waited::Ready,
            Ok(false) => {}
            Err(error) => return Waited::Refused(error),
        }
        let now = runtime.now();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Waited::Expired;
        }
        let next = now + backoff.next();
        let until = deadline.map_or(next, |deadline| deadline.min(next));
        match runtime.park(reason(fd.as_raw_fd(), direction), Some(until)) {
            Wake::Expired => {}
            wake => return wake.into(),
        }
    }
}

/// Asks the system, without waiting.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<bool> {
    let wanted = match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    };
    ask(fd, wanted).map(|ready| !ready.is_empty())
}

/// True if nothing will ever be received any more from this socket and the other end, or this one, has said so.
pub(crate) fn is_read_shut(fd: impl AsFd) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        ask(fd.as_fd(), PollFlags::RDHUP).is_ok_and(|ready| ready.contains(PollFlags::RDHUP))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = fd;
        false
    }
}

fn ask(fd: BorrowedFd<'_>, wanted: PollFlags) -> io::Result<PollFlags> {
    let mut fds = [PollFd::from_borrowed_fd(fd, wanted)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match rustix::event::poll(&mut fds, Some(&now)) {
        Ok(_) => Ok(fds[0].revents()),
        Err(Errno::INTR) => Ok(PollFlags::empty()),
        Err(error) => Err(error.into()),
    }
}

/// Registrations for the time of one wait, all with the same waiter.
pub(crate) struct Registrations<'a> {
    runtime: &'a Runtime,
    waiter: Waiter,
    tokens: Vec<(Token, Interest)>,
    watched: Vec<Rc<Watched>>,
}

impl<'a> Registrations<'a> {
    pub(crate) fn new(runtime: &'a Runtime) -> Registrations<'a> {
        Registrations {
            runtime,
            waiter: runtime.waiter(),
            tokens: Vec::new(),
            watched: Vec::new(),
        }
    }

    /// Registers a duplicate that nobody else has registered. `watched` stands for the number of the original, whose
    /// close ends the wait.
    ///
    /// # Errors
    /// What the hub says.
    pub(crate) fn add(
        &mut self,
        own: Rc<OwnedFd>,
        watched: Rc<Watched>,
        interest: Interest,
    ) -> io::Result<()> {
        watched.enter(&self.waiter);
        self.watched.push(watched);
        self.runtime.reactor(|reactor| {
            let token = reactor.add_with(own, Trigger::Oneshot)?;
            self.tokens.push((token, interest));
            for direction in directions(interest) {
                let parked = reactor.park(token, direction, Alarm::Park(self.waiter.clone()));
                if let Err(ParkError::Io(error, _)) = parked {
                    return Err(error);
                }
            }
            Ok(())
        })
    }

    /// Waits for the first of them.
    pub(crate) fn wait(&self, what: Reason, deadline: Option<Instant>) -> Waited {
        let ended = match self.refuse_closed() {
            Ok(()) => self.runtime.park(what, deadline).into(),
            Err(error) => Waited::Refused(error),
        };
        match (ended, self.refuse_closed()) {
            (Waited::Ready, Err(error)) => Waited::Refused(error),
            (ended, _) => ended,
        }
    }

    /// Takes a turn of the hub without waiting.
    pub(crate) fn look(&self) -> io::Result<()> {
        self.refuse_closed()?;
        self.runtime.turn(Some(Duration::ZERO));
        Ok(())
    }

    fn refuse_closed(&self) -> io::Result<()> {
        let mut all = self.watched.iter();
        match all.find(|watched| watched.is_closed()) {
            None => Ok(()),
            Some(watched) => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                format!(
                    "cannot wait for descriptor {}: its owner has closed it",
                    watched.number()
                ),
            )),
        }
    }

    /// For each, in the order in which they were added, the directions whose waiter is gone: the hub has reported
    /// them.
    pub(crate) fn finish(mut self) -> Vec<Ready> {
        let tokens = std::mem::take(&mut self.tokens);
        let ready = tokens.iter().map(|&(token, interest)| {
            let removed = self.runtime.remove(token);
            let left = removed.map_or_else(Vec::new, |removed| removed.waiters);
            directions(interest)
                .filter(|direction| !left.iter().any(|(other, _)| other == direction))
                .fold(Ready::NONE, |ready, direction| {
                    ready
                        | match direction {
                            Direction::Read => Ready::READ,
                            Direction::Write => Ready::WRITE,
                        }
                })
        });
        ready.collect()
    }
}

fn directions(interest: Interest) -> impl Iterator<Item = Direction> {
    let both = [Direction::Read, Direction::Write];
    both.into_iter()
        .filter(move |direction| interest.has(*direction))
}

impl Drop for Registrations<'_> {
    fn drop(&mut self) {
        for (token, _) in self.tokens.drain(..) {
            let removed = self.runtime.remove(token);
            drop(removed);
        }
        for watched in &self.watched {
            watched.leave(&self.waiter);
        }
    }
}
