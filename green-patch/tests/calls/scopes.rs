use std::thread;
use std::time::{Duration, Instant};

use green_patch::{Flags, is_monkey_patched, monkey_patch_with, original};

use crate::common::{SHORT, patched};

#[test]
fn what_is_patched_is_said() {
    assert!(monkey_patch_with(Flags::NONE).is_err());
    patched(|| {
        for name in [
            "os",
            "select",
            "socket",
            "time",
            "recv",
            "close",
            "poll",
            "nanosleep",
            "getaddrinfo",
        ] {
            assert!(is_monkey_patched(name), "{name}");
        }
        assert!(!is_monkey_patched("malloc") && !is_monkey_patched("psycopg"));
    });
}

#[test]
fn the_original_blocks_the_thread() {
    patched(|| {
        let other = green::spawn(|| ());
        original::scope(|| thread::sleep(SHORT));
        original::sleep(SHORT);
        assert!(!other.is_dead());
        thread::sleep(Duration::from_millis(1));
        assert!(other.is_dead());
    });
}

#[test]
fn scopes_nest_and_end_by_a_panic_too() {
    patched(|| {
        original::scope(|| {
            let other = green::spawn(|| ());
            green_patch::patched(|| thread::sleep(SHORT));
            assert!(other.is_dead());
            let third = green::spawn(|| ());
            thread::sleep(SHORT);
            assert!(!third.is_dead());
        });
        let caught = std::panic::catch_unwind(|| {
            original::scope(|| std::panic::resume_unwind(Box::new(())))
        });
        assert!(caught.is_err());
        let other = green::spawn(|| ());
        thread::sleep(SHORT);
        assert!(other.is_dead());
    });
}

#[test]
fn one_that_is_spawned_in_a_scope_is_not_in_it() {
    patched(|| {
        let start = Instant::now();
        let sleepers: Vec<_> = original::scope(|| {
            (0..50)
                .map(|_| green::spawn(|| thread::sleep(SHORT)))
                .collect()
        });
        green::joinall(&sleepers);
        assert!(start.elapsed() < SHORT * 25);
    });
}

#[test]
fn a_destructor_that_waits_while_the_thread_unwinds_blocks() {
    struct Sleeps;
    impl Drop for Sleeps {
        fn drop(&mut self) {
            thread::sleep(SHORT);
        }
    }
    patched(|| {
        let start = Instant::now();
        let failed = green::spawn(|| {
            let _sleeps = Sleeps;
            std::panic::resume_unwind(Box::new("a panic"));
        });
        let other = green::spawn(|| ());
        assert!(failed.join().is_err());
        assert!(start.elapsed() >= SHORT);
        other.join().unwrap();
    });
}
