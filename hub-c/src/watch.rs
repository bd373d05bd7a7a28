use std::collections::VecDeque;
use std::mem;
use std::os::fd::{AsFd, RawFd};
use std::time::Duration;

use hub_core::{Direction, Ear, Event, FdTable, Interest, Ready, Token, Trigger, Waker};

use crate::backend::{self, Backend};
use crate::errno::{Errno, Result};
use crate::room::Room;
use crate::system::{self, Identity};
use crate::timers::TokenTimers;

/// The bell's own registration. No descriptor has this number.
const BELL: Token = Token::from_raw(u64::MAX);

/// A hub and what it lacks: who is registered, by number alone, what was found ready and did not
/// fit, the bell, and timers. One thread at a time has it.
pub(crate) struct Watch {
    hub: Backend,
    ear: Ear,
    table: FdTable<Entry>,
    next_seq: u32,
    events: Vec<Event>,
    /// Found ready by the last wait, and not told yet.
    left: VecDeque<Event>,
    questions: Vec<libc::pollfd>,
    pub(crate) timers: TokenTimers,
    pub(crate) is_waiting: bool,
    pub(crate) is_broken: bool,
}

struct Entry {
    interest: Interest,
    /// Where the system does not remember what is registered: which file it was.
    identity: Option<Identity>,
}

/// What a wait has found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Reports written.
    pub(crate) reports: usize,
    /// Whether the bell was among what is ready.
    pub(crate) rang: bool,
    /// Whether a signal has ended it.
    pub(crate) interrupted: bool,
}

impl Watch {
    pub(crate) fn new(name: &[u8]) -> Result<Watch> {
        let (hub, ear) = open(name)?;
        Ok(Watch {
            hub,
            ear,
            table: FdTable::new(),
            next_seq: 0,
            events: Vec::new(),
            left: VecDeque::new(),
            questions: Vec::new(),
            timers: TokenTimers::default(),
            is_waiting: false,
            is_broken: false,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.hub.name()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.ear.waker()
    }

    pub(crate) fn as_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.hub.as_fd()
    }

    pub(crate) fn add(&mut self, fd: RawFd, interest: Interest) -> Result<()> {
        let descriptor = system::descriptor(fd)?;
        if let Some((token, entry)) = self.table.by_fd(fd) {
            let interest = entry.interest;
            if self.rearm(fd, token, interest).is_ok() {
                return Err(Errno(libc::EEXIST));
            }
        }
        let identity = match backend::is_remembered(&*self.hub) {
            true => None,
            false => Some(Identity::of(fd).ok_or(Errno(libc::EBADF))?),
        };
        let token = Token::new(fd as u32, self.next_seq);
        self.hub.add(descriptor, token, Trigger::Level)?;
        if let Err(error) = self.hub.arm(descriptor, token, interest) {
            let _ = self.hub.remove(descriptor, token);
            return Err(error.into());
        }
        self.next_seq = self.next_seq.wrapping_add(1);
        let entry = Entry { interest, identity };
        Ok(self.table.insert(fd, token, entry)?)
    }

    pub(crate) fn modify(&mut self, fd: RawFd, interest: Interest) -> Result<()> {
        let (token, _) = self.table.by_fd(fd).ok_or(Errno(libc::ENOENT))?;
        self.rearm(fd, token, interest)
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> Result<()> {
        let (token, _) = self.table.by_fd(fd).ok_or(Errno(libc::ENOENT))?;
        self.table.remove(fd, token)?;
        Ok(self.hub.remove(system::descriptor(fd)?, token)?)
    }

    /// Sets the interest of a registration whose number still belongs to the file that was
    /// registered; another is forgotten, which is ENOENT.
    fn rearm(&mut self, fd: RawFd, token: Token, interest: Interest) -> Result<()> {
        let entry = self.table.get_mut(fd, token)?;
        let is_other = entry.identity.is_some() && entry.identity != Identity::of(fd);
        let armed = match is_other {
            true => Err(Errno(libc::ENOENT)),
            false => self
                .hub
                .arm(system::descriptor(fd)?, token, interest)
                .map_err(Errno::from),
        };
        match armed {
            Ok(()) => entry.interest = interest,
            Err(Errno(libc::ENOENT)) => self.forget(fd, token),
            Err(_) => {}
        }
        armed
    }

    fn forget(&mut self, fd: RawFd, token: Token) {
        let _ = self.table.remove(fd, token);
        if let Ok(descriptor) = system::descriptor(fd) {
            let _ = self.hub.remove(descriptor, token);
        }
    }

    /// Tells what an earlier wait has found and had no room for, as far as it is ready still.
    /// Says how many reports it has written.
    pub(crate) fn tell_left(&mut self, room: &mut Room<'_>) -> Result<usize> {
        let mut told = 0;
        while told == 0 && !self.left.is_empty() {
            self.questions.clear();
            while self.questions.len() + told < room.left() {
                let Some(event) = self.left.pop_front() else {
                    break;
                };
                let fd = event.token.index() as RawFd;
                let Ok(entry) = self.table.get(fd, event.token) else {
                    continue; // It was removed since.
                };
                if event.ready.has(Ready::NVAL) {
                    told += room.tell(fd, Ready::NVAL, entry.interest);
                } else if !entry.interest.is_none() {
                    self.questions.push(system::question(fd, entry.interest));
                }
            }
            system::ask(&mut self.questions)?;
            for question in &self.questions {
                let (fd, ready) = (question.fd, system::answer(question));
                // What was closed in between the hub reports itself, if at all.
                if let (Some((_, entry)), false) = (self.table.by_fd(fd), ready.has(Ready::NVAL)) {
                    told += room.tell(fd, ready, entry.interest);
                }
            }
        }
        Ok(told)
    }

    /// Waits in the system, and tells what is ready; what there is no room for is kept.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>, room: &mut Room<'_>) -> Result<Found> {
        self.events.clear();
        self.hub.wait(timeout, &mut self.events)?;
        let mut found = Found {
            interrupted: self.hub.was_interrupted(),
            ..Found::default()
        };
        if self.hub.name() == "select" {
            self.refine();
        }
        for event in self.events.drain(..) {
            if event.token == BELL {
                found.rang = true;
                continue;
            }
            let fd = event.token.index() as RawFd;
            let Ok(entry) = self.table.get(fd, event.token) else {
                continue;
            };
            if room.left() == 0 {
                self.left.push_back(event);
            } else {
                found.reports += room.tell(fd, event.ready, entry.interest);
            }
        }
        if found.rang {
            self.ear.answer();
        }
        Ok(found)
    }

    /// select says only readable and writable. This asks for the rest, so that the reports are
    /// those of the other hubs.
    fn refine(&mut self) {
        self.questions.clear();
        let asked = self.events.iter().map(|event| match event.token {
            BELL => system::question(-1, Interest::NONE),
            token => system::question(token.index() as RawFd, Interest::NONE),
        });
        self.questions.extend(asked);
        if system::ask(&mut self.questions).is_err() {
            return;
        }
        for (event, question) in self.events.iter_mut().zip(&self.questions) {
            let ready = system::answer(question);
            for bit in [Ready::HUP, Ready::ERR] {
                if ready.has(bit) {
                    event.ready |= bit;
                }
            }
        }
    }

    /// In a child process: the same registrations in a hub of its own. Those that were closed
    /// are forgotten.
    pub(crate) fn rebuild(&mut self) -> Result<()> {
        let (mut hub, ear) = open(self.hub.name().as_bytes())?;
        let mut closed = Vec::new();
        for (fd, token, entry) in self.table.iter() {
            let descriptor = system::descriptor(fd)?;
            let is_other = entry.identity.is_some() && entry.identity != Identity::of(fd);
            let added = match is_other {
                true => Err(Errno(libc::EBADF)),
                false => hub
                    .add(descriptor, token, Trigger::Level)
                    .map_err(Errno::from),
            };
            match added {
                Ok(()) => hub.arm(descriptor, token, entry.interest)?,
                Err(Errno(libc::EBADF)) => closed.push((fd, token)),
                Err(error) => return Err(error),
            }
        }
        for (fd, token) in closed {
            self.table.remove(fd, token)?;
        }
        backend::disown(mem::replace(&mut self.hub, hub));
        self.ear = ear;
        self.is_waiting = false;
        Ok(())
    }

    /// Drops it in a child process that has not made it its own.
    pub(crate) fn disown(self) {
        backend::disown(self.hub);
    }
}

fn open(name: &[u8]) -> Result<(Backend, Ear)> {
    let mut hub = backend::open(name)?;
    let ear = Ear::new()?;
    hub.add(ear.as_fd(), BELL, Trigger::Level)?;
    hub.arm(ear.as_fd(), BELL, Direction::Read.into())?;
    Ok((hub, ear))
}
