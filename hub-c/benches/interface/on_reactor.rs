//! The loops on a `Reactor`, edge-triggered as it is

use std::rc::Rc;
use std::time::{Duration, Instant};

use hub_core::{Direction, NotReady, Reactor, Token};

use crate::figure::{FAR, Figure, TIMERS, Work, counters, raise, read};
use crate::on_hub::open;

/// Waits for a counter that has been read to be raised again.
fn park(reactor: &mut Reactor<usize>, token: Token, waiter: usize) {
    reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
    reactor.park(token, Direction::Read, waiter).unwrap();
}

/// `None` for what a reactor does not have.
pub(crate) fn prepare(figure: Figure, name: &str) -> Option<Work> {
    let mut reactor: Reactor<usize> = Reactor::new(open(name).unwrap());
    let mut watched = |count| -> Vec<_> {
        let counters = counters(count, 0).into_iter().map(Rc::new).enumerate();
        let watched = counters.map(|(number, counter)| {
            let token = reactor.add(counter.clone()).unwrap();
            park(&mut reactor, token, number);
            (counter, token)
        });
        watched.collect()
    };
    Some(match figure {
        Figure::Round(count) => {
            let watched = watched(count);
            let mut woken = Vec::new();
            Box::new(move |times| {
                for _ in 0..times {
                    watched.iter().for_each(|(counter, _)| raise(counter));
                    let mut left = watched.len();
                    while left > 0 {
                        reactor
                            .turn(Some(Duration::from_secs(1)), &mut woken)
                            .unwrap();
                        for wakeup in woken.drain(..) {
                            let (counter, token) = &watched[wakeup.waiter];
                            read(counter);
                            park(&mut reactor, *token, wakeup.waiter);
                            left -= 1;
                        }
                    }
                }
            })
        }
        Figure::Register => {
            let watched = watched(101);
            let (counter, token) = watched[0].clone();
            reactor.remove(token);
            Box::new(move |times| {
                assert_eq!(watched.len(), 101);
                for _ in 0..times {
                    let token = reactor.add(counter.clone()).unwrap();
                    park(&mut reactor, token, 0);
                    reactor.remove(token).unwrap();
                }
            })
        }
        Figure::Modify => {
            let token = watched(101)[0].1;
            Box::new(move |times| {
                for _ in 0..times {
                    let waiter = reactor.unpark(token, Direction::Read, |_| true).unwrap();
                    reactor.park(token, Direction::Read, waiter).unwrap();
                }
            })
        }
        Figure::Cancel => {
            let far = Instant::now() + Duration::from_nanos(FAR);
            let deadline = |number| far + Duration::from_nanos(number);
            for number in 0..TIMERS {
                reactor.add_timer(deadline(number), 0);
            }
            let middle = deadline(TIMERS / 2);
            Box::new(move |times| {
                for _ in 0..times {
                    let key = reactor.add_timer(middle, 7);
                    assert_eq!(reactor.cancel_timer(key), Some(7));
                }
            })
        }
        Figure::Report(_) | Figure::Expire => return None,
    })
}
