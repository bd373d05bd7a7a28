use std::collections::VecDeque;
use std::ffi::CStr;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::time::Duration;

use hub_core::{Direction, Event, FdTable, Hub, Interest, Ready, Token, Trigger, WakeFd, Waker};

use crate::backend::{Backend, Kind};
use crate::errno::{Errno, Result};
use crate::event::{HubEvent, Wanted};
use crate::output::Output;
use crate::system::{self, Identity};
use crate::timers::TokenTimers;

/// The registration of the descriptor that wakes the hub. No other has this number.
const WAKE: Token = Token::from_raw(u64::MAX);

/// A hub and what it lacks: who is registered, by number alone, what was found ready and did not
/// fit, a way to wake it, and timers. One thread at a time has it.
pub(crate) struct Watch {
    kind: &'static Kind,
    hub: Backend,
    wake_fd: WakeFd,
    table: FdTable<Entry>,
    next_seq: u32,
    /// How many want details shown.
    detailed: usize,
    events: Vec<Event>,
    /// Found ready by the last wait, and not told yet.
    left: VecDeque<Event>,
    questions: Vec<libc::pollfd>,
    pub(crate) timers: TokenTimers,
    pub(crate) is_waiting: bool,
    pub(crate) is_broken: bool,
}

struct Entry {
    wanted: Wanted,
    /// What the hub will report still.
    armed: Interest,
    data: u64,
    /// Which file it was, where the hub does not notice that it is another.
    identity: Option<Identity>,
}

impl Entry {
    /// The report as C sees it. What is reported once is not armed any more.
    fn answer(&mut self, fd: RawFd, ready: Ready) -> HubEvent {
        if self.wanted.trigger != Trigger::Level {
            self.armed = self.armed.without(Interest::answered_by(ready));
        }
        let (ready, data) = (self.wanted.answer(ready), self.data);
        HubEvent { fd, ready, data }
    }

    /// True if the number belongs to another file than was registered, as far as is known here.
    fn is_other(&self, fd: RawFd) -> bool {
        self.identity.is_some() && self.identity != Identity::of(fd)
    }
}

/// What a wait has found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Reports written.
    pub(crate) reports: usize,
    /// True if the hub was woken.
    pub(crate) rang: bool,
    /// True if a signal has ended it.
    pub(crate) interrupted: bool,
}

impl Watch {
    pub(crate) fn new(name: &CStr) -> Result<Watch> {
        let kind = Kind::named(name)?;
        let (hub, wake_fd) = open(kind)?;
        Ok(Watch {
            kind,
            hub,
            wake_fd,
            table: FdTable::new(),
            next_seq: 0,
            detailed: 0,
            events: Vec::new(),
            left: VecDeque::new(),
            questions: Vec::new(),
            timers: TokenTimers::default(),
            is_waiting: false,
            is_broken: false,
        })
    }

    pub(crate) fn name(&self) -> &'static CStr {
        self.kind.name
    }

    pub(crate) fn waker(&self) -> Waker {
        self.wake_fd.waker()
    }

    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.hub.as_fd()
    }

    pub(crate) fn add(&mut self, fd: RawFd, wanted: Wanted, data: u64) -> Result<()> {
        let descriptor = system::descriptor(fd)?;
        if let Some((token, entry)) = self.table.by_fd(fd) {
            let armed = entry.armed;
            if self.arm(fd, token, armed).is_ok() {
                return Err(Errno(libc::EEXIST));
            }
        }
        let is_noticed = wanted.trigger == Trigger::Level && self.hub.notices_reuse();
        let identity = match is_noticed {
            true => None,
            false => Some(Identity::of(fd).ok_or(Errno(libc::EBADF))?),
        };
        let token = Token::new(fd as u32, self.next_seq);
        register(&mut self.hub, descriptor, token, wanted)?;
        self.next_seq = self.next_seq.wrapping_add(1);
        self.detailed += usize::from(wanted.shown != 0);
        let entry = Entry {
            wanted,
            armed: wanted.interest,
            data,
            identity,
        };
        Ok(self.table.insert(fd, token, entry)?)
    }

    pub(crate) fn modify(&mut self, fd: RawFd, wanted: Wanted) -> Result<()> {
        let (token, entry) = self.table.by_fd(fd).ok_or(Errno(libc::ENOENT))?;
        let (before, armed) = (entry.wanted, entry.armed);
        // What is reported once adds up: to take something back it begins anew.
        let adds_up = wanted.trigger != Trigger::Level;
        let begins_anew = adds_up && !armed.without(wanted.interest).is_none();
        if begins_anew || before.trigger != wanted.trigger {
            self.arm(fd, token, armed)?;
            let data = self.remove(fd)?;
            return self.add(fd, wanted, data);
        }
        self.arm(fd, token, wanted.interest)?;
        self.table.get_mut(fd, token)?.wanted = wanted;
        self.detailed += usize::from(wanted.shown != 0);
        self.detailed -= usize::from(before.shown != 0);
        Ok(())
    }

    pub(crate) fn set_data(&mut self, fd: RawFd, data: u64) -> Result<()> {
        let (_, entry) = self.table.by_fd_mut(fd).ok_or(Errno(libc::ENOENT))?;
        entry.data = data;
        Ok(())
    }

    /// Ends a registration; says with what data it was added.
    pub(crate) fn remove(&mut self, fd: RawFd) -> Result<u64> {
        let (token, _) = self.table.by_fd(fd).ok_or(Errno(libc::ENOENT))?;
        let entry = self.table.remove(fd, token)?;
        self.detailed -= usize::from(entry.wanted.shown != 0);
        self.hub.remove(system::descriptor(fd)?, token)?;
        Ok(entry.data)
    }

    /// Arms a registration whose number still belongs to the file that was registered; another is
    /// forgotten, which is ENOENT.
    fn arm(&mut self, fd: RawFd, token: Token, interest: Interest) -> Result<()> {
        let entry = self.table.get_mut(fd, token)?;
        let armed = match entry.is_other(fd) {
            true => Err(Errno(libc::ENOENT)),
            false => self
                .hub
                .arm(system::descriptor(fd)?, token, interest)
                .map_err(Errno::from),
        };
        match armed {
            Ok(()) => entry.armed = interest,
            Err(Errno(libc::ENOENT)) => {
                let _ = self.remove(fd);
            }
            Err(_) => {}
        }
        armed
    }

    /// Tells what an earlier wait has found and had no room for, as far as it is ready still; what
    /// is reported once is told as it was. Says how many reports it has written.
    pub(crate) fn tell_left(&mut self, output: &mut Output<'_>) -> Result<usize> {
        let mut told = 0;
        while told == 0 && !self.left.is_empty() {
            self.questions.clear();
            while self.questions.len() < output.left() {
                let Some(event) = self.left.pop_front() else {
                    break;
                };
                let fd = event.token.index() as RawFd;
                let Ok(entry) = self.table.get_mut(fd, event.token) else {
                    continue; // It was removed since.
                };
                if event.ready.has(Ready::NVAL) || entry.wanted.trigger != Trigger::Level {
                    told += output.write(entry.answer(fd, event.ready));
                } else if !entry.armed.is_none() {
                    self.questions.push(system::question(fd, entry.armed));
                }
            }
            system::ask(&mut self.questions)?;
            for question in &self.questions {
                let (fd, ready) = (question.fd, system::answer(question));
                // What was closed in between the hub reports itself, if at all.
                if let (Some((_, entry)), false) =
                    (self.table.by_fd_mut(fd), ready.has(Ready::NVAL))
                {
                    told += output.write(entry.answer(fd, ready));
                }
            }
        }
        Ok(told)
    }

    /// Waits in the system, and tells what is ready; what there is no room for is kept.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        output: &mut Output<'_>,
    ) -> Result<Found> {
        self.events.clear();
        self.events.reserve(output.left().min(self.table.len()) + 1);
        self.hub.wait(timeout, &mut self.events)?;
        let mut found = Found {
            interrupted: self.hub.was_interrupted(),
            ..Found::default()
        };
        if self.detailed > 0 || !self.hub.shows_hang_ups() {
            self.ask_for_details();
        }
        for event in self.events.drain(..) {
            if event.token == WAKE {
                found.rang = true;
                continue;
            }
            let fd = event.token.index() as RawFd;
            let Ok(entry) = self.table.get_mut(fd, event.token) else {
                continue;
            };
            if output.left() == 0 {
                self.left.push_back(event);
            } else {
                found.reports += output.write(entry.answer(fd, event.ready));
            }
        }
        if found.rang {
            self.wake_fd.reset();
        }
        Ok(found)
    }

    /// Asks for what the hub may not have said: hang-ups and errors, and details that somebody
    /// wants, so that the reports are the same on each.
    fn ask_for_details(&mut self) {
        let is_silent = !self.hub.shows_hang_ups();
        self.questions.clear();
        for event in &self.events {
            let fd = event.token.index() as RawFd;
            let question = match self.table.get(fd, event.token) {
                Ok(entry) if entry.wanted.shown != 0 => system::question(fd, Interest::READ),
                Ok(_) if is_silent => system::question(fd, Interest::NONE),
                _ => system::question(-1, Interest::NONE),
            };
            self.questions.push(question);
        }
        if system::ask(&mut self.questions).is_err() {
            return;
        }
        let details = [Ready::HUP, Ready::ERR, Ready::RDHUP, Ready::PRI];
        for (event, question) in self.events.iter_mut().zip(&self.questions) {
            let ready = system::answer(question);
            for bit in details.into_iter().filter(|bit| ready.has(*bit)) {
                event.ready |= bit;
            }
        }
    }

    /// In a child process: the same registrations in a hub of its own. Those that were closed
    /// are forgotten.
    pub(crate) fn rebuild(&mut self) -> Result<()> {
        let (mut hub, wake_fd) = open(self.kind)?;
        let mut closed = Vec::new();
        for (fd, token, entry) in self.table.iter() {
            let descriptor = system::descriptor(fd)?;
            let interest = entry.armed;
            let wanted = Wanted {
                interest,
                ..entry.wanted
            };
            let added = match entry.is_other(fd) {
                true => Err(Errno(libc::EBADF)),
                false => register(&mut hub, descriptor, token, wanted),
            };
            match added {
                Err(Errno(libc::EBADF)) => closed.push((fd, token)),
                added => added?,
            }
        }
        for (fd, token) in closed {
            let entry = self.table.remove(fd, token)?;
            self.detailed -= usize::from(entry.wanted.shown != 0);
        }
        mem::replace(&mut self.hub, hub).abandon();
        self.wake_fd = wake_fd;
        self.is_waiting = false;
        Ok(())
    }

    /// Drops it in a child process that has not made it its own.
    pub(crate) fn abandon(self) {
        self.hub.abandon();
    }
}

fn register(hub: &mut Backend, fd: BorrowedFd<'_>, token: Token, wanted: Wanted) -> Result<()> {
    hub.add(fd, token, wanted.trigger)?;
    if let Err(error) = hub.arm(fd, token, wanted.interest) {
        let _ = hub.remove(fd, token);
        return Err(error.into());
    }
    Ok(())
}

fn open(kind: &Kind) -> Result<(Backend, WakeFd)> {
    let mut hub = kind.open()?;
    let wake_fd = WakeFd::new()?;
    hub.add(wake_fd.as_fd(), WAKE, Trigger::Level)?;
    hub.arm(wake_fd.as_fd(), WAKE, Direction::Read.into())?;
    Ok((hub, wake_fd))
}
