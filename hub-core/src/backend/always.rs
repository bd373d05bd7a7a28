use std::io;
use std::os::fd::RawFd;

use super::FdTable;
use crate::{Event, Interest, Ready, Token, Trigger};

/// The descriptors of a hub that are always ready: those that its system refuses to watch because
/// they never block, as epoll does with regular files. poll and select call them ready; with this
/// every hub does.
///
/// One that was closed is found out by the hub, which is asked whenever it matters whether the
/// system still refuses the number.
///
/// ```
/// use hub_core::backend::AlwaysReady;
/// use hub_core::{Interest, Ready, Token, Trigger};
///
/// let (mut files, token) = (AlwaysReady::new(), Token::from_raw(7));
/// files.vacant(5)?;
/// files.add(5, token, Trigger::Oneshot)?;
/// files.arm(5, token, Interest::READ)?;
/// assert!(files.holds(5) && files.is_due());
/// let mut events = Vec::new();
/// files.report(&mut events, |_| true); // The system still refuses it.
/// assert_eq!((events[0].token, events[0].ready), (token, Ready::READ));
/// files.remove(5, token)?;
/// assert!(!files.holds(5));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct AlwaysReady {
    table: FdTable<(Trigger, Interest)>,
    armed: Vec<RawFd>,
}

impl AlwaysReady {
    /// A set without descriptors.
    pub const fn new() -> AlwaysReady {
        AlwaysReady {
            table: FdTable::new(),
            armed: Vec::new(),
        }
    }

    /// True if this number is one of them.
    pub fn holds(&self, fd: RawFd) -> bool {
        self.table.by_fd(fd).is_some()
    }

    /// Succeeds if a descriptor could be entered.
    ///
    /// # Errors
    /// `AlreadyExists` if this number is one of them.
    pub fn vacant(&self, fd: RawFd) -> io::Result<()> {
        self.table.vacant(fd)
    }

    /// As [`Hub::add`](crate::Hub::add).
    ///
    /// # Errors
    /// `AlreadyExists`.
    pub fn add(&mut self, fd: RawFd, token: Token, trigger: Trigger) -> io::Result<()> {
        self.table.insert(fd, token, (trigger, Interest::NONE))
    }

    /// As [`Hub::arm`](crate::Hub::arm), for one that the system still refuses.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn arm(&mut self, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        let (trigger, armed) = self.table.get_mut(fd, token)?;
        *armed = match trigger {
            Trigger::Level => interest,
            Trigger::Edge | Trigger::Oneshot => *armed | interest,
        };
        let is_armed = !armed.is_none();
        self.armed.retain(|&other| other != fd);
        if is_armed {
            self.armed.push(fd);
        }
        Ok(())
    }

    /// As [`Hub::remove`](crate::Hub::remove).
    ///
    /// # Errors
    /// `NotFound`.
    pub fn remove(&mut self, fd: RawFd, token: Token) -> io::Result<()> {
        self.table.remove(fd, token)?;
        self.armed.retain(|&other| other != fd);
        Ok(())
    }

    /// True if any is armed: then a wait must not sleep.
    #[inline]
    pub fn is_due(&self) -> bool {
        !self.armed.is_empty()
    }

    /// Appends the reports of what is armed, and [`Ready::NVAL`], once, of what `is_refused` says
    /// the system no longer refuses.
    pub fn report(&mut self, events: &mut Vec<Event>, is_refused: impl Fn(RawFd) -> bool) {
        let table = &mut self.table;
        self.armed.retain(|&fd| {
            let Some((token, (trigger, interest))) = table.by_fd_mut(fd) else {
                return false;
            };
            let is_refused = is_refused(fd);
            let ready = match is_refused {
                true => (*interest).into(),
                false => Ready::NVAL,
            };
            events.push(Event { token, ready });
            let stays = *trigger == Trigger::Level && is_refused;
            if !stays {
                *interest = Interest::NONE;
            }
            stays
        });
    }
}
