use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::RawFd;
use std::time::Duration;

use super::{AlwaysReady, FdTable, closed, retry};
use crate::{Event, Interest, LONGEST_WAIT, Ready, Token, Trigger};

/// EBADF, which has no kind of its own, and is the same number on every Unix.
const EBADF: i32 = 9;

/// What a system is asked to do with a descriptor.
///
/// ```
/// use hub_core::backend::{Change, Registry};
/// use hub_core::{Token, Trigger};
///
/// let (mut registry, token) = (Registry::new("mine", true), Token::from_raw(7));
/// let mut told = Vec::new();
/// let mut tell = |change, _: &_| {
///     told.push(change);
///     Ok(())
/// };
/// registry.add(5, token, Trigger::Edge, &mut tell)?;
/// registry.remove(5, token, &mut tell)?;
/// assert_eq!(told, [Change::Add, Change::Remove]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// To watch one that it does not watch.
    Add,
    /// To watch it for something else from now on.
    Modify,
    /// To watch it no longer.
    Remove,
}

/// What a system is told of one registration.
///
/// ```
/// use hub_core::backend::Registry;
/// use hub_core::{Interest, Token, Trigger};
///
/// let (mut registry, token) = (Registry::new("mine", true), Token::from_raw(7));
/// registry.add(5, token, Trigger::Level, |_, _| Ok(()))?;
/// registry.arm(5, token, Interest::READ, |_, watch| {
///     assert_eq!((watch.trigger, watch.interest), (Trigger::Level, Interest::READ));
///     println!("tell the system to report {}", watch.key(5));
///     Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Registered {
    /// Tells this registration from an earlier one of the same number in the system's reports.
    seq: u32,
    /// The trigger that it was added with.
    pub trigger: Trigger,
    /// What is armed.
    pub interest: Interest,
}

impl Registered {
    /// What the system is given to name this registration by in its reports.
    #[inline]
    pub fn key(&self, fd: RawFd) -> u64 {
        u64::from(self.seq) << 32 | u64::from(fd as u32)
    }
}

/// The registrations of a hub whose system keeps the set of descriptors and reports a key of the
/// hub's, as epoll and kqueue do: it keeps the contract of [`Hub`](crate::Hub) and leaves to the
/// hub the calls themselves.
///
/// The hub's own method is given to each as a closure: it makes one [`Change`] to one descriptor.
/// It says `PermissionDenied` for what the system refuses to watch since it never blocks, which
/// then is always ready; `AlreadyExists` and `NotFound` as the system does.
///
/// ```
/// use hub_core::backend::{Change, Registry};
/// use hub_core::{Interest, Ready, Token, Trigger};
///
/// let (mut registry, token) = (Registry::new("mine", true), Token::from_raw(7));
/// let mut told = Vec::new(); // What a system would be told of descriptor 5.
/// registry.add(5, token, Trigger::Oneshot, |change, watch| {
///     told.push((change, watch.interest));
///     Ok(())
/// })?;
/// registry.arm(5, token, Interest::READ, |change, watch| {
///     told.push((change, watch.interest));
///     Ok(())
/// })?;
/// assert_eq!(told, [(Change::Add, Interest::NONE), (Change::Modify, Interest::READ)]);
///
/// let (key, mut events) = (registry.key_of(5).unwrap(), Vec::new());
/// let nothing_left = |_, _: &_| unreachable!("one report for each `arm`");
/// assert!(registry.report(key, Ready::READ, &mut events, nothing_left));
/// assert_eq!((events[0].token, events[0].ready), (token, Ready::READ));
///
/// // Around each wait: files are always ready, and make it not sleep.
/// assert_eq!(registry.timeout(None), None);
/// registry.report_files(&mut events, |_, _, _| Ok(()));
/// assert_eq!(registry.watched().map(|(fd, _)| fd).collect::<Vec<_>>(), [5]);
/// registry.remove(5, token, |_, _| Ok(()))?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Registry {
    hub: &'static str,
    /// True if the system has edges, and levels; false if it disarms what it has reported.
    has_triggers: bool,
    table: FdTable<Registered>,
    next_seq: u32,
    files: AlwaysReady,
}

impl Registry {
    /// A registry without registrations. `has_triggers` is true for a system that reports an `Edge` registration
    /// again at each edge, and a `Level` one as long as it is ready; false for one that reports
    /// all of them once and has to be asked again.
    pub const fn new(hub: &'static str, has_triggers: bool) -> Registry {
        Registry {
            hub,
            has_triggers,
            table: FdTable::new(),
            next_seq: 0,
            files: AlwaysReady::new(),
        }
    }

    /// As [`Hub::add`](crate::Hub::add).
    ///
    /// # Errors
    /// `AlreadyExists`, and what the system says.
    pub fn add(
        &mut self,
        fd: RawFd,
        token: Token,
        trigger: Trigger,
        mut change: impl FnMut(Change, &Registered) -> io::Result<()>,
    ) -> io::Result<()> {
        self.table.vacant(fd)?;
        self.files.vacant(fd)?;
        let watch = self.watch(trigger);
        let mut make = |what| retry(self.hub, "registering", || change(what, &watch));
        match make(Change::Add) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return self.files.add(fd, token, trigger);
            }
            // An earlier owner of the number was closed, and its file came back to it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => make(Change::Modify)?,
            added => added?,
        }
        self.next_seq = self.next_seq.wrapping_add(1);
        self.table.insert(fd, token, watch)
    }

    /// As [`Hub::arm`](crate::Hub::arm).
    ///
    /// # Errors
    /// `NotFound`, and what the system says.
    #[inline]
    pub fn arm(
        &mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        mut change: impl FnMut(Change, &Registered) -> io::Result<()>,
    ) -> io::Result<()> {
        let unwatched = self.watch(Trigger::Level);
        let watch = match self.table.get_mut(fd, token) {
            Err(_) if self.files.holds(fd) => {
                if !is_refused(change(Change::Modify, &unwatched)) {
                    return Err(closed());
                }
                return self.files.arm(fd, token, interest);
            }
            watch => watch?,
        };
        let wanted = match watch.trigger {
            // Edges of reading come by themselves.
            Trigger::Edge if self.has_triggers => watch.interest | interest.without(Interest::READ),
            Trigger::Edge | Trigger::Oneshot => watch.interest | interest,
            Trigger::Level => interest,
        };
        // With `Level` the system is asked always: it knows whether the descriptor was closed.
        if wanted == watch.interest && watch.trigger != Trigger::Level {
            return Ok(());
        }
        let before = mem::replace(&mut watch.interest, wanted);
        retry(self.hub, "arming", || change(Change::Modify, watch)).map_err(|error| {
            watch.interest = before;
            forgotten(error)
        })
    }

    /// As [`Hub::remove`](crate::Hub::remove).
    ///
    /// # Errors
    /// `NotFound`, and what the system says.
    pub fn remove(
        &mut self,
        fd: RawFd,
        token: Token,
        mut change: impl FnMut(Change, &Registered) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.files.holds(fd) {
            return self.files.remove(fd, token);
        }
        let watch = self.table.remove(fd, token)?;
        let removed = retry(self.hub, "removing", || change(Change::Remove, &watch));
        match removed.map_err(forgotten) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// How long the system may wait: not at all if something is always ready.
    #[inline]
    pub fn timeout(&self, timeout: Option<Duration>) -> Option<Duration> {
        match self.files.is_due() {
            true => Some(Duration::ZERO),
            false => timeout.map(|timeout| timeout.min(LONGEST_WAIT)),
        }
    }

    /// Appends what the system has reported under this key. `rearm` is called if the system has
    /// disarmed what is still to be watched. False if the key is that of no registration: a
    /// descriptor was closed before it was removed, and a duplicate of it lives on.
    #[inline]
    pub fn report(
        &mut self,
        key: u64,
        ready: Ready,
        events: &mut Vec<Event>,
        rearm: impl FnOnce(RawFd, &Registered),
    ) -> bool {
        let fd = key as u32 as RawFd;
        let (token, watch) = match self.table.by_fd_mut(fd) {
            Some((token, watch)) if watch.key(fd) == key => (token, watch),
            _ => return false,
        };
        if watch.trigger != Trigger::Edge || !self.has_triggers {
            if watch.interest.is_none() {
                return true; // A hang-up, reported unasked, and once.
            }
            let is_level = watch.trigger == Trigger::Level;
            if !is_level {
                watch.interest = watch.interest.without(Interest::answered_by(ready));
            }
            let is_kept = is_level && self.has_triggers;
            if !is_kept && !watch.interest.is_none() {
                rearm(fd, watch);
            }
        }
        events.push(Event { token, ready });
        true
    }

    /// Appends what is always ready. `change` is as with the others, for a number that is open or
    /// not.
    #[inline]
    pub fn report_files(
        &mut self,
        events: &mut Vec<Event>,
        change: impl Fn(RawFd, Change, &Registered) -> io::Result<()>,
    ) {
        if self.files.is_due() {
            let watch = self.watch(Trigger::Level);
            let is_refused = |fd| is_refused(change(fd, Change::Modify, &watch));
            self.files.report(events, is_refused);
        }
    }

    /// What the system watches.
    pub fn watched(&self) -> impl Iterator<Item = (RawFd, &Registered)> {
        self.table.iter().map(|(fd, _, watch)| (fd, watch))
    }

    /// The key of the registration that holds this number.
    pub fn key_of(&self, fd: RawFd) -> Option<u64> {
        let (_, watch) = self.table.by_fd(fd)?;
        Some(watch.key(fd))
    }

    fn watch(&self, trigger: Trigger) -> Registered {
        Registered {
            seq: self.next_seq,
            trigger,
            interest: Interest::NONE,
        }
    }
}

/// True if the system still refuses to watch what never blocks. It watches no such number, so
/// that another answer is an error too: closed, or not known.
fn is_refused(changed: io::Result<()>) -> bool {
    changed.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// What the system says of a registration whose descriptor was closed: it does not know the
/// number, or another file has it, which it may refuse to watch.
fn forgotten(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => closed(),
        _ if error.raw_os_error() == Some(EBADF) => closed(),
        _ => error,
    }
}
