//! Names to addresses.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use green::{Timeout, dns};

fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(Duration::from_secs(60))
        .run(f)
        .expect("the test hangs")
}

#[test]
fn localhost_is_found_while_others_run() {
    bounded(|| {
        let turns = Rc::new(Cell::new(0));
        let counter = Rc::clone(&turns);
        let other = green::spawn(move || {
            loop {
                counter.set(counter.get() + 1);
                green::yield_now();
            }
        });
        // One may be answered before anybody else has a turn; not all of them.
        for _ in 0..1000 {
            let found = dns::lookup("localhost", 80).unwrap();
            assert!(!found.is_empty());
            for address in found {
                assert!(address.ip().is_loopback());
                assert_eq!(address.port(), 80);
            }
            if turns.get() > 0 {
                break;
            }
        }
        assert!(turns.get() > 0);
        other.kill();
    });
}

#[test]
fn literals_need_no_resolver() {
    bounded(|| {
        assert_eq!(
            dns::lookup("127.0.0.1", 1).unwrap(),
            ["127.0.0.1:1".parse().unwrap()]
        );
        assert_eq!(dns::lookup("::1", 2).unwrap(), ["[::1]:2".parse().unwrap()]);
    });
}

#[test]
fn nonsense_is_refused() {
    bounded(|| {
        for name in ["", "a\0b", "..", "name with spaces.invalid"] {
            let error = dns::lookup(name, 1).unwrap_err();
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
            let inner: &dns::Error = inner.unwrap_or_else(|| panic!("{error:?}"));
            assert_eq!(inner.asked(), name);
            assert_ne!(error.kind(), io::ErrorKind::TimedOut);
        }
    });
}
