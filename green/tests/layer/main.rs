//! Waits that unwind nothing: `green::layer`.

#[path = "../common/mod.rs"]
mod common;

use std::cell::Cell;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use green::layer::{self, Direction, Interest, NotReady, Token, Unpark, WaitEnd};
use green::{Exit, Timeout};

use common::{SHORT, bounded};

const LONG: Duration = Duration::from_secs(60);

/// A socket that is registered, and its other end.
fn known() -> (Rc<UnixStream>, UnixStream, Token) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let near = Rc::new(near);
    let token = layer::register(near.clone()).unwrap();
    (near, far, token)
}

fn wait_known(deadline: Option<Instant>) -> WaitEnd {
    let (near, _far, token) = known();
    layer::used_up(token, Direction::Read, NotReady::WouldBlock);
    let end = layer::wait(token, near.as_raw_fd(), Direction::Read, deadline);
    assert!(layer::forget(token));
    end
}

fn wait_fds(deadline: Option<Instant>) -> WaitEnd {
    let (near, _far) = UnixStream::pair().unwrap();
    layer::wait_fds(&[(near.as_fd(), Interest::READ)], deadline)
}

fn wait_many(deadline: Option<Instant>) -> WaitEnd {
    let (a, b) = UnixStream::pair().unwrap();
    layer::wait_fds(
        &[(a.as_fd(), Interest::READ), (b.as_fd(), Interest::READ)],
        deadline,
    )
}

fn park(deadline: Option<Instant>) -> WaitEnd {
    let kept = Cell::new(None);
    layer::park("a test", deadline, |unpark| {
        kept.set(Some(unpark));
        true
    })
    .expect("it waits")
}

type Way = fn(Option<Instant>) -> WaitEnd;

/// Every wait, none of which anything ends but its deadline.
const WAYS: [(&str, Way); 5] = [
    ("sleep_until", layer::sleep_until),
    ("wait", wait_known),
    ("wait_fds of one", wait_fds),
    ("wait_fds of two", wait_many),
    ("park", park),
];

#[test]
fn each_wait_expires() {
    bounded(|| {
        for (name, way) in WAYS {
            let start = Instant::now();
            let end = way(layer::deadline(SHORT));
            assert!(matches!(end, WaitEnd::Expired), "{name}: {end:?}");
            assert!(start.elapsed() >= SHORT, "{name}");
        }
    });
}

#[test]
fn a_kill_cuts_each_wait_short_and_comes_of_the_greenthread() {
    bounded(|| {
        for (name, way) in WAYS {
            let cut = Rc::new(Cell::new(false));
            let gt = green::spawn({
                let cut = Rc::clone(&cut);
                move || {
                    cut.set(matches!(way(layer::deadline(LONG)), WaitEnd::Interrupted));
                    assert!(
                        matches!(way(layer::deadline(LONG)), WaitEnd::Interrupted),
                        "it is sticky"
                    );
                    "what it returns"
                }
            });
            green::yield_now();
            gt.kill();
            assert!(matches!(gt.join(), Err(Exit::Killed(_))), "{name}");
            assert!(cut.get(), "{name}");
        }
    });
}

#[test]
fn a_deadline_cuts_each_wait_short_and_its_scope_says_so() {
    bounded(|| {
        for (name, way) in WAYS {
            let inner = Timeout::new(SHORT).run(|| {
                assert!(
                    matches!(way(layer::deadline(LONG)), WaitEnd::Interrupted),
                    "{name}"
                );
                "what it returns"
            });
            assert!(inner.is_err(), "{name}");
            // Nothing of it is left.
            assert_eq!(Timeout::new(LONG).run(|| 1), Ok(1));
            assert!(
                matches!(way(layer::deadline(SHORT)), WaitEnd::Expired),
                "{name}"
            );
        }
    });
}

#[test]
fn the_scope_that_reports_it_is_the_one_whose_deadline_it_was() {
    bounded(|| {
        let outer = Timeout::new(SHORT).run(|| {
            let inner = Timeout::new(LONG).run(|| {
                assert!(matches!(
                    layer::sleep_until(layer::deadline(LONG)),
                    WaitEnd::Interrupted
                ));
                1
            });
            assert_eq!(inner, Ok(1));
        });
        assert!(outer.is_err());
    });
}

#[test]
fn a_deadline_that_is_set_anew_has_cut_nothing_short() {
    bounded(|| {
        let patient = Timeout::new(SHORT).run_with(|deadline| {
            assert!(matches!(
                layer::sleep_until(layer::deadline(LONG)),
                WaitEnd::Interrupted
            ));
            deadline.restart(LONG);
            1
        });
        assert_eq!(patient, Ok(1));
    });
}

#[test]
fn a_mask_holds_a_kill_back() {
    bounded(|| {
        let gt = green::spawn(|| {
            green::mask(|| {
                assert!(matches!(
                    layer::sleep_until(layer::deadline(SHORT)),
                    WaitEnd::Expired
                ));
            });
            1
        });
        green::yield_now();
        gt.kill();
        assert_eq!(gt.join().unwrap(), 1);
    });
}

#[test]
fn one_that_takes_no_notice_of_its_kill_keeps_nobody_from_running() {
    bounded(|| {
        let done = Rc::new(Cell::new(false));
        let deaf = green::spawn({
            let done = Rc::clone(&done);
            move || {
                while !done.get() {
                    let _ = layer::sleep_until(layer::deadline(LONG));
                }
            }
        });
        green::yield_now();
        green::spawn_n(move || done.set(true));
        deaf.kill();
        assert!(matches!(deaf.join(), Err(Exit::Killed(_))));
    });
}

#[test]
fn it_may_park_where_it_can_and_nowhere_else() {
    struct Asks<'a>(&'a Cell<bool>);
    impl Drop for Asks<'_> {
        fn drop(&mut self) {
            self.0.set(layer::may_park());
        }
    }
    thread::spawn(|| assert!(!layer::may_park(), "this thread knows nothing of green"))
        .join()
        .unwrap();
    green::yield_now();
    assert!(layer::may_park());
    assert!(!layer::no_switch(layer::may_park));
    assert!(layer::may_park());
    let unwinding = Cell::new(true);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _asks = Asks(&unwinding);
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(caught.is_err() && !unwinding.get());
}

#[test]
fn a_mark_goes_with_its_greenthread() {
    green::yield_now();
    assert_eq!(layer::set_mark(7), 0);
    let others = green::spawn(|| {
        let first = layer::mark();
        layer::set_mark(9);
        layer::yield_now();
        (first, layer::mark())
    });
    layer::yield_now();
    assert_eq!(layer::mark(), Some(7));
    assert_eq!(others.join().unwrap(), (Some(0), Some(9)));
    assert_eq!(layer::set_mark(0), 7);
}

#[test]
fn another_thread_ends_a_park() {
    bounded(|| {
        let place: Arc<Mutex<Option<Unpark>>> = Arc::default();
        let thread = thread::spawn({
            let place = Arc::clone(&place);
            move || loop {
                if let Some(unpark) = place.lock().unwrap().take() {
                    return unpark.wake();
                }
                thread::yield_now();
            }
        });
        let end = layer::park("another thread", None, |unpark| {
            *place.lock().unwrap() = Some(unpark);
            true
        });
        assert!(matches!(end, Some(WaitEnd::Ready)));
        thread.join().unwrap();
        assert!(layer::park("nothing", None, |_| false).is_none());
    });
}

#[test]
fn a_registered_descriptor_is_waited_for() {
    bounded(|| {
        let (near, far, token) = known();
        assert!(layer::is_ready(token, Direction::Read));
        layer::used_up(token, Direction::Read, NotReady::WouldBlock);
        assert!(!layer::is_ready(token, Direction::Read));
        green::spawn_n(move || {
            use std::io::Write;
            (&far).write_all(b"x").unwrap();
            green::sleep(LONG);
        });
        let end = layer::wait(token, near.as_raw_fd(), Direction::Read, None);
        assert!(matches!(end, WaitEnd::Ready));
        assert!(layer::forget(token) && layer::forget(token));
    });
}

#[test]
fn one_that_is_forgotten_wakes_its_waiter() {
    bounded(|| {
        let (near, _far, token) = known();
        layer::used_up(token, Direction::Read, NotReady::WouldBlock);
        let first = green::spawn({
            let near = Rc::clone(&near);
            move || {
                matches!(
                    layer::wait(token, near.as_raw_fd(), Direction::Read, None),
                    WaitEnd::Ready
                )
            }
        });
        green::yield_now();
        let second = layer::wait(token, near.as_raw_fd(), Direction::Read, None);
        assert!(
            matches!(&second, WaitEnd::Cannot(error) if error.kind() == std::io::ErrorKind::ResourceBusy)
        );
        assert!(layer::forget(token));
        assert!(first.join().unwrap());
        let gone = layer::wait(token, near.as_raw_fd(), Direction::Read, None);
        assert!(matches!(gone, WaitEnd::Cannot(_)));
    });
}

#[test]
fn who_always_succeeds_lets_the_others_run() {
    let others = Rc::new(Cell::new(0));
    green::spawn_n({
        let others = Rc::clone(&others);
        move || others.set(1)
    });
    for _ in 0..100 {
        layer::spend();
    }
    assert_eq!(others.get(), 1);
}
