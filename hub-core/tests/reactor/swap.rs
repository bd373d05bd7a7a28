//! Another hub takes over while everything is in use

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hub_core::{Direction, NotReady, Reactor, Token};

use crate::common::{HUBS, drain, pair, write};
use crate::scripted::Scripted;
use crate::{due, try_read, waiters};

const READ: Direction = Direction::Read;
const WRITE: Direction = Direction::Write;

#[test]
fn waiters_timers_and_the_waker_move_from_any_hub_to_any_other() {
    for (from, make_old) in HUBS {
        for (to, make_new) in HUBS {
            println!("from {from} to {to}");
            let mut reactor = Reactor::new(make_old().unwrap());
            let waker = reactor.waker().unwrap();
            let (near, far) = pair();
            let far = Rc::new(far);
            let token = reactor.add(far.clone()).unwrap();
            while (&*far).write(&[0; 4096]).is_ok() {}
            reactor.turn(Some(Duration::ZERO), &mut Vec::new()).unwrap();
            reactor.clear_ready(token, READ, NotReady::WouldBlock);
            reactor.clear_ready(token, WRITE, NotReady::WouldBlock);
            reactor.park(token, READ, "reader").unwrap();
            reactor.park(token, WRITE, "writer").unwrap();
            let deadline = reactor.now() + Duration::from_millis(3);
            reactor.add_timer(deadline, "timer");
            let (eager, idle) = pair();
            let idle = reactor.add(Rc::new(idle)).unwrap();
            reactor.clear_ready(idle, READ, NotReady::WouldBlock);
            write(&eager, "x"); // The old hub has not been asked since.

            let old = reactor.replace_hub(make_new().unwrap()).unwrap();
            assert_eq!((old.name(), reactor.hub_name()), (from, to));
            drop(old);

            assert_eq!(waiters(due(&mut reactor)), ["timer"]);
            assert!(Instant::now() >= deadline);
            write(&near, "x");
            assert_eq!(waiters(due(&mut reactor)), ["reader"]);
            drain(&near);
            assert_eq!(waiters(due(&mut reactor)), ["writer"]);
            std::thread::spawn(move || waker.wake()).join().unwrap();
            let long = Some(Duration::from_secs(10));
            assert!(reactor.turn(long, &mut Vec::new()).unwrap().rang);
            if !reactor.is_ready(idle, READ) {
                reactor.park(idle, READ, "idle").unwrap();
                assert_eq!(waiters(due(&mut reactor)), ["idle"]);
            }
        }
    }
}

#[test]
fn a_hub_that_refuses_one_descriptor_changes_nothing() {
    for (name, make) in HUBS {
        let mut reactor = Reactor::new(make().unwrap());
        let sockets: Vec<_> = (0..5)
            .map(|_| pair())
            .map(|(near, far)| (near, Rc::new(far)))
            .collect();
        let add = |(_, far): &(UnixStream, Rc<UnixStream>)| {
            let token = reactor.add(far.clone()).unwrap();
            assert_eq!(try_read(&mut reactor, token, far, &mut [0; 8]), None);
            reactor.park(token, READ, token).unwrap();
            token
        };
        let tokens: Vec<Token> = sockets.iter().map(add).collect();
        let fd = sockets[3].1.as_raw_fd();
        let strict = Scripted::default();
        strict.0.borrow_mut().refused = Some(fd);
        let error = reactor
            .replace_hub(Box::new(strict))
            .err()
            .expect("it is refused");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        let text = error.to_string();
        for part in [
            &format!("descriptor {fd} "),
            name,
            "scripted",
            "it is refused",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
        assert_eq!(reactor.hub_name(), name);
        for ((near, _), token) in sockets.iter().zip(tokens) {
            write(near, "x");
            assert_eq!(waiters(due(&mut reactor)), [token]);
        }
    }
}

/// Messages run in a ring of sockets while the hub changes under them again and again.
#[test]
fn a_ring_runs_on_through_a_hundred_swaps() {
    const NODES: usize = 20;
    const LAPS: usize = 60;
    let mut reactor: Reactor<usize> = Reactor::new(HUBS[0].1().unwrap());
    // Node i reads from its inbox and writes to the outbox whose other end is the next inbox.
    let mut inboxes: Vec<Option<Rc<UnixStream>>> = vec![None; NODES];
    let mut outboxes = Vec::new();
    for node in 0..NODES {
        let (out, inbox) = pair();
        inboxes[(node + 1) % NODES] = Some(Rc::new(inbox));
        outboxes.push(out);
    }
    let inboxes: Vec<Rc<UnixStream>> = inboxes.into_iter().flatten().collect();
    let tokens: Vec<Token> = inboxes
        .iter()
        .map(|inbox| reactor.add(inbox.clone()).unwrap())
        .collect();
    let mut laps = vec![0; NODES];
    let mut runnable: Vec<usize> = (0..NODES).collect();
    for start in [0, 7, 13] {
        write(&outboxes[start], "m");
    }
    let mut swaps = 0;
    let end = Instant::now() + Duration::from_secs(60);
    while laps.iter().any(|laps| *laps < LAPS) {
        assert!(Instant::now() < end, "a message was lost: {laps:?}");
        for node in runnable.drain(..) {
            let mut buffer = [0; 2];
            while let Some(count) =
                try_read(&mut reactor, tokens[node], &inboxes[node], &mut buffer)
            {
                laps[node] += count;
                (&outboxes[node]).write_all(&buffer[..count]).unwrap();
            }
            reactor.park(tokens[node], READ, node).unwrap();
        }
        if swaps < 100 {
            let (_, make) = HUBS[(swaps + 1) % HUBS.len()];
            reactor.replace_hub(make().unwrap()).unwrap();
            swaps += 1;
        }
        let mut woken = Vec::new();
        reactor
            .turn(Some(Duration::from_secs(1)), &mut woken)
            .unwrap();
        runnable.extend(waiters(woken));
    }
    assert_eq!(swaps, 100);
    for (inbox, token) in inboxes.iter().zip(tokens) {
        assert!(reactor.remove(token).is_some());
        inbox.as_fd();
        let _ = (&**inbox).read(&mut [0; 8]);
    }
}
