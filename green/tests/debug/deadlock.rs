//! The report when nothing can ever run again.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::common::again::{again, is_again};
use crate::common::{bounded, settle, spawn_settled, until};

/// What a wait that can never end panics with, without the stacks that the environment may ask for.
#[track_caller]
fn report<T>(stuck: impl FnOnce() -> T) -> String {
    let report = whole_report(stuck);
    let lines = report.lines().filter(|line| !line.starts_with("      "));
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn whole_report<T>(stuck: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(stuck)) {
        Ok(_) => panic!("it is not stuck"),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    }
}

fn long() -> Duration {
    Duration::from_secs(3600)
}

#[test]
fn the_report_says_who_waits_for_what_and_where_it_was_spawned() {
    bounded(|| {
        let event = Rc::new(green::Event::<()>::new());
        let queue = green::Queue::<()>::unbounded();
        let waits = Rc::clone(&event);
        let line = line!() + 1;
        let first = green::spawn(move || waits.wait());
        let named = green::Builder::new().name("getter");
        let second = named.spawn(move || queue.get()).unwrap();
        let ids = [first.id(), second.id()];
        let report = report(|| first.join());
        let lines: Vec<_> = report.lines().collect();
        assert!(lines[0].starts_with("deadlock:"), "{report}");
        assert!(
            lines[1].contains("the thread's own greenthread waits for the end of greenthread"),
            "{report}"
        );
        assert!(
            lines[2].contains(&format!(
                "greenthread {} (spawned at green/tests/debug/deadlock.rs:{line}:",
                ids[0]
            )),
            "{report}"
        );
        assert!(lines[2].contains("waits for"), "{report}");
        assert!(
            lines[3].contains(&format!("greenthread {} ", ids[1])),
            "{report}"
        );
        assert!(lines[3].contains("\"getter\""), "{report}");
        assert_eq!(lines.len(), 4, "{report}");
    });
}

#[test]
fn primitives_are_named() {
    bounded(|| {
        let reasons = [
            report(|| green::Event::<()>::new().wait()),
            report(|| drop(green::Semaphore::new(0).acquire())),
            report(|| green::Queue::<()>::unbounded().get()),
            report(|| green::GreenPool::new(0).spawn(|| ())),
            report(|| {
                let stuck = green::spawn(|| green::Event::<()>::new().wait());
                green::joinall([&stuck])
            }),
        ];
        for (reason, name) in
            reasons
                .iter()
                .zip(["event", "semaphore", "queue", "pool", "one of several"])
        {
            let own = reason.lines().nth(1).unwrap();
            assert!(own.contains(name), "{name}: {reason}");
        }
    });
}

#[test]
fn a_wait_for_oneself_is_a_deadlock() {
    bounded(|| {
        let report = report(|| green::joinall([green::current()]));
        assert!(
            report.contains("the thread's own greenthread waits for"),
            "{report}"
        );
    });
}

#[test]
fn the_thread_goes_on_after_it() {
    bounded(|| {
        let event = Rc::new(green::Event::<i32>::new());
        let waits = Rc::clone(&event);
        let stuck = green::spawn(move || waits.wait().unwrap());
        for _ in 0..3 {
            report(|| stuck.wait());
        }
        event.send(5).unwrap();
        assert_eq!(stuck.join().unwrap(), 5);
        assert_eq!(green::spawn(|| 1).join().unwrap(), 1);
    });
}

#[test]
fn a_masked_wait_is_no_way_around_it() {
    bounded(|| {
        let report = report(|| green::mask(|| green::Event::<()>::new().wait()));
        assert!(report.starts_with("deadlock:"), "{report}");
    });
}

#[test]
fn who_can_still_be_woken_is_not_deadlocked() {
    bounded(|| {
        // By time.
        let event = Rc::new(green::Event::<i32>::new());
        let sender = Rc::clone(&event);
        green::spawn_after(Duration::from_millis(2), move || sender.send(1));
        assert_eq!(event.wait().unwrap(), 1);
        // By a descriptor.
        let listener = green::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = green::spawn(move || listener.accept().is_ok());
        let client = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(2));
            std::net::TcpStream::connect(address).unwrap();
        });
        assert!(accepted.join().unwrap());
        client.join().unwrap();
        // By another thread that holds a handle.
        let handle = green::hubs::handle().unwrap();
        let event = Rc::new(green::Event::<i32>::new());
        let stuck = Rc::clone(&event);
        let stuck = green::spawn(move || stuck.wait());
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            handle.spawn(|| ()).unwrap();
        });
        let report = report(|| stuck.join());
        assert!(
            other.join().is_ok(),
            "the report came when the handle was gone"
        );
        assert!(report.starts_with("deadlock:"), "{report}");
    });
}

#[test]
fn a_killed_waiter_is_not_in_the_report() {
    bounded(|| {
        let stuck = green::spawn(|| green::Event::<()>::new().wait());
        let killed = green::spawn(|| green::Event::<()>::new().wait());
        let later = green::spawn_after(long(), || ());
        settle();
        killed.kill();
        later.kill();
        let report = report(|| stuck.join());
        assert_eq!(report.lines().count(), 3, "{report}");
    });
}

/// Two greenthreads take a lock each, and when both have theirs that of the other.
fn crossed([a, b]: [impl Fn() + Clone + 'static; 2]) -> String {
    let held = Rc::new(Cell::new(0));
    let cross = |own: &dyn Fn(), others: &dyn Fn(), held: &Cell<u32>| {
        own();
        held.set(held.get() + 1);
        until(|| held.get() == 2);
        others();
    };
    let (first_a, first_b, first_held) = (a.clone(), b.clone(), Rc::clone(&held));
    let one = green::spawn(move || cross(&first_a, &first_b, &first_held));
    let other = green::spawn(move || cross(&b, &a, &held));
    let ids = [one.id(), other.id()];
    let report = report(|| green::joinall([&one, &other]));
    for (waits, holds) in [(ids[0], ids[1]), (ids[1], ids[0])] {
        let line = report
            .lines()
            .find(|line| line.contains(&format!("  greenthread {waits} (spawned")))
            .unwrap_or_else(|| panic!("{report}"));
        let holds = format!(" that greenthread {holds} holds");
        assert!(line.ends_with(&holds), "{report}");
    }
    let [one, other] = ids.map(|id| format!("greenthread {id}"));
    let circles = [
        format!("  in a circle: {one} waits for {other}, which waits for {one}"),
        format!("  in a circle: {other} waits for {one}, which waits for {other}"),
    ];
    let last = report.lines().last().unwrap().to_owned();
    assert!(circles.contains(&last), "{report}");
    report
}

#[test]
fn who_holds_a_lock_is_named_and_the_circle_shown() {
    use green::lock::{Lock, Mutex, RLock, RwLock};
    bounded(|| {
        fn pair<T: 'static>(
            make: impl Fn() -> T,
            lock: fn(&T),
        ) -> [impl Fn() + Clone + 'static; 2] {
            [make(), make()].map(|value| {
                let value = Rc::new(value);
                move || lock(&value)
            })
        }
        let report = crossed(pair(Lock::new, |lock| lock.acquire().forget()));
        assert!(report.contains("waits for a lock at"), "{report}");
        crossed(pair(RLock::new, |lock| lock.acquire().forget()));
        crossed(pair(|| Mutex::new(1), |lock| std::mem::forget(lock.lock())));
        let report = crossed(pair(
            || RwLock::new(1),
            |lock| std::mem::forget(lock.write()),
        ));
        assert!(report.contains("waits for a write lock at"), "{report}");
    });
}

#[test]
fn a_lock_that_was_handed_on_names_its_new_owner() {
    bounded(|| {
        let lock = Rc::new(green::lock::Mutex::new(()));
        let go_on = Rc::new(green::Flag::new());
        let holder = |lock: &Rc<green::lock::Mutex<()>>, keeps: bool| {
            let (lock, go_on) = (Rc::clone(lock), Rc::clone(&go_on));
            spawn_settled(move || {
                let _guard = lock.lock().unwrap();
                go_on.wait();
                if keeps {
                    let _ = green::Event::<()>::new().wait();
                }
            })
        };
        let _first = holder(&lock, false);
        let second = holder(&lock, true);
        let third = holder(&lock, false);
        go_on.set();
        let report = report(|| third.join());
        let holds = format!(" that greenthread {} holds", second.id());
        assert!(report.contains(&holds), "{report}");
        assert!(!report.contains("circle"), "{report}");
    });
}

#[test]
fn members_and_awaited_greenthreads_are_named() {
    bounded(|| {
        let pool = green::GreenPool::new(1);
        let member = pool.spawn(|| green::Event::<()>::new().wait());
        let text = report(|| pool.spawn(|| ()));
        let names = format!("whose members are greenthread {}", member.id());
        assert!(text.contains(&names), "{text}");
        let waits = [0, 1].map(|_| green::spawn(|| green::Event::<()>::new().wait()));
        let text = report(|| green::joinall(&waits));
        let [one, other] = waits.map(|gt| gt.id());
        let names = format!("one of several greenthreads: greenthread {one}, greenthread {other}");
        assert!(text.contains(&names), "{text}");
    });
}

#[test]
fn a_long_report_is_cut() {
    bounded(|| {
        let stuck: Vec<_> = (0..200)
            .map(|_| green::spawn(|| green::Event::<()>::new().wait()))
            .collect();
        let report = report(|| stuck[0].wait());
        assert_eq!(report.lines().count(), 102, "{report}");
        assert!(report.ends_with("and 101 more"), "{report}");
    });
}

#[test]
fn stacks_are_shown_if_they_are_asked_for() {
    #[inline(never)]
    fn a_wait_with_a_name() {
        let _ = green::Event::<()>::new().wait();
    }
    if is_again() {
        let stuck = green::spawn(a_wait_with_a_name);
        println!("{}", whole_report(|| stuck.join()));
        return;
    }
    for (backtrace, shown) in [("1", true), ("0", false)] {
        let output = again(module_path!(), "stacks_are_shown_if_they_are_asked_for")
            .env("RUST_BACKTRACE", backtrace)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("deadlock: "), "{text}");
        assert_eq!(text.contains("a_wait_with_a_name"), shown, "{text}");
        // That of the one that finds it out, on whose stack this happens.
        let own = text.contains("stacks_are_shown_if_they_are_asked_for::{{closure}}");
        assert_eq!(own, shown, "{text}");
    }
}

#[test]
fn who_waits_to_dump_wakes_nobody() {
    bounded(|| {
        let dumper = green::debug::dump_on_signal(green::signal::SIGUSR2).unwrap();
        let report = report(|| green::Event::<()>::new().wait());
        assert!(report.contains("\"dump on a signal\""), "{report}");
        dumper.kill();
        let listener = green::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener
            .set_accept_timeout(Some(Duration::from_millis(2)))
            .unwrap();
        assert!(listener.accept().is_err());
    });
}

#[test]
fn the_end_of_the_last_handle_is_noticed() {
    bounded(|| {
        let handle = green::hubs::handle().unwrap();
        let clone = handle.clone();
        drop(handle);
        let other = std::thread::spawn(move || {
            clone.spawn(|| ()).unwrap();
            std::thread::sleep(Duration::from_millis(10));
            drop(clone);
        });
        let report = report(|| green::Event::<()>::new().wait());
        assert!(report.starts_with("deadlock:"), "{report}");
        other.join().unwrap();
    });
}
