//! Millions of events, changes and timers leave memory and descriptors as they were
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use hub::*;

const NAMES: [&std::ffi::CStr; 4] = [c"epoll", c"poll", c"select", c"polling"];

/// Resident memory in KiB. The allocator keeps some of what was freed, so that only growth over
/// many rounds says something.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

struct Load {
    hub: *mut Hub,
    pairs: Vec<(UnixStream, UnixStream)>,
    events: Vec<HubEvent>,
    told: usize,
    timers: u64,
}

impl Load {
    fn new(name: &std::ffi::CStr) -> Load {
        // SAFETY: it is a C string.
        let hub = unsafe { hub_create(name.as_ptr()) };
        let pairs: Vec<_> = (0..300).map(|_| UnixStream::pair().unwrap()).collect();
        for (near, far) in &pairs {
            assert_eq!(hub_add(hub, near.as_raw_fd(), HUB_READ), 0);
            (&*far).write_all(b"x").unwrap();
        }
        Load {
            hub,
            pairs,
            events: vec![HubEvent::default(); 512],
            told: 0,
            timers: 0,
        }
    }

    /// Waits with much room and with little, and in between changes everything there is.
    fn round(&mut self, number: usize) {
        let capacity = [512, 7, 512, 100][number % 4];
        // SAFETY: there is room for 512.
        let count = unsafe { hub_wait(self.hub, 0, self.events.as_mut_ptr(), capacity) };
        assert!(count > 0, "{count}");
        self.told += count as usize;
        let (near, far) = &self.pairs[number % self.pairs.len()];
        let fd = near.as_raw_fd();
        assert_eq!(hub_modify(self.hub, fd, HUB_READ | HUB_WRITE), 0);
        assert_eq!(hub_remove(self.hub, fd), 0);
        (&*near).read_exact(&mut [0]).unwrap();
        (&*far).write_all(b"x").unwrap();
        assert_eq!(hub_add(self.hub, fd, HUB_READ), 0);
        assert_eq!(hub_add(self.hub, fd, HUB_READ), -libc::EEXIST);
        assert_eq!(hub_notify(self.hub), 0);

        let now = number as i64;
        for _ in 0..4 {
            self.timers += 1;
            assert_eq!(hub_timer_add(self.hub, now, self.timers), 0);
        }
        assert_eq!(hub_timer_cancel(self.hub, self.timers), 0);
        let mut tokens = [0; 8];
        // SAFETY: there is room for eight.
        let count = unsafe { hub_timer_expired(self.hub, now, tokens.as_mut_ptr(), 8) };
        assert_eq!(count, 3);
    }

    /// Runs until this many events have been told.
    fn run(&mut self, events: usize) {
        let mut number = 0;
        while self.told < events {
            self.round(number);
            number += 1;
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        assert_eq!(hub_destroy(self.hub), 0);
    }
}

/// Compares after a tenth and at the end.
fn events_leave_no_trace(events: usize) {
    let open = descriptors();
    for name in NAMES {
        let mut load = Load::new(name);
        load.run(events / 10);
        let early = resident();
        load.run(events);
        let late = resident();
        drop(load);
        println!("{name:?}: {events} events, {early} KiB after a tenth, {late} KiB at the end");
        assert!(late <= early + 512, "{name:?}: from {early} to {late} KiB");
        assert_eq!(descriptors(), open, "{name:?}");
    }
}

fn hubs_leave_no_trace(hubs: usize) {
    let run = |count| {
        for number in 0..count {
            drop(Load {
                // SAFETY: it is a C string.
                hub: unsafe { hub_create(NAMES[number % 4].as_ptr()) },
                pairs: Vec::new(),
                events: Vec::new(),
                told: 0,
                timers: 0,
            });
        }
    };
    let open = descriptors();
    run(hubs / 10);
    let early = resident();
    run(hubs);
    let late = resident();
    assert!(late <= early + 512, "from {early} to {late} KiB");
    assert_eq!(descriptors(), open);
}

// One test at a time, or the others' memory would be counted: hence one of each kind.

#[test]
fn a_million_events_leave_no_trace() {
    events_leave_no_trace(1_000_000);
    hubs_leave_no_trace(10_000);
}

#[test]
#[ignore = "ten times as long: make test-long"]
fn ten_million_events_leave_no_trace() {
    events_leave_no_trace(10_000_000);
}
