//! The reactor on this hub

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use hub_core::{Cause, Direction, NotReady, Reactor};

#[test]
fn a_reader_is_woken_and_a_timer_expires() {
    let mut reactor: Reactor<&str> = Reactor::new(Box::new(hub_epoll::Epoll::new().unwrap()));
    let (mut near, far) = UnixStream::pair().unwrap();
    far.set_nonblocking(true).unwrap();
    let far = Rc::new(far);
    let token = reactor.add(far.clone()).unwrap();
    assert!(reactor.is_ready(token, Direction::Read));
    assert!((&*far).read(&mut [0; 8]).is_err());
    reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
    reactor.park(token, Direction::Read, "reader").unwrap();
    let deadline = reactor.now() + Duration::from_millis(5);
    reactor.add_timer(deadline, "timer");
    let mut woken = Vec::new();
    for _ in 0..100 {
        reactor.turn(None, &mut woken).unwrap();
        if !woken.is_empty() {
            break;
        }
    }
    assert_eq!((woken[0].waiter, woken[0].cause), ("timer", Cause::Expired));
    assert!(reactor.now() >= deadline);
    woken.clear();
    near.write_all(b"x").unwrap();
    reactor.turn(None, &mut woken).unwrap();
    assert_eq!(woken[0].waiter, "reader");
    assert!(reactor.is_ready(token, Direction::Read));

    let waker = reactor.waker().unwrap();
    let thread = std::thread::spawn(move || waker.wake());
    assert!((0..100).any(|_| reactor.turn(None, &mut woken).unwrap().rang));
    thread.join().unwrap();
    assert!(!reactor.is_wakeable());
    assert!(reactor.remove(token).unwrap().waiters.is_empty());
}
