//! The reactor's own work for one event: report, wake, clear, park
//!
//! The hub here makes no system call: what is left is what the reactor adds to one.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hub_core::{Direction, Event, Hub, Interest, NotReady, Reactor, Ready, Token, Trigger};

/// Every descriptor is readable, always.
struct Busy(Vec<Token>);

impl Hub for Busy {
    fn name(&self) -> &'static str {
        "busy"
    }
    fn add(&mut self, _: BorrowedFd<'_>, token: Token, _: Trigger) -> io::Result<()> {
        self.0.push(token);
        Ok(())
    }
    fn arm(&mut self, _: BorrowedFd<'_>, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }
    fn remove(&mut self, _: BorrowedFd<'_>, _: Token) -> io::Result<()> {
        Ok(())
    }
    fn wait(&mut self, _: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let ready = Ready::READ;
        events.extend(self.0.iter().map(|&token| Event { token, ready }));
        Ok(())
    }
}

fn per_event(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reactor");
    for (name, hub) in [
        ("no hub", Box::new(Busy(Vec::new())) as Box<dyn Hub>),
        ("epoll", Box::new(hub_epoll::Epoll::new().unwrap())),
    ] {
        let mut reactor = Reactor::new(hub);
        let mut sockets = Vec::new();
        for waiter in 0..64_usize {
            let (near, far) = UnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            let token = reactor.add(Rc::new(far)).unwrap();
            sockets.push((near, token));
            reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
            reactor.park(token, Direction::Read, waiter).unwrap();
        }
        let mut woken = Vec::new();
        if name == "epoll" {
            group.throughput(Throughput::Elements(1));
            group.bench_function("an empty turn on epoll", |bencher| {
                bencher.iter(|| reactor.turn(Some(Duration::ZERO), &mut woken).unwrap());
            });
            group.bench_function("clear, park, unpark on epoll", |bencher| {
                let mut next = 0;
                bencher.iter(|| {
                    next = (next + 1) % 64;
                    let token = sockets[next].1;
                    let waiter = reactor.unpark(token, Direction::Read, |_| true).unwrap();
                    assert!(!reactor.is_ready(token, Direction::Read));
                    reactor.clear_ready(token, Direction::Read, NotReady::ShortTransfer);
                    reactor.park(token, Direction::Read, waiter).unwrap();
                });
            });
            continue;
        }
        group.throughput(Throughput::Elements(64));
        group.bench_function("64 events: report, wake, clear, park", |bencher| {
            bencher.iter(|| {
                reactor.turn(Some(Duration::ZERO), &mut woken).unwrap();
                for wakeup in woken.drain(..) {
                    let token = sockets[wakeup.waiter].1;
                    assert!(reactor.is_ready(token, Direction::Read));
                    reactor.clear_ready(token, Direction::Read, NotReady::ShortTransfer);
                    reactor.park(token, Direction::Read, wakeup.waiter).unwrap();
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, per_event);
criterion_main!(benches);
