//! Hubs and reactors give back every descriptor they open
//!
//! It counts the descriptors of the process, so nothing else may run beside it.

#![cfg(target_os = "linux")]

mod common;

use std::rc::Rc;

use common::{HUBS, pair};
use hub_core::{Direction, Reactor, Waker};

fn open() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn descriptors_are_closed_when_a_thread_ends_and_after_a_swap() {
    let before = open();
    let wakers: Vec<Waker> = HUBS
        .into_iter()
        .map(|(_, make)| {
            let thread = std::thread::spawn(move || {
                let mut reactor = Reactor::new(make().unwrap());
                let (_near, far) = pair();
                let token = reactor.add(Rc::new(far)).unwrap();
                reactor.park(token, Direction::Read, "for ever").unwrap();
                for (_, make) in HUBS {
                    let old = reactor.replace_hub(make().unwrap()).unwrap();
                    drop(old);
                }
                reactor.waker().unwrap()
            });
            thread.join().unwrap()
        })
        .collect();
    assert_eq!(
        open(),
        before + 2 * wakers.len(),
        "a waker keeps its two ends, and nothing else"
    );
    for waker in &wakers {
        waker.wake();
    }
    drop(wakers);
    assert_eq!(open(), before);
}
