//! Descriptors that are closed while they are registered, on every hub
//!
//! It breaks the contract, and must break nothing else. These tests close numbers that others
//! could be given at the same moment, so they run one at a time, in a process of their own.

mod common;

use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::{Make, on_each_hub, pair, write};
use hub_core::{Event, Hub, Interest, Ready, Token, Trigger};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const TRIGGERS: [Trigger; 3] = [Trigger::Edge, Trigger::Oneshot, Trigger::Level];
const CLOSED: Token = Token::from_raw(1);
const OPEN: Token = Token::from_raw(2);

fn alone(test: fn(Make)) {
    let _turn = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|broken| broken.into_inner());
    on_each_hub(test);
}

fn close(socket: UnixStream) -> RawFd {
    let fd = socket.into_raw_fd();
    // SAFETY: the number was this socket's, and nobody opens another meanwhile.
    assert_eq!(unsafe { libc::close(fd) }, 0);
    fd
}

fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: hubs hand the number to system calls, which refuse it.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn wait(hub: &mut dyn Hub, timeout: Duration) -> Vec<Event> {
    let mut events = Vec::new();
    hub.wait(Some(timeout), &mut events)
        .expect("one closed descriptor does not break the hub");
    events
}

/// Waits for `OPEN`; what is said of `CLOSED` before is NVAL, once.
fn wait_for_open(hub: &mut dyn Hub) {
    let (mut nvals, deadline) = (0, Instant::now() + Duration::from_secs(10));
    loop {
        assert!(
            Instant::now() < deadline,
            "the open descriptor is not reported"
        );
        let events = wait(hub, Duration::from_secs(1));
        for event in &events {
            if event.token == CLOSED {
                assert_eq!(event.ready, Ready::NVAL);
                nvals += 1;
            }
        }
        assert!(nvals <= 1, "NVAL is reported more than once");
        if events
            .iter()
            .any(|event| event.token == OPEN && event.ready.is_readable())
        {
            return;
        }
    }
}

/// The hub sleeps.
fn assert_asleep(hub: &mut dyn Hub) {
    let start = Instant::now();
    let mut waits = 0;
    while start.elapsed() < Duration::from_millis(30) {
        wait(hub, Duration::from_millis(30));
        waits += 1;
    }
    assert!(waits <= 4, "{waits} waits in 30 ms");
}

#[test]
fn the_others_go_on_and_the_number_is_free_after_remove() {
    alone(|make| {
        for trigger in TRIGGERS {
            for armed in [Interest::NONE, Interest::READ, Interest::BOTH] {
                let mut hub = make().unwrap();
                let (_near, far) = pair();
                let (other, open) = pair();
                hub.add(far.as_fd(), CLOSED, trigger).unwrap();
                hub.arm(far.as_fd(), CLOSED, armed).unwrap();
                wait(&mut *hub, Duration::ZERO);
                let fd = close(far);
                hub.add(open.as_fd(), OPEN, Trigger::Oneshot).unwrap();
                hub.arm(open.as_fd(), OPEN, Interest::READ).unwrap();
                write(&other, "x");
                wait_for_open(&mut *hub);
                assert_asleep(&mut *hub);
                hub.remove(borrow(fd), CLOSED).unwrap();
                let again = hub.remove(borrow(fd), CLOSED);
                assert_eq!(again.unwrap_err().kind(), ErrorKind::NotFound);
                write(&other, "x");
                hub.arm(open.as_fd(), OPEN, Interest::READ).unwrap();
                wait_for_open(&mut *hub);
            }
        }
    });
}

#[test]
fn the_next_owner_of_the_number_gets_its_own_reports() {
    alone(|make| {
        for trigger in TRIGGERS {
            for notice in [false, true] {
                let mut hub = make().unwrap();
                let (near, far) = pair();
                hub.add(far.as_fd(), CLOSED, trigger).unwrap();
                hub.arm(far.as_fd(), CLOSED, Interest::READ).unwrap();
                write(&near, "x");
                let fd = close(far);
                if notice {
                    wait(&mut *hub, Duration::ZERO);
                }
                let (open, other) = pair();
                assert_eq!(open.as_raw_fd(), fd, "the number is reused");
                // If the hub knows or not, the number is taken until it is removed.
                let early = hub.add(open.as_fd(), OPEN, trigger);
                assert_eq!(early.unwrap_err().kind(), ErrorKind::AlreadyExists);
                hub.remove(open.as_fd(), CLOSED).unwrap();
                hub.add(open.as_fd(), OPEN, trigger).unwrap();
                hub.arm(open.as_fd(), OPEN, Interest::READ).unwrap();
                assert_eq!(wait(&mut *hub, Duration::ZERO), []);
                write(&other, "x");
                let events = wait(&mut *hub, Duration::from_secs(10));
                assert!(events.iter().all(|event| event.token == OPEN), "{events:?}");
                assert_eq!(events.len(), 1);
            }
        }
    });
}

#[test]
fn a_refused_number_leaves_nothing_behind() {
    alone(|make| {
        for trigger in TRIGGERS {
            let mut hub = make().unwrap();
            let fd = close(pair().0);
            let refused = hub.add(borrow(fd), CLOSED, trigger);
            assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EBADF));
            let armed = hub.arm(borrow(fd), CLOSED, Interest::READ);
            assert_eq!(armed.unwrap_err().kind(), ErrorKind::NotFound);
            assert_asleep(&mut *hub);
            let (near, far) = pair();
            assert!(
                far.as_raw_fd() == fd || near.as_raw_fd() == fd,
                "the number is reused"
            );
            for (socket, other) in [(&near, &far), (&far, &near)] {
                hub.add(socket.as_fd(), OPEN, trigger).unwrap();
                hub.arm(socket.as_fd(), OPEN, Interest::READ).unwrap();
                write(other, "x");
                wait_for_open(&mut *hub);
                hub.remove(socket.as_fd(), OPEN).unwrap();
            }
        }
    });
}

/// epoll goes on watching a file as long as any duplicate of it is open.
#[test]
fn a_duplicate_that_lives_on_haunts_nobody() {
    alone(|make| {
        for trigger in TRIGGERS {
            let mut hub = make().unwrap();
            let (near, far) = pair();
            let (other, open) = pair();
            hub.add(open.as_fd(), OPEN, trigger).unwrap();
            hub.arm(open.as_fd(), OPEN, Interest::READ).unwrap();
            hub.add(far.as_fd(), CLOSED, trigger).unwrap();
            hub.arm(far.as_fd(), CLOSED, Interest::READ).unwrap();
            let duplicate = far.try_clone().unwrap();
            let fd = close(far);
            hub.remove(borrow(fd), CLOSED).unwrap();
            write(&near, "never read");
            assert_asleep(&mut *hub);
            write(&other, "x");
            wait_for_open(&mut *hub);
            drop(duplicate);
        }
    });
}

/// The same file comes back to the number it had, while the kernel still knows it from before.
#[test]
fn a_duplicate_may_come_back_to_the_number() {
    alone(|make| {
        for trigger in TRIGGERS {
            let mut hub = make().unwrap();
            let (near, far) = pair();
            hub.add(far.as_fd(), CLOSED, trigger).unwrap();
            hub.arm(far.as_fd(), CLOSED, Interest::READ).unwrap();
            let duplicate = far.try_clone().unwrap();
            let fd = close(far);
            hub.remove(borrow(fd), CLOSED).unwrap();
            let far = duplicate.try_clone().unwrap();
            assert_eq!(far.as_raw_fd(), fd, "the number is reused");
            hub.add(far.as_fd(), OPEN, trigger).unwrap();
            hub.arm(far.as_fd(), OPEN, Interest::READ).unwrap();
            write(&near, "x");
            wait_for_open(&mut *hub);
        }
    });
}
