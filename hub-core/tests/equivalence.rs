//! All hubs watch the same descriptors through the same random script, and must say the same
//!
//! What counts is what the contract promises: for each direction that is armed, whether it is
//! reported. poll, asked directly, says what is true. Further bits (HUP, ERR) may differ, and so
//! may the order within one wait.
//!
//! One thing select cannot see is left out of the scripts: a Unix socket that is full while both
//! its halves are shut down is writable (the write fails) for poll and epoll, and not for select.

mod common;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::time::Duration;

use common::{HUBS, drain, pair};
use hub_core::{Hub, Interest, Ready, Token, Trigger};
use proptest::prelude::*;

/// Scripts close numbers that are registered, so nobody else may open any meanwhile.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const SLOTS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    /// A socket pair, or (seldom) a regular file.
    Open(usize, bool),
    Add(usize),
    Arm(usize, Interest),
    /// The peer writes so many bytes.
    Send(usize, usize),
    /// Reads with a buffer of this size, once.
    Read(usize, usize),
    /// Reads until it would block.
    Drain(usize),
    /// Writes until it would block.
    Fill(usize),
    /// The peer reads all.
    PeerReads(usize),
    PeerShutsDown(usize),
    ShutDown(usize),
    PeerCloses(usize),
    Remove(usize),
    /// Removes and closes.
    Close(usize),
    /// Closes first; another socket takes the number; then removes.
    Abandon(usize, bool),
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0..SLOTS;
    let interest = prop_oneof![
        3 => Just(Interest::READ),
        2 => Just(Interest::WRITE),
        2 => Just(Interest::BOTH),
        1 => Just(Interest::NONE),
    ];
    prop_oneof![
        4 => (slot.clone(), prop::bool::weighted(0.1)).prop_map(|(slot, file)| Step::Open(slot, file)),
        6 => slot.clone().prop_map(Step::Add),
        8 => (slot.clone(), interest).prop_map(|(slot, interest)| Step::Arm(slot, interest)),
        6 => (slot.clone(), 1..20_usize).prop_map(|(slot, size)| Step::Send(slot, size)),
        5 => (slot.clone(), 1..30_usize).prop_map(|(slot, size)| Step::Read(slot, size)),
        3 => slot.clone().prop_map(Step::Drain),
        2 => slot.clone().prop_map(Step::Fill),
        2 => slot.clone().prop_map(Step::PeerReads),
        1 => slot.clone().prop_map(Step::PeerShutsDown),
        1 => slot.clone().prop_map(Step::ShutDown),
        1 => slot.clone().prop_map(Step::PeerCloses),
        2 => slot.clone().prop_map(Step::Remove),
        1 => slot.clone().prop_map(Step::Close),
        1 => (slot, any::<bool>()).prop_map(|(slot, waits)| Step::Abandon(slot, waits)),
        9 => Just(Step::Wait),
    ]
}

enum Thing {
    Socket(UnixStream, Option<UnixStream>),
    File(File),
}

impl Thing {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Thing::Socket(socket, _) => socket.as_fd(),
            Thing::File(file) => file.as_fd(),
        }
    }
}

/// A registration, and what the caller knows from each hub.
struct Registration {
    token: Token,
    /// `Oneshot` and `Level`: what is armed and not yet reported.
    armed: Interest,
    /// `Edge`: what the caller believes to be ready, and what it has seen the end of. What it
    /// does not believe ready is armed.
    believed: Vec<Interest>,
    ended: Vec<Interest>,
}

struct World {
    trigger: Trigger,
    hubs: Vec<(&'static str, Box<dyn Hub>)>,
    things: [Option<Thing>; SLOTS],
    registered: [Option<Registration>; SLOTS],
    next_token: u64,
}

impl World {
    fn new(trigger: Trigger) -> World {
        World {
            trigger,
            hubs: HUBS
                .iter()
                .map(|(name, make)| (*name, make().unwrap()))
                .collect(),
            things: Default::default(),
            registered: Default::default(),
            next_token: 0,
        }
    }

    fn socket(&self, slot: usize) -> Option<&UnixStream> {
        match &self.things[slot] {
            Some(Thing::Socket(socket, _)) => Some(socket),
            _ => None,
        }
    }

    fn peer(&self, slot: usize) -> Option<&UnixStream> {
        match &self.things[slot] {
            Some(Thing::Socket(_, peer)) => peer.as_ref(),
            _ => None,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Open(slot, is_file) => self.open(slot, is_file),
            Step::Add(slot) => self.add(slot),
            Step::Arm(slot, interest) => self.arm(slot, interest),
            Step::Send(slot, size) => {
                if let Some(mut peer) = self.peer(slot) {
                    let _ = peer.write(&vec![0; size]);
                }
            }
            Step::Read(slot, size) => {
                self.read(slot, size);
            }
            Step::Drain(slot) => while self.read(slot, 4096) == Some(4096) {},
            Step::Fill(slot) => self.fill(slot),
            Step::PeerReads(slot) => {
                self.peer(slot).map(drain);
            }
            Step::PeerShutsDown(slot) => {
                if let Some(peer) = self.peer(slot) {
                    drain(peer);
                    let _ = peer.shutdown(Shutdown::Write);
                }
            }
            Step::ShutDown(slot) => {
                self.peer(slot).map(drain);
                if let Some(socket) = self.socket(slot) {
                    let _ = socket.shutdown(Shutdown::Write);
                }
            }
            Step::PeerCloses(slot) => {
                if let Some(Thing::Socket(_, peer)) = &mut self.things[slot] {
                    *peer = None;
                }
            }
            Step::Remove(slot) => self.remove(slot),
            Step::Close(slot) => {
                self.remove(slot);
                self.things[slot] = None;
            }
            Step::Abandon(slot, waits) => self.abandon(slot, waits),
            Step::Wait => self.wait(None),
        }
    }

    fn open(&mut self, slot: usize, is_file: bool) {
        if self.things[slot].is_none() {
            let file = || File::open(std::env::current_exe().unwrap()).unwrap();
            self.things[slot] = Some(match is_file {
                true => Thing::File(file()),
                false => {
                    let (socket, peer) = pair();
                    Thing::Socket(socket, Some(peer))
                }
            });
        }
    }

    fn add(&mut self, slot: usize) {
        let Some(thing) = &self.things[slot] else {
            return;
        };
        let token = Token::from_raw(self.next_token);
        self.next_token += 1;
        let is_new = self.registered[slot].is_none();
        for (name, hub) in &mut self.hubs {
            let added = hub.add(thing.fd(), token, self.trigger);
            let expected = if is_new {
                None
            } else {
                Some(ErrorKind::AlreadyExists)
            };
            assert_eq!(
                added.err().map(|error| error.kind()),
                expected,
                "add on {name}"
            );
        }
        if is_new {
            self.registered[slot] = Some(Registration {
                token,
                armed: Interest::NONE,
                believed: vec![Interest::BOTH; HUBS.len()],
                ended: vec![Interest::NONE; HUBS.len()],
            });
        }
    }

    /// With `Edge` the caller arms what it has just found not ready.
    fn arm(&mut self, slot: usize, interest: Interest) {
        let (Some(thing), Some(registration)) = (&self.things[slot], &mut self.registered[slot])
        else {
            return;
        };
        match self.trigger {
            Trigger::Edge => return,
            Trigger::Oneshot => registration.armed |= interest,
            Trigger::Level => registration.armed = interest,
        }
        for (name, hub) in &mut self.hubs {
            let armed = hub.arm(thing.fd(), registration.token, interest);
            armed.unwrap_or_else(|error| panic!("arm on {name}: {error}"));
        }
    }

    /// The caller has seen that a direction is not ready: by an error, or by a short transfer,
    /// which says nothing to one who knows of the end.
    fn not_ready(&mut self, slot: usize, interest: Interest, is_certain: bool) {
        if self.trigger != Trigger::Edge {
            return;
        }
        let (Some(thing), Some(registration)) = (&self.things[slot], &mut self.registered[slot])
        else {
            return;
        };
        for (index, (name, hub)) in self.hubs.iter_mut().enumerate() {
            let knows_better = !interest.without(registration.ended[index]).is_none();
            if is_certain || knows_better {
                registration.believed[index] = registration.believed[index].without(interest);
                registration.ended[index] = registration.ended[index].without(interest);
                let armed = hub.arm(thing.fd(), registration.token, interest);
                armed.unwrap_or_else(|error| panic!("arm on {name}: {error}"));
            }
        }
    }

    /// Says how much was read; `None` if nothing could be.
    fn read(&mut self, slot: usize, size: usize) -> Option<usize> {
        let mut buffer = vec![0; size];
        match self.socket(slot)?.read(&mut buffer) {
            Ok(0) => None,
            Ok(count) => {
                if count < size {
                    self.not_ready(slot, Interest::READ, false);
                }
                Some(count)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.not_ready(slot, Interest::READ, true);
                None
            }
            Err(_) => None,
        }
    }

    fn fill(&mut self, slot: usize) {
        let is_shut = self.oracle(slot).has(Ready::HUP);
        let Some(mut socket) = self.socket(slot).filter(|_| !is_shut) else {
            return;
        };
        let would_block = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
        loop {
            match socket.write(&[0; 4096]) {
                Ok(_) => {}
                Err(error) if would_block(&error) => {
                    return self.not_ready(slot, Interest::WRITE, true);
                }
                Err(_) => return,
            }
        }
    }

    fn remove(&mut self, slot: usize) {
        let (Some(thing), Some(registration)) = (&self.things[slot], self.registered[slot].take())
        else {
            return;
        };
        for (name, hub) in &mut self.hubs {
            let removed = hub.remove(thing.fd(), registration.token);
            removed.unwrap_or_else(|error| panic!("remove on {name}: {error}"));
            let again = hub.remove(thing.fd(), registration.token);
            assert_eq!(
                again.unwrap_err().kind(),
                ErrorKind::NotFound,
                "remove on {name}"
            );
        }
    }

    fn abandon(&mut self, slot: usize, waits: bool) {
        let (Some(thing), Some(registration)) =
            (self.things[slot].take(), self.registered[slot].take())
        else {
            self.registered[slot] = None;
            return;
        };
        let number = thing.fd().as_raw_fd();
        drop(thing);
        if waits {
            self.wait(Some(registration.token));
        }
        let mut heirs: Vec<OwnedFd> = Vec::new();
        while heirs.iter().all(|heir| heir.as_raw_fd() != number) {
            heirs.extend([OwnedFd::from(pair().0)]);
            assert!(heirs.len() < 100, "the number is free");
        }
        let heir = heirs.pop().unwrap();
        for (name, hub) in &mut self.hubs {
            let removed = hub.remove(heir.as_fd(), registration.token);
            removed.unwrap_or_else(|error| panic!("remove on {name}: {error}"));
        }
    }

    /// What is true.
    fn oracle(&self, slot: usize) -> Ready {
        let Some(thing) = &self.things[slot] else {
            return Ready::NONE;
        };
        let mut polled = libc::pollfd {
            fd: thing.fd().as_raw_fd(),
            events: libc::POLLIN | libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: one pollfd, which lives on this stack.
        assert!(unsafe { libc::poll(&mut polled, 1, 0) } >= 0);
        let bits = [
            (libc::POLLIN, Ready::READ),
            (libc::POLLOUT, Ready::WRITE),
            (libc::POLLHUP, Ready::HUP),
            (libc::POLLERR, Ready::ERR),
        ];
        let set = bits
            .into_iter()
            .filter(|(bit, _)| polled.revents & bit != 0);
        set.fold(Ready::NONE, |all, (_, ready)| all | ready)
    }

    /// Waits, and compares what is said with what is true. What was just closed is silent or NVAL.
    fn wait(&mut self, closed: Option<Token>) {
        let truth: Vec<Ready> = (0..SLOTS).map(|slot| self.oracle(slot)).collect();
        let mut said = vec![[Ready::NONE; SLOTS]; self.hubs.len()];
        for (index, (name, hub)) in self.hubs.iter_mut().enumerate() {
            let mut events = Vec::new();
            hub.wait(Some(Duration::ZERO), &mut events).unwrap();
            for event in events {
                let slot = self.registered.iter().position(|registered| {
                    registered
                        .as_ref()
                        .is_some_and(|registered| registered.token == event.token)
                });
                match (slot, closed) {
                    (Some(slot), _) => said[index][slot] |= event.ready,
                    (None, Some(token)) if token == event.token => {
                        assert_eq!(event.ready, Ready::NVAL, "{event:?} on {name}");
                    }
                    _ => panic!("{event:?} on {name} is of nobody"),
                }
            }
        }
        for (slot, registration) in self.registered.iter_mut().enumerate() {
            let Some(registration) = registration else {
                continue;
            };
            let truth = Interest::answered_by(truth[slot]);
            for (index, (name, _)) in self.hubs.iter().enumerate() {
                let ready = said[index][slot];
                let answered = Interest::answered_by(ready);
                let fail = |expected: Interest| {
                    panic!("slot {slot} on {name}: {ready:?} is reported, {expected:?} is true")
                };
                if self.trigger == Trigger::Edge {
                    let believed = &mut registration.believed[index];
                    *believed |= answered;
                    if ready.has(Ready::HUP | Ready::ERR) {
                        registration.ended[index] = Interest::BOTH;
                    } else if ready.has(Ready::RDHUP) {
                        registration.ended[index] |= Interest::READ;
                    }
                    // Nothing that is ready is unknown, or its waiter would wait for ever.
                    if !truth.without(*believed).is_none() {
                        fail(truth);
                    }
                } else {
                    let unasked = Interest::BOTH.without(registration.armed);
                    let expected = truth.without(unasked);
                    if answered.without(unasked) != expected {
                        fail(expected);
                    }
                    if registration.armed.is_none() && !ready.is_none() {
                        fail(Interest::NONE);
                    }
                }
            }
            if self.trigger == Trigger::Oneshot {
                registration.armed = registration.armed.without(truth);
            }
        }
    }
}

fn run(trigger: Trigger, steps: Vec<Step>) {
    let _turn = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|broken| broken.into_inner());
    let mut world = World::new(trigger);
    for slot in 0..SLOTS {
        world.run(Step::Open(slot, false));
        world.run(Step::Add(slot));
    }
    for step in steps {
        world.run(step);
    }
    world.wait(None);
}

fn script() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edge(steps in script()) {
        run(Trigger::Edge, steps);
    }

    #[test]
    fn oneshot(steps in script()) {
        run(Trigger::Oneshot, steps);
    }

    #[test]
    fn level(steps in script()) {
        run(Trigger::Level, steps);
    }
}
