use std::io;
use std::os::fd::RawFd;

use crate::{Event, FdTable, Interest, Token, Trigger};

/// The descriptors of a hub that are always ready: those that its system refuses to watch because
/// they never block, as epoll does with regular files. poll and select call them ready; with this
/// every hub does.
#[derive(Debug, Default)]
pub struct AlwaysReady {
    table: FdTable<(Trigger, Interest)>,
    armed: Vec<RawFd>,
}

impl AlwaysReady {
    /// None.
    pub const fn new() -> AlwaysReady {
        AlwaysReady {
            table: FdTable::new(),
            armed: Vec::new(),
        }
    }

    /// Whether this number is one of them.
    pub fn holds(&self, fd: RawFd) -> bool {
        self.table.by_fd(fd).is_some()
    }

    /// As [`Hub::add`](crate::Hub::add).
    ///
    /// # Errors
    /// `AlreadyExists`.
    pub fn add(&mut self, fd: RawFd, token: Token, trigger: Trigger) -> io::Result<()> {
        self.table.insert(fd, token, (trigger, Interest::NONE))
    }

    /// As [`Hub::arm`](crate::Hub::arm).
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

    /// Whether any is armed: then a wait must not sleep.
    #[inline]
    pub fn is_due(&self) -> bool {
        !self.armed.is_empty()
    }

    /// Appends the reports of what is armed.
    pub fn report(&mut self, events: &mut Vec<Event>) {
        let table = &mut self.table;
        self.armed.retain(|&fd| {
            let Some((token, (trigger, interest))) = table.by_fd_mut(fd) else {
                return false;
            };
            let ready = (*interest).into();
            events.push(Event { token, ready });
            if *trigger != Trigger::Level {
                *interest = Interest::NONE;
            }
            *trigger == Trigger::Level
        });
    }
}
