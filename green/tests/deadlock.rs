//! The report when nothing can ever run again.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use common::bounded;

/// What a wait that can never end panics with.
#[track_caller]
fn report<T>(stuck: impl FnOnce() -> T) -> String {
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
                "greenthread {} (spawned at green/tests/deadlock.rs:{line}:",
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
        green::yield_now();
        killed.kill();
        later.kill();
        let report = report(|| stuck.join());
        assert_eq!(report.lines().count(), 3, "{report}");
    });
}
