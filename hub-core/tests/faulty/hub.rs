//! A good hub with one defect between it and its user

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use hub_core::{Event, Hub, Interest, Ready, Token, Trigger};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    TwiceIsFine,
    UnknownIsFine,
    BornArmed,
    RemembersTheRemoved,
    FirstOwnerForEver,
    MixesUp,
    ClearsEvents,
    BreaksOnHugeNumbers,
    LosesEverySecond,
    LosesWhatCameBefore,
    NeverWritable,
    ReportsForEver,
    LastInterestOnly,
    ForgetsTheRest,
    LevelIsOneshot,
    LevelAddsUp,
    EightAtATime,
    HidesHangUps,
    HidesErrors,
    SpinsOnHangUps,
    RefusesFiles,
    FilesFirst,
    NeverSleeps,
    WholeMilliseconds,
    BlindAtZero,
    AddsTheTimeout,
    GivesUp,
    StopsAtSignals,
    NestsInVain,
    LetsGoLate,
    KnowsFiles,
    ClaimsToNotice,
    EmptiesTheSet,
    RenewsInVain,
    HalfTheRoom,
    ClaimsNoArm,
    HidesTheBits,
    HidesUrgent,
}

thread_local! {
    pub(crate) static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
}

/// A good hub with something between it and its user.
struct Faulty {
    hub: hub_epoll::Epoll,
    fault: Fault,
    live: HashMap<Token, (RawFd, Trigger)>,
    first_owner: HashMap<RawFd, Token>,
    removed: Vec<Token>,
    reports: usize,
    deaf: (UnixStream, UnixStream),
    files: HashMap<Token, (OwnedFd, u64)>,
    held: Vec<OwnedFd>,
}

pub(crate) fn make() -> io::Result<Box<dyn Hub>> {
    Ok(Box::new(Faulty {
        hub: hub_epoll::Epoll::new()?,
        fault: FAULT.get(),
        live: HashMap::new(),
        first_owner: HashMap::new(),
        removed: Vec::new(),
        reports: 0,
        deaf: UnixStream::pair()?,
        files: HashMap::new(),
        held: Vec::new(),
    }))
}

fn inode(fd: BorrowedFd<'_>) -> u64 {
    let file = std::fs::File::from(fd.try_clone_to_owned().unwrap());
    file.metadata().unwrap().ino()
}

fn is_file(fd: BorrowedFd<'_>) -> bool {
    let file = std::fs::File::from(fd.try_clone_to_owned().unwrap());
    file.metadata().unwrap().is_file()
}

/// What poll says of a descriptor of which nothing is asked.
fn has_hung_up(fd: RawFd) -> bool {
    let mut polled = libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    // SAFETY: one pollfd, which lives on this stack.
    unsafe { libc::poll(&mut polled, 1, 0) };
    polled.revents & libc::POLLHUP != 0
}

fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the test that runs keeps it open as long as it is registered.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// The event as this hub passes it on.
    fn distort(&mut self, mut event: Event) -> Option<Event> {
        self.reports += 1;
        let (fd, trigger) = self.live[&event.token];
        match self.fault {
            Fault::FirstOwnerForEver => event.token = self.first_owner[&fd],
            Fault::MixesUp if !self.removed.is_empty() => {
                event.token = *self.live.keys().max_by_key(|token| token.into_raw())?;
            }
            Fault::LosesEverySecond if self.reports.is_multiple_of(2) => return None,
            Fault::NeverWritable if event.ready == Ready::WRITE => return None,
            Fault::ReportsForEver if trigger != Trigger::Level => {
                let _ = self
                    .hub
                    .arm(borrow(fd), event.token, Interest::answered_by(event.ready));
            }
            Fault::ForgetsTheRest => {
                self.hub.remove(borrow(fd), event.token).unwrap();
                self.hub
                    .add(borrow(fd), event.token, Trigger::Oneshot)
                    .unwrap();
            }
            Fault::LevelIsOneshot if trigger == Trigger::Level => {
                self.hub
                    .arm(borrow(fd), event.token, Interest::NONE)
                    .unwrap();
            }
            Fault::HidesHangUps if event.ready.has(Ready::HUP) => {
                return None;
            }
            Fault::HidesTheBits => event.ready = Interest::answered_by(event.ready).into(),
            Fault::HidesUrgent if event.ready == Ready::PRI => return None,
            Fault::HidesErrors if event.ready.has(Ready::ERR) => return None,
            _ => {}
        }
        Some(event)
    }
}

impl Hub for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        if self.has(Fault::RefusesFiles) && is_file(fd) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        // The kernel hides defects in what is edge-triggered: these are shown without its help.
        let shown = [
            Fault::LosesEverySecond,
            Fault::ForgetsTheRest,
            Fault::EightAtATime,
            Fault::ClaimsNoArm,
        ];
        let inner = match trigger {
            Trigger::Edge if shown.contains(&self.fault) => Trigger::Oneshot,
            trigger => trigger,
        };
        match self.hub.add(fd, token, inner) {
            Err(_) if self.has(Fault::TwiceIsFine) => return Ok(()),
            added => added?,
        }
        if [Fault::LetsGoLate, Fault::KnowsFiles].contains(&self.fault) {
            let file = match self.fault {
                Fault::LetsGoLate => fd.try_clone_to_owned()?,
                _ => OwnedFd::from(UnixStream::pair()?.0), // It is the number that it keeps.
            };
            self.files.insert(token, (file, inode(fd)));
        }
        self.live.insert(token, (fd.as_raw_fd(), trigger));
        self.first_owner.entry(fd.as_raw_fd()).or_insert(token);
        if self.has(Fault::BornArmed) {
            self.hub.arm(fd, token, Interest::BOTH)?;
        }
        Ok(())
    }

    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, mut interest: Interest) -> io::Result<()> {
        let trigger = self.live.get(&token).map(|(_, trigger)| *trigger);
        if self.has(Fault::LevelAddsUp) && trigger == Some(Trigger::Level) {
            interest |= Interest::READ;
        }
        if self.has(Fault::LastInterestOnly) && trigger.is_some_and(|t| t != Trigger::Level) {
            self.hub.remove(fd, token)?;
            self.hub.add(fd, token, Trigger::Oneshot)?;
        }
        match self.hub.arm(fd, token, interest) {
            Err(_) if self.has(Fault::UnknownIsFine) || self.has(Fault::ClaimsToNotice) => {}
            armed => armed?,
        }
        if self.has(Fault::LosesWhatCameBefore) {
            self.hub.wait(Some(Duration::ZERO), &mut Vec::new())?;
        }
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        if let Some((file, number)) = self.files.remove(&token) {
            if self.has(Fault::KnowsFiles) && number != inode(fd) {
                return Err(io::ErrorKind::NotFound.into());
            }
            self.held.push(file);
        }
        match self.hub.remove(fd, token) {
            Err(_) if self.has(Fault::UnknownIsFine) => return Ok(()),
            removed => removed?,
        }
        self.live.remove(&token);
        self.removed.push(token);
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let mut timeout = timeout;
        self.held.clear();
        let huge = self.live.values().any(|(fd, _)| *fd > 1024);
        let hung_up = self.live.values().any(|(fd, _)| has_hung_up(*fd));
        match self.fault {
            Fault::BreaksOnHugeNumbers if huge => return Err(io::ErrorKind::Other.into()),
            Fault::SpinsOnHangUps if hung_up => timeout = Some(Duration::ZERO),
            Fault::NeverSleeps => timeout = Some(Duration::ZERO),
            Fault::WholeMilliseconds => {
                timeout = timeout.map(|timeout| Duration::from_millis(timeout.as_millis() as u64));
            }
            Fault::BlindAtZero if timeout == Some(Duration::ZERO) => return Ok(()),
            Fault::AddsTheTimeout => {
                let deadline = timeout.map(|timeout| Instant::now() + timeout);
                timeout = deadline.map(|deadline| deadline - Instant::now());
            }
            Fault::GivesUp if timeout.is_none() => return Err(io::ErrorKind::TimedOut.into()),
            Fault::StopsAtSignals => {
                let (epoll, limit) = (self.hub.as_fd().unwrap().as_raw_fd(), timeout.unwrap());
                let mut polled = libc::pollfd {
                    fd: epoll,
                    events: libc::POLLIN,
                    revents: 0,
                };
                let start = Instant::now();
                // It looks every millisecond, and takes being late for having slept enough.
                for _ in 0..limit.as_millis() {
                    let tick = Instant::now();
                    // SAFETY: one pollfd, which lives on this stack.
                    unsafe { libc::poll(&mut polled, 1, 1) };
                    if tick.elapsed() > Duration::from_millis(15) || start.elapsed() > limit {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                }
                timeout = Some(Duration::ZERO);
            }
            _ => {}
        }
        let mut found = Vec::with_capacity(events.capacity());
        self.hub.wait(timeout, &mut found)?;
        if self.has(Fault::ClearsEvents) {
            events.clear();
        }
        if self.has(Fault::EightAtATime) {
            found.sort_by_key(|event| event.token.into_raw());
            found.truncate(8);
        }
        if self.has(Fault::HalfTheRoom) {
            found.truncate(events.capacity() / 2);
        }
        let is_due = |event: &Event| is_file(borrow(self.live[&event.token].0));
        if self.has(Fault::FilesFirst) && found.iter().any(is_due) {
            found.retain(is_due);
        }
        for event in found {
            events.extend(self.distort(event));
        }
        if self.has(Fault::RemembersTheRemoved) {
            let removed = self.removed.drain(..);
            let ready = Ready::READ;
            events.extend(removed.map(|token| Event { token, ready }));
        }
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match self.has(Fault::NestsInVain) {
            true => Some(self.deaf.0.as_fd()),
            false => self.hub.as_fd(),
        }
    }

    fn reads_need_no_arm(&self) -> bool {
        self.has(Fault::ClaimsNoArm)
    }

    fn shows_hang_ups(&self) -> bool {
        true
    }

    fn notices_reuse(&self) -> bool {
        !self.has(Fault::KnowsFiles)
    }

    fn renew(&self) -> io::Result<Box<dyn Hub>> {
        match self.has(Fault::RenewsInVain) {
            true => Err(io::ErrorKind::NotFound.into()),
            false => make(),
        }
    }

    fn abandon(mut self: Box<Self>) {
        if self.has(Fault::EmptiesTheSet) {
            for (token, (fd, _)) in self.live.drain() {
                let _ = self.hub.remove(borrow(fd), token);
            }
        }
    }
}
