//! A set of descriptors to wait for, again and again.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use hub_core::{Interest, Ready};

use crate::runtime::once::Registrations;
use crate::runtime::readiness::Waited;
use crate::runtime::{Reason, Runtime, Watched};

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
///
/// poll.modify(&"near", Interest::WRITE)?;
/// let ready = poll.wait(None)?;
/// assert!(ready[0].1.is_writable() && !ready[0].1.is_readable());
/// assert_eq!(poll.len(), 1);
/// poll.remove(&"near")?;
/// assert!(poll.is_empty());
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

    /// How many entries the set has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if the set has no entries.
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
            let mut watch = Registrations::new(runtime);
            for entry in &self.entries {
                // A duplicate again: one hub knows a number once, and two waits may go on at the same time.
                let own = Rc::new(entry.fd.try_clone()?);
                watch.add(own, Rc::clone(&entry.watched), entry.interest)?;
            }
            if timeout == Some(Duration::ZERO) {
                watch.look()?;
            } else {
                match watch.wait(self.reason(), runtime.deadline(timeout)) {
                    Waited::Ready | Waited::Expired => {}
                    ended => {
                        drop(watch);
                        ended.or_raise(self.reason())?;
                        return Ok(Vec::new());
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
