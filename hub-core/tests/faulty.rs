//! The conformance suite finds what it is there to find: hubs with one defect each
//!
//! A test that cannot fail proves nothing. For every promise there is a hub here that breaks it.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::panic;
use std::time::{Duration, Instant};

use hub_core::conformance::{self as promise, Make, Promise};
use hub_core::{Event, Hub, Interest, Ready, Token, Trigger};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
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
}

thread_local! {
    static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
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
}

fn make() -> io::Result<Box<dyn Hub>> {
    Ok(Box::new(Faulty {
        hub: hub_epoll::Epoll::new()?,
        fault: FAULT.get(),
        live: HashMap::new(),
        first_owner: HashMap::new(),
        removed: Vec::new(),
        reports: 0,
        deaf: UnixStream::pair()?,
    }))
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
        ];
        let inner = match trigger {
            Trigger::Edge if shown.contains(&self.fault) => Trigger::Oneshot,
            trigger => trigger,
        };
        match self.hub.add(fd, token, inner) {
            Err(_) if self.has(Fault::TwiceIsFine) => return Ok(()),
            added => added?,
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
            Err(_) if self.has(Fault::UnknownIsFine) => {}
            armed => armed?,
        }
        if self.has(Fault::LosesWhatCameBefore) {
            self.hub.wait(Some(Duration::ZERO), &mut Vec::new())?;
        }
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
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
        let mut found = Vec::new();
        self.hub.wait(timeout, &mut found)?;
        if self.has(Fault::ClearsEvents) {
            events.clear();
        }
        if self.has(Fault::EightAtATime) {
            found.sort_by_key(|event| event.token.into_raw());
            found.truncate(8);
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
}

macro_rules! promises {
    ($($name:ident)*) => { &[$((stringify!($name), promise::$name as fn(Make))),*] };
}

const BROKEN: &[(Fault, &[Promise])] = &[
    (
        Fault::TwiceIsFine,
        promises!(a_descriptor_is_registered_once),
    ),
    (
        Fault::UnknownIsFine,
        promises!(what_is_not_registered_is_not_found),
    ),
    (Fault::BornArmed, promises!(nothing_is_armed_at_first)),
    (
        Fault::RemembersTheRemoved,
        promises!(what_was_removed_is_silent),
    ),
    (Fault::FirstOwnerForEver, promises!(numbers_are_reused)),
    (Fault::MixesUp, promises!(descriptors_come_and_go)),
    (Fault::ClearsEvents, promises!(reports_are_appended)),
    (
        Fault::BreaksOnHugeNumbers,
        promises!(a_huge_descriptor_is_served_or_refused),
    ),
    (
        Fault::LosesEverySecond,
        promises!(
            edge_reports_whenever_it_becomes_ready
            edge_tells_of_the_end_that_came_with_the_data
        ),
    ),
    (
        Fault::LosesWhatCameBefore,
        promises!(edge_reports_what_came_before_it_was_armed oneshot_may_be_armed_at_any_time),
    ),
    (
        Fault::NeverWritable,
        promises!(edge_tells_when_there_is_room_to_write),
    ),
    (Fault::ReportsForEver, promises!(oneshot_reports_once)),
    (Fault::LastInterestOnly, promises!(interests_add_up)),
    (
        Fault::ForgetsTheRest,
        promises!(a_report_consumes_only_what_it_names),
    ),
    (
        Fault::LevelIsOneshot,
        promises!(level_reports_for_as_long_as_it_is_ready),
    ),
    (
        Fault::LevelAddsUp,
        promises!(level_arm_replaces_and_disarms),
    ),
    (
        Fault::EightAtATime,
        promises!(many_ready_descriptors_all_get_their_turn),
    ),
    (
        Fault::HidesHangUps,
        promises!(a_hang_up_makes_both_directions_ready),
    ),
    (
        Fault::HidesErrors,
        promises!(a_reset_is_reported an_error_is_reported),
    ),
    (
        Fault::SpinsOnHangUps,
        promises!(a_hang_up_that_nobody_waits_for_does_not_spin),
    ),
    (
        Fault::RefusesFiles,
        promises!(a_regular_file_is_always_ready),
    ),
    (Fault::FilesFirst, promises!(a_regular_file_starves_nobody)),
    (
        Fault::NeverSleeps,
        promises!(a_wait_without_descriptors_sleeps),
    ),
    (
        Fault::WholeMilliseconds,
        promises!(a_short_timeout_is_neither_early_nor_a_spin),
    ),
    (Fault::BlindAtZero, promises!(a_zero_timeout_returns)),
    (
        Fault::AddsTheTimeout,
        promises!(a_timeout_without_end_is_safe),
    ),
    (Fault::GivesUp, promises!(another_thread_ends_a_wait)),
    (
        Fault::StopsAtSignals,
        promises!(a_stopped_process_keeps_its_timeouts),
    ),
    (Fault::NestsInVain, promises!(a_hub_nests_in_another)),
];

#[test]
fn every_defect_is_found() {
    let found: Vec<(Fault, &str, bool)> = std::thread::scope(|scope| {
        let pairs = BROKEN.iter().flat_map(|(fault, promises)| {
            promises
                .iter()
                .map(|(name, promise)| (*fault, *name, *promise))
        });
        let trials = pairs.map(|(fault, name, promise)| {
            scope.spawn(move || {
                FAULT.set(fault);
                (fault, name, panic::catch_unwind(|| promise(make)).is_err())
            })
        });
        let trials: Vec<_> = trials.collect();
        trials
            .into_iter()
            .map(|trial| trial.join().unwrap())
            .collect()
    });
    let missed: Vec<_> = found.iter().filter(|(.., is_found)| !is_found).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// It is the defects that are found, not what carries them.
#[test]
fn without_a_defect_all_is_well() {
    promise::all(make);
}

/// The list above has every promise.
#[test]
fn every_promise_is_broken_by_one() {
    let broken = BROKEN.iter().flat_map(|(_, promises)| *promises);
    let mut broken: Vec<&str> = broken.map(|(name, _)| *name).collect();
    let mut all: Vec<&str> = promise::PROMISES.iter().map(|(name, _)| *name).collect();
    broken.sort();
    all.sort();
    assert_eq!(all, broken);
}
