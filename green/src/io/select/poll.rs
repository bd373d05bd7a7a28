//! A set of descriptors to wait for, again and again.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use hub_core::{Direction, Interest, ParkError, Ready, Token, Trigger};

use crate::runtime::{Alarm, Reason, Runtime, Waiter, Wake, Watched};

/// Descriptors of any kind, each with a key of the caller's: what `select.poll()` is in eventlet's language.
///
/// It holds a duplicate of each descriptor, so that none can be closed under it; a descriptor that its owner closes
/// stays open until it is removed here too. If it was a socket or a pipe of green, whoever waits is told: every wait is
/// an error until it is removed.
///
/// ```
/// use std::io::Write;
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
/// use green::select::{Interest, Poll};
///
/// let (near, mut far) = UnixStream::pair()?;
/// let mut poll = Poll::new();
/// poll.add(near.as_fd(), Interest::READ, "near")?;
/// assert!(poll.wait(Duration::ZERO)?.is_empty());
/// far.write_all(b"x")?;
/// let ready = poll.wait(None)?;
/// assert_eq!(*ready[0].0, "near");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Poll<K> {
    entries: Vec<Entry<K>>,
}

struct Entry<K> {
    fd: Rc<OwnedFd>,
    watched: Rc<Watched>,
    interest: Interest,
    key: K,
}

impl<K> Default for Poll<K> {
    fn default() -> Poll<K> {
        Poll::new()
    }
}

impl<K> Poll<K> {
    /// An empty set.
    pub fn new() -> Poll<K> {
        Poll {
            entries: Vec::new(),
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a descriptor. The same one may be added more than once, with keys of its own.
    ///
    /// # Errors
    /// If the descriptor cannot be duplicated.
    pub fn add(&mut self, fd: BorrowedFd<'_>, interest: Interest, key: K) -> io::Result<()> {
        self.entries.push(Entry {
            fd: Rc::new(fd.try_clone_to_owned()?),
            watched: Runtime::with(|runtime| runtime.watch(fd.as_raw_fd())),
            interest,
            key,
        });
        Ok(())
    }

    /// Changes what is waited for at every entry of this key.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub fn modify(&mut self, key: &K, interest: Interest) -> io::Result<()>
    where
        K: PartialEq,
    {
        let mut found = false;
        for entry in self.entries.iter_mut().filter(|entry| entry.key == *key) {
            entry.interest = interest;
            found = true;
        }
        found_or(found)
    }

    /// Takes every entry of this key out.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub fn remove(&mut self, key: &K) -> io::Result<()>
    where
        K: PartialEq,
    {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.key != *key);
        found_or(self.entries.len() < before)
    }

    /// Waits until one is ready, for at most `timeout`, and gives all that are by then, in the order in which they
    /// were added. A timeout of zero looks once and does not wait.
    ///
    /// # Errors
    /// What the hub says of a descriptor. `NotConnected` if one is a socket or pipe of green that was closed since it was
    /// added; the error names its number. `WouldBlock` if nothing is ready and the thread is unwinding.
    pub fn wait(&self, timeout: impl Into<Option<Duration>>) -> io::Result<Vec<(&K, Ready)>> {
        let timeout = timeout.into();
        Runtime::with(|runtime| {
            self.refuse_closed()?;
            let mut watch = Watch::new(runtime);
            for entry in &self.entries {
                watch.add(entry)?;
            }
            if timeout == Some(Duration::ZERO) {
                runtime.turn(timeout);
            } else {
                match runtime.park(self.reason(), runtime.deadline(timeout)) {
                    Wake::Event | Wake::Again => self.refuse_closed()?,
                    Wake::Expired => {}
                    Wake::Interrupted(interrupt) => {
                        drop(watch);
                        interrupt.raise();
                    }
                    Wake::Unwinding => {
                        return Err(io::Error::new(
                            io::ErrorKind::WouldBlock,
                            "cannot wait for descriptors while unwinding",
                        ));
                    }
                }
            }
            let ready = self.entries.iter().zip(watch.finish());
            Ok(ready
                .filter(|(_, ready)| !ready.is_none())
                .map(|(entry, ready)| (&entry.key, ready))
                .collect())
        })
    }
}

impl<K> Poll<K> {
    fn refuse_closed(&self) -> io::Result<()> {
        let mut all = self.entries.iter().map(|entry| &entry.watched);
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

    fn reason(&self) -> Reason {
        match &*self.entries {
            [] => Reason::Sleep,
            [entry] if entry.interest == Interest::WRITE => {
                Reason::Writable(entry.watched.number())
            }
            [entry] => Reason::Readable(entry.watched.number()),
            _ => Reason::Outside("the first of several descriptors"),
        }
    }
}

fn found_or(found: bool) -> io::Result<()> {
    match found {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no descriptor of this key is in the set",
        )),
    }
}

impl<K: fmt::Debug> fmt::Debug for Poll<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self
            .entries
            .iter()
            .map(|entry| (entry.watched.number(), &entry.key));
        f.debug_map().entries(entries).finish()
    }
}

/// Registrations for the time of one wait, all with the same waiter.
struct Watch<'a> {
    runtime: &'a Runtime,
    waiter: Waiter,
    tokens: Vec<(Token, Interest)>,
    watched: Vec<Rc<Watched>>,
}

impl<'a> Watch<'a> {
    fn new(runtime: &'a Runtime) -> Watch<'a> {
        Watch {
            runtime,
            waiter: runtime.waiter(),
            tokens: Vec::new(),
            watched: Vec::new(),
        }
    }

    fn add<K>(&mut self, entry: &Entry<K>) -> io::Result<()> {
        // A duplicate again: one hub knows a number once, and two waits may go on at the same time.
        let source = Rc::new(entry.fd.try_clone()?);
        let interest = entry.interest;
        entry.watched.enter(&self.waiter);
        self.watched.push(Rc::clone(&entry.watched));
        self.runtime.reactor(|reactor| {
            let token = reactor.add_with(source, Trigger::Oneshot)?;
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

    /// For each registration, the directions whose waiter is gone: the hub has reported them.
    fn finish(mut self) -> Vec<Ready> {
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

impl Drop for Watch<'_> {
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
