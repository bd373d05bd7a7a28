//! The loops on the `Hub` trait, and on `Timers`, with nothing between

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use hub_core::{Event, Hub, Interest, Timers, Token, Trigger};

use crate::figure::{FAR, Figure, TIMERS, Work, counters, raise, read};

pub(crate) fn open(name: &str) -> io::Result<Box<dyn Hub>> {
    Ok(match name {
        "epoll" => Box::new(hub_epoll::Epoll::new()?),
        "poll" => Box::new(hub_poll::Poll::new()?),
        "select" => Box::new(hub_select::Select::new()?),
        "polling" => Box::new(hub_polling::Polling::new()?),
        _ => panic!("no hub {name}"),
    })
}

fn add(hub: &mut dyn Hub, counter: &File, number: usize) {
    let token = Token::from_raw(number as u64);
    hub.add(counter.as_fd(), token, Trigger::Level).unwrap();
    hub.arm(counter.as_fd(), token, Interest::READ).unwrap();
}

pub(crate) fn prepare(figure: Figure, name: &str) -> Option<Work> {
    let watched = |count, value| {
        let (mut hub, counters) = (open(name).unwrap(), counters(count, value));
        let numbered = counters.iter().enumerate();
        numbered.for_each(|(number, counter)| add(&mut *hub, counter, number));
        (hub, counters)
    };
    let mut events: Vec<Event> = Vec::new();
    Some(match figure {
        Figure::Report(count) => {
            let (mut hub, counters) = watched(count, 1);
            Box::new(move |times| {
                for _ in 0..times {
                    hub.wait(Some(Duration::ZERO), &mut events).unwrap();
                    assert_eq!(events.len(), counters.len());
                    events.clear();
                }
            })
        }
        Figure::Round(count) => {
            let (mut hub, counters) = watched(count, 0);
            Box::new(move |times| {
                for _ in 0..times {
                    counters.iter().for_each(raise);
                    let mut left = counters.len();
                    while left > 0 {
                        hub.wait(Some(Duration::from_secs(1)), &mut events).unwrap();
                        for event in events.drain(..) {
                            read(&counters[event.token.into_raw() as usize]);
                            left -= 1;
                        }
                    }
                }
            })
        }
        Figure::Register => {
            let (mut hub, counters) = watched(101, 0);
            let token = Token::from_raw(0);
            hub.remove(counters[0].as_fd(), token).unwrap();
            Box::new(move |times| {
                for _ in 0..times {
                    add(&mut *hub, &counters[0], 0);
                    hub.remove(counters[0].as_fd(), token).unwrap();
                }
            })
        }
        Figure::Modify => {
            let (mut hub, counters) = watched(101, 0);
            Box::new(move |times| {
                for number in 0..times {
                    let interest = [Interest::BOTH, Interest::READ][number % 2];
                    let fd = counters[0].as_fd();
                    hub.arm(fd, Token::from_raw(0), interest).unwrap();
                }
            })
        }
        Figure::Cancel => {
            let mut timers = running();
            Box::new(move |times| {
                for _ in 0..times {
                    let key = timers.add(FAR + TIMERS / 2, TIMERS);
                    assert_eq!(timers.cancel(key), Some(TIMERS));
                }
            })
        }
        Figure::Expire => {
            let mut timers = running();
            Box::new(move |times| {
                for _ in 0..times {
                    timers.add(1, TIMERS);
                    assert_eq!(timers.expire(1), Some((1, TIMERS)));
                }
            })
        }
    })
}

fn running() -> Timers<u64> {
    let mut timers = Timers::new();
    for token in 0..TIMERS {
        timers.add(FAR + token, token);
    }
    timers
}
