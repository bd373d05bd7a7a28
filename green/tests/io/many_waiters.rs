//! Where many may wait for one descriptor that is not green's own, they are served in the order of their arrival.

use std::cell::RefCell;
use std::io::{self, ErrorKind, PipeReader, PipeWriter};
use std::rc::Rc;
use std::time::Duration;

use crate::common::{SHORT, bounded, settle, tcp_pair, times_out};
use green::hubs::{Direction, trampoline};
use green::os;

/// Runs a test where many may wait, with a pipe in blocking mode.
fn many(test: impl FnOnce(&Rc<PipeReader>, &PipeWriter)) {
    bounded(|| {
        green::debug::allow_multiple_waiters(true);
        let (reader, writer) = io::pipe().unwrap();
        test(&Rc::new(reader), &writer);
        green::debug::allow_multiple_waiters(false);
    });
}

type Served = Rc<RefCell<Vec<&'static str>>>;

/// Reads `times` bytes, one after the other, and notes each.
fn reads(
    reader: &Rc<PipeReader>,
    served: &Served,
    name: &'static str,
    times: usize,
) -> green::GreenThread<()> {
    let (reader, served) = (Rc::clone(reader), Rc::clone(served));
    let handle = green::spawn(move || {
        for _ in 0..times {
            assert_eq!(os::read(&*reader, &mut [0; 1]).unwrap(), 1);
            served.borrow_mut().push(name);
        }
    });
    settle();
    handle
}

/// Writes a byte, and lets whoever is served go on.
fn give(writer: &PipeWriter, bytes: &[u8]) {
    os::write(writer, bytes).unwrap();
    for _ in 0..3 {
        green::sleep(Duration::from_millis(2));
    }
}

#[test]
fn readers_in_loops_take_turns() {
    many(|reader, writer| {
        let served = Served::default();
        let readers = ["a", "b", "c"].map(|name| reads(reader, &served, name, 3));
        for _ in 0..9 {
            give(writer, b"x");
        }
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(*served.borrow(), ["a", "b", "c"].repeat(3));
    });
}

#[test]
fn a_newcomer_does_not_overtake_who_was_woken() {
    many(|reader, writer| {
        let served = Served::default();
        let first = reads(reader, &served, "first", 1);
        let second = reads(reader, &served, "second", 1);
        let later = writer.try_clone().unwrap();
        green::spawn_n(move || {
            green::sleep(SHORT);
            give(&later, b"x");
            give(&later, b"x");
        });
        // Ready, and the first has not run yet.
        os::write(writer, b"x").unwrap();
        assert_eq!(os::read(&**reader, &mut [0; 1]).unwrap(), 1);
        served.borrow_mut().push("newcomer");
        for reader in [first, second] {
            reader.join().unwrap();
        }
        assert_eq!(*served.borrow(), ["first", "second", "newcomer"]);
    });
}

#[test]
fn much_that_comes_at_once_is_given_to_all() {
    many(|reader, writer| {
        let served = Served::default();
        let readers = ["a", "b", "c", "d"].map(|name| reads(reader, &served, name, 1));
        give(writer, b"xxxx");
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(*served.borrow(), ["a", "b", "c", "d"]);
    });
}

#[test]
fn who_is_killed_or_gives_up_lets_the_next_go_on() {
    many(|reader, writer| {
        let served = Served::default();
        let first = reads(reader, &served, "first", 1);
        let second = reads(reader, &served, "second", 1);
        let third = reads(reader, &served, "third", 1);
        // In the middle, then in front; one behind them does not wait so long.
        second.kill();
        times_out(|| os::read_timeout(&**reader, &mut [0; 1], SHORT));
        first.kill();
        give(writer, b"x");
        third.join().unwrap();
        assert_eq!(*served.borrow(), ["third"]);
        // Killed with its turn in hand.
        let first = reads(reader, &served, "first", 1);
        let second = reads(reader, &served, "second", 1);
        let third = reads(reader, &served, "third", 1);
        let killing = green::spawn(move || {
            first.kill();
            second.kill();
        });
        killing.join().unwrap();
        give(writer, b"x");
        third.join().unwrap();
        assert_eq!(*served.borrow(), ["third", "third"]);
    });
}

#[test]
fn those_who_only_wait_are_woken_in_order() {
    many(|reader, writer| {
        let served = Served::default();
        let waiters = ["a", "b", "c"].map(|name| {
            let (reader, served) = (Rc::clone(reader), Rc::clone(&served));
            green::spawn(move || {
                trampoline(&*reader, Direction::Read, None).unwrap();
                served.borrow_mut().push(name);
            })
        });
        settle();
        os::write(writer, b"x").unwrap();
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!(*served.borrow(), ["a", "b", "c"]);
        assert_eq!(os::read(&**reader, &mut [0; 2]).unwrap(), 1);
    });
}

#[test]
fn a_close_ends_all_who_stand_in_line() {
    many(|_, _| {
        let (near, _far) = tcp_pair();
        let near = Rc::new(near);
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let near = Rc::clone(&near);
                green::spawn(move || trampoline(&*near, Direction::Read, None))
            })
            .collect();
        settle();
        near.close();
        for waiter in waiters {
            let error = waiter.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
        }
    });
}
