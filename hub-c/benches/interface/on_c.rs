//! The loops in C's terms

use std::ffi::CString;
use std::os::fd::AsRawFd;

use hub::{HUB_READ, HUB_WRITE, Hub, HubEvent};

use crate::figure::{CAPACITY, FAR, Figure, TIMERS, Work, counters, raise, read};
use crate::native::Native;

const SECOND: i64 = 1_000_000_000;

/// A hub, and room for its reports.
struct Room {
    native: Native,
    hub: *mut Hub,
    events: Vec<HubEvent>,
}

impl Room {
    fn wait(&mut self, timeout: i64) -> &[HubEvent] {
        let (room, capacity) = (self.events.as_mut_ptr(), CAPACITY as u32);
        // SAFETY: there is room for this many.
        let count = unsafe { (self.native.wait)(self.hub, timeout, room, capacity) };
        assert!(count > 0, "{count}");
        &self.events[..count as usize]
    }
}

pub(crate) fn prepare(figure: Figure, name: &str) -> Option<Work> {
    let native = Native::load();
    let name = CString::new(name).unwrap();
    // SAFETY: it is a C string.
    let hub = unsafe { (native.create)(name.as_ptr()) };
    assert!(!hub.is_null(), "no hub {name:?}");
    let add = move |fd| assert_eq!((native.add)(hub, fd, HUB_READ), 0);
    let mut room = Room {
        native,
        hub,
        events: vec![HubEvent::default(); CAPACITY],
    };
    Some(match figure {
        Figure::Report(count) => {
            let counters = counters(count, 1);
            counters.iter().for_each(|counter| add(counter.as_raw_fd()));
            Box::new(move |times| {
                for _ in 0..times {
                    assert_eq!(room.wait(0).len(), counters.len());
                }
            })
        }
        Figure::Round(count) => {
            let counters = counters(count, 0);
            counters.iter().for_each(|counter| add(counter.as_raw_fd()));
            let highest = counters.iter().map(|counter| counter.as_raw_fd() as usize);
            let mut by_fd = vec![0; highest.max()? + 1];
            for (index, counter) in counters.iter().enumerate() {
                by_fd[counter.as_raw_fd() as usize] = index;
            }
            Box::new(move |times| {
                for _ in 0..times {
                    counters.iter().for_each(raise);
                    let mut left = counters.len();
                    while left > 0 {
                        for event in room.wait(SECOND) {
                            read(&counters[by_fd[event.fd as usize]]);
                            left -= 1;
                        }
                    }
                }
            })
        }
        Figure::Register => {
            let counters = counters(101, 0);
            counters[1..]
                .iter()
                .for_each(|counter| add(counter.as_raw_fd()));
            Box::new(move |times| {
                let fd = counters[0].as_raw_fd();
                for _ in 0..times {
                    add(fd);
                    assert_eq!((native.remove)(hub, fd), 0);
                }
            })
        }
        Figure::Modify => {
            let counters = counters(101, 0);
            counters.iter().for_each(|counter| add(counter.as_raw_fd()));
            Box::new(move |times| {
                for number in 0..times {
                    let interest = [HUB_READ | HUB_WRITE, HUB_READ][number % 2];
                    let fd = counters[0].as_raw_fd();
                    assert_eq!((native.modify)(hub, fd, interest), 0);
                }
            })
        }
        Figure::Cancel => {
            (0..TIMERS).for_each(|token| add_timer(native, hub, FAR + token, token));
            Box::new(move |times| {
                for _ in 0..times {
                    add_timer(native, hub, FAR + TIMERS / 2, TIMERS);
                    assert_eq!((native.timer_cancel)(hub, TIMERS), 0);
                }
            })
        }
        Figure::Expire => {
            (0..TIMERS).for_each(|token| add_timer(native, hub, FAR + token, token));
            Box::new(move |times| {
                let mut token = 0;
                for _ in 0..times {
                    add_timer(native, hub, 1, TIMERS);
                    // SAFETY: there is room for one.
                    let count = unsafe { (native.timer_expired)(hub, 1, &mut token, 1) };
                    assert_eq!((count, token), (1, TIMERS));
                }
            })
        }
    })
}

fn add_timer(native: Native, hub: *mut Hub, deadline: u64, token: u64) {
    assert_eq!((native.timer_add)(hub, deadline as i64, token), 0);
}
