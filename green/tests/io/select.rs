//! Waiting for the first of several.

use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::select::{Interest, Poll, race, select};

#[test]
fn what_is_ready_is_seen_by_a_look_and_seen_again() {
    let (a, mut far) = UnixStream::pair().unwrap();
    assert!(
        select(&[a.as_fd()], &[], Duration::ZERO)
            .unwrap()
            .is_empty()
    );
    far.write_all(b"x").unwrap();
    for _ in 0..2 {
        let ready = select(&[a.as_fd()], &[], Duration::ZERO).unwrap();
        assert_eq!(ready.readable, [0]);
    }
}

#[test]
fn others_run_while_one_selects() {
    let (a, far) = UnixStream::pair().unwrap();
    let ran = Rc::new(Cell::new(0));
    let count = Rc::clone(&ran);
    green::spawn_n(move || {
        for _ in 0..10 {
            count.set(count.get() + 1);
            green::sleep(Duration::from_millis(1));
        }
        (&far).write_all(b"x").unwrap();
        green::sleep(Duration::from_secs(60));
    });
    let ready = select(&[a.as_fd()], &[], None).unwrap();
    assert_eq!((ready.readable, ran.get()), (vec![0], 10));
}

#[test]
fn all_that_are_ready_are_given() {
    let (a, mut far_a) = UnixStream::pair().unwrap();
    let (b, _far_b) = UnixStream::pair().unwrap();
    let (c, far_c) = UnixStream::pair().unwrap();
    far_a.write_all(b"x").unwrap();
    drop(far_c);
    let read = [a.as_fd(), b.as_fd(), c.as_fd()];
    let ready = select(&read, &[b.as_fd()], None).unwrap();
    assert_eq!(ready.readable, [0, 2]);
    assert_eq!(ready.writable, [0]);
}

#[test]
fn nothing_in_time() {
    let (a, _far) = UnixStream::pair().unwrap();
    let start = Instant::now();
    assert!(
        select(&[a.as_fd()], &[], Duration::from_millis(10))
            .unwrap()
            .is_empty()
    );
    assert!(start.elapsed() >= Duration::from_millis(10));
    assert_eq!(green::debug::counters().descriptors, 0);
}

#[test]
fn one_descriptor_in_both_directions_and_from_two_greenthreads() {
    let (a, mut far) = UnixStream::pair().unwrap();
    let ready = select(&[a.as_fd()], &[a.as_fd()], None).unwrap();
    assert_eq!((ready.readable.len(), ready.writable.len()), (0, 1));
    let a = Rc::new(a);
    let both: Vec<_> = (0..2)
        .map(|_| {
            let a = Rc::clone(&a);
            green::spawn(move || select(&[a.as_fd()], &[], None).unwrap().readable)
        })
        .collect();
    green::yield_now();
    far.write_all(b"x").unwrap();
    for gt in both {
        assert_eq!(gt.join().unwrap(), [0]);
    }
}

#[test]
fn an_interrupted_wait_leaves_nothing_behind() {
    let (a, mut far) = UnixStream::pair().unwrap();
    let elapsed =
        green::Timeout::new(Duration::from_millis(2)).run(|| select(&[a.as_fd()], &[], None));
    assert!(elapsed.is_err());
    let counters = green::debug::counters();
    assert_eq!(
        (counters.descriptors, counters.readers, counters.timers),
        (0, 0, 0)
    );
    far.write_all(b"x").unwrap();
    assert_eq!(select(&[a.as_fd()], &[], None).unwrap().readable, [0]);
}

#[test]
fn a_set_is_used_again_and_changed() {
    let (mut a, mut far) = UnixStream::pair().unwrap();
    let mut poll = Poll::new();
    poll.add(a.as_fd(), Interest::READ, 'a').unwrap();
    far.write_all(b"x").unwrap();
    assert_eq!(poll.wait(None).unwrap().len(), 1);
    a.read_exact(&mut [0]).unwrap();
    assert!(poll.wait(Duration::from_millis(1)).unwrap().is_empty());
    poll.modify(&'a', Interest::BOTH).unwrap();
    let ready = poll.wait(None).unwrap();
    assert!(ready[0].1.is_writable() && !ready[0].1.is_readable());
    poll.remove(&'a').unwrap();
    assert!(poll.is_empty());
    assert!(poll.remove(&'a').is_err());
    assert!(poll.wait(Duration::from_millis(1)).unwrap().is_empty());
}

#[test]
fn a_file_is_always_ready() {
    let file = std::fs::File::open("Cargo.toml").unwrap();
    let ready = select(&[file.as_fd()], &[file.as_fd()], None).unwrap();
    assert_eq!((ready.readable, ready.writable), (vec![0], vec![0]));
}

type Call = Box<dyn FnOnce() -> u32>;

#[test]
fn the_losers_of_a_race_are_killed() {
    struct Note(Rc<Cell<bool>>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let ended = Rc::new(Cell::new(false));
    let note = Note(Rc::clone(&ended));
    let calls: Vec<Call> = vec![
        Box::new(move || {
            let _note = note;
            green::sleep(Duration::from_secs(60));
            0
        }),
        Box::new(|| 1),
    ];
    let done = race(calls, None);
    assert_eq!(
        done.iter().map(|(place, _)| *place).collect::<Vec<_>>(),
        [1]
    );
    assert!(ended.get());
    assert_eq!(green::debug::counters().greenthreads, 1);
}

#[test]
fn those_ready_in_the_same_turn_are_all_given() {
    let calls: Vec<Call> = vec![Box::new(|| 1), Box::new(|| 2), Box::new(|| panic!("three"))];
    let done = race(calls, None);
    assert_eq!(done.len(), 3);
    assert_eq!(*done[1].1.as_ref().unwrap(), 2);
    assert!(done[2].1.is_err());
}

#[test]
fn a_race_in_time_or_not() {
    let calls: Vec<Call> = vec![Box::new(|| {
        green::sleep(Duration::from_secs(60));
        0
    })];
    assert!(race(calls, Duration::from_millis(2)).is_empty());
    assert!(race(Vec::<Call>::new(), None).is_empty());
    assert_eq!(green::debug::counters().greenthreads, 1);
}

#[test]
fn a_killed_race_kills_its_calls() {
    let gt = green::spawn(|| {
        let calls: Vec<Call> = vec![Box::new(|| {
            green::sleep(Duration::from_secs(60));
            0
        })];
        race(calls, None);
    });
    green::yield_now();
    green::yield_now();
    gt.kill();
    assert!(gt.join().is_err());
    green::yield_now();
    assert_eq!(green::debug::counters().greenthreads, 1);
}

/// Starts `wait` on its own, closes `near` under it, and gives how that ended.
fn close_under<T: 'static>(
    near: &Rc<green::net::UnixStream>,
    wait: impl FnOnce(&green::net::UnixStream) -> std::io::Result<T> + 'static,
) -> std::io::Error {
    let waits = Rc::clone(near);
    let gt = green::spawn(move || wait(&waits).err());
    green::yield_now();
    near.close();
    let ended = green::Timeout::new(Duration::from_secs(60)).run(|| gt.join());
    let error = ended.expect("it hangs").unwrap();
    error.expect("it is ready, though closed")
}

#[test]
fn closing_a_socket_that_is_selected_is_an_error() {
    let (near, _far) = green::net::UnixStream::pair().unwrap();
    let near = Rc::new(near);
    let error = close_under(&near, |near| select(&[near.as_fd()], &[], None));
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected, "{error}");
    // And so is every further select, at once.
    for timeout in [Some(Duration::ZERO), None] {
        assert!(select(&[near.as_fd()], &[], timeout).is_err());
    }
    // The number of the closed one may be given out again when it is gone.
    drop(near);
    let others: Vec<_> = (0..5)
        .map(|_| green::net::UnixStream::pair().unwrap())
        .collect();
    for (one, other) in &others {
        (&*other).write_all(b"x").unwrap();
        let ready = select(&[one.as_fd()], &[], None).unwrap();
        assert_eq!(ready.readable, [0]);
    }
}

#[test]
fn closing_a_socket_that_another_call_waits_for_is_an_error() {
    let (near, _far) = green::net::UnixStream::pair().unwrap();
    let near = Rc::new(near);
    let error = close_under(&near, |near| {
        green::hubs::trampoline(near, green::hubs::Direction::Read, None)
    });
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected, "{error}");
    let (near, _far) = green::net::UnixStream::pair().unwrap();
    let error = close_under(&Rc::new(near), |near| green::os::read(near, &mut [0; 8]));
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected, "{error}");
}

#[test]
fn a_set_refuses_what_was_closed_until_it_is_removed() {
    let (near, _far) = green::net::UnixStream::pair().unwrap();
    let (other, mut far_other) = UnixStream::pair().unwrap();
    let mut poll = Poll::new();
    poll.add(near.as_fd(), Interest::READ, "near").unwrap();
    poll.add(other.as_fd(), Interest::READ, "other").unwrap();
    far_other.write_all(b"x").unwrap();
    assert_eq!(poll.wait(None).unwrap().len(), 1);
    drop(near);
    for _ in 0..2 {
        let error = poll.wait(Duration::from_secs(60)).unwrap_err();
        assert!(error.to_string().contains("its owner has closed it"));
    }
    poll.remove(&"near").unwrap();
    assert_eq!(poll.wait(None).unwrap().len(), 1);
}

#[test]
fn a_number_that_is_not_open_is_an_error_each_time() {
    // SAFETY: nothing is done with the number but to find that it is not open, and no system gives it out.
    let nothing = unsafe { std::os::fd::BorrowedFd::borrow_raw(0x0fff_ffff) };
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"x").unwrap();
    for _ in 0..2 {
        assert!(select(&[near.as_fd(), nothing], &[], None).is_err());
        assert_eq!(select(&[near.as_fd()], &[], None).unwrap().readable, [0]);
    }
}

/// What came of one of several unlike calls.
#[derive(Debug, PartialEq)]
enum Came {
    Item(u32),
    Sent(&'static str),
    Bytes(usize),
    Ended,
    Child(bool),
}

#[test]
fn the_first_of_unlike_calls() {
    type Call = Box<dyn FnOnce() -> Came>;
    let queue = Rc::new(green::Queue::unbounded());
    let event = Rc::new(green::Event::new());
    let (near, far) = green::net::UnixStream::pair().unwrap();
    let near = Rc::new(near);
    let gt = Rc::new(green::spawn(|| green::sleep(Duration::from_secs(60))));
    let calls = || -> Vec<Call> {
        let (queue, event) = (Rc::clone(&queue), Rc::clone(&event));
        let (near, gt) = (Rc::clone(&near), Rc::clone(&gt));
        vec![
            Box::new(move || Came::Item(queue.get().unwrap())),
            Box::new(move || Came::Sent(event.wait().unwrap())),
            Box::new(move || Came::Bytes((&*near).read(&mut [0; 8]).unwrap())),
            Box::new(move || {
                let _ = gt.wait();
                Came::Ended
            }),
            Box::new(|| {
                let mut sleep = green::process::Command::new("sleep");
                let status = sleep.arg("60").status();
                Came::Child(status.is_ok())
            }),
        ]
    };
    let first = || {
        let done = race(calls(), Duration::from_secs(30));
        let mut done: Vec<_> = done.into_iter().map(|(_, came)| came.unwrap()).collect();
        assert_eq!(done.len(), 1, "{done:?}");
        done.remove(0)
    };
    let put = Rc::clone(&queue);
    green::spawn_after(Duration::from_millis(2), move || put.put(7).unwrap());
    assert_eq!(first(), Came::Item(7));
    let wrote = green::spawn_after(Duration::from_millis(2), move || {
        (&far).write_all(b"abc").unwrap();
        far
    });
    assert_eq!(first(), Came::Bytes(3));
    let _far = wrote.join().unwrap();
    let kill = Rc::clone(&gt);
    green::spawn_after(Duration::from_millis(2), move || kill.kill());
    assert_eq!(first(), Came::Ended);
    // What the losers waited for is untouched.
    queue.put(8).unwrap();
    assert_eq!(queue.try_get().unwrap(), 8);
    event.send("late").unwrap();
    assert_eq!(event.wait().unwrap(), "late");
}
