use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::support::*;
use hub::*;

#[test]
fn a_second_add_is_eexist_and_changes_nothing() {
    on_each(|hub| {
        let (near, far) = pair();
        assert_eq!(hub.add(&near, HUB_READ), 0);
        assert_eq!(hub.add(&near, HUB_WRITE), -libc::EEXIST);
        assert_eq!(hub.look(), []);
        (&far).write_all(b"x").unwrap();
        assert_eq!(hub.look(), [(near.as_raw_fd(), HUB_READ)]);
    });
}

#[test]
fn what_is_not_open_is_ebadf_and_leaves_nothing() {
    on_each(|hub| {
        let number = number();
        for fd in [-1, i32::MIN, i32::MAX, number] {
            assert_eq!(
                hub.add(&fd, HUB_READ),
                -libc::EBADF,
                "hub {}, {fd}",
                hub.name()
            );
            assert_eq!(hub.modify(&fd, HUB_READ), -libc::ENOENT);
            assert_eq!(hub.remove(&fd), -libc::ENOENT);
        }
        let (near, _far) = pair();
        put(&near, number);
        assert_eq!(hub.add(&number, HUB_WRITE), 0);
        assert_eq!(hub.look(), [(number, HUB_WRITE)]);
        close(number);
    });
}

#[test]
fn only_read_and_write_are_interests() {
    on_each(|hub| {
        let (near, _far) = pair();
        for interest in [4, 8, 16, 5, 0x8000_0001, u32::MAX] {
            assert_eq!(hub.add(&near, interest), -libc::EINVAL);
        }
        assert_eq!(hub.add(&near, HUB_READ), 0);
        assert_eq!(hub.modify(&near, 4), -libc::EINVAL);
        assert_eq!(hub.look(), []);
    });
}

#[test]
fn modify_replaces_the_interest() {
    on_each(|hub| {
        let (near, far) = pair();
        let fd = near.as_raw_fd();
        (&far).write_all(b"x").unwrap();
        assert_eq!(hub.add(&near, 0), 0);
        assert_eq!(hub.look(), []);
        for interest in [HUB_WRITE, HUB_READ, HUB_READ | HUB_WRITE, HUB_READ] {
            assert_eq!(hub.modify(&near, interest), 0);
            assert_eq!(hub.look(), [(fd, interest)], "hub {}", hub.name());
        }
        assert_eq!(hub.modify(&near, 0), 0);
        assert_eq!(hub.look(), []);
        assert_eq!(hub.remove(&near), 0);
        assert_eq!(hub.modify(&near, HUB_READ), -libc::ENOENT);
        assert_eq!(hub.remove(&near), -libc::ENOENT);
        assert_eq!(hub.look(), []);
        assert_eq!(hub.add(&near, HUB_READ), 0);
        assert_eq!(hub.look(), [(fd, HUB_READ)]);
    });
}

/// Registers a number, closes it behind the hub's back, and gives it to another file.
fn reused(hub: Handle, number: RawFd, first: &impl AsRawFd, second: &impl AsRawFd) {
    put(first, number);
    assert_eq!(hub.add(&number, HUB_READ), 0);
    close(number);
    put(second, number);
}

#[test]
fn modify_of_what_was_closed_is_enoent() {
    on_each(|hub| {
        for interest in [0, HUB_READ, HUB_WRITE] {
            let number = number();
            let (near, _far) = pair();
            put(&near, number);
            drop(near);
            assert_eq!(hub.add(&number, HUB_READ), 0);
            close(number);
            assert_eq!(
                hub.modify(&number, interest),
                -libc::ENOENT,
                "hub {}",
                hub.name()
            );
            assert_eq!(hub.remove(&number), -libc::ENOENT);
        }
    });
}

#[test]
fn modify_of_what_was_closed_and_reused_is_enoent_and_add_takes_it() {
    on_each(|hub| {
        for interest in [0, HUB_READ, HUB_WRITE] {
            let number = number();
            let ((one, _), (two, far)) = (pair(), pair());
            reused(hub, number, &one, &two);
            drop(one);
            assert_eq!(
                hub.modify(&number, interest),
                -libc::ENOENT,
                "hub {}",
                hub.name()
            );
            assert_eq!(hub.add(&number, HUB_READ), 0);
            (&far).write_all(b"x").unwrap();
            assert_eq!(hub.look(), [(number, HUB_READ)]);
            assert_eq!(hub.remove(&number), 0);
            close(number);
        }
    });
}

#[test]
fn add_of_what_was_closed_and_reused_replaces_the_old_registration() {
    on_each(|hub| {
        let number = number();
        for _ in 0..10 {
            let ((one, _), (two, far)) = (pair(), pair());
            reused(hub, number, &one, &two);
            drop(one);
            assert_eq!(hub.add(&number, HUB_READ), 0, "hub {}", hub.name());
            assert_eq!(hub.add(&number, HUB_READ), -libc::EEXIST);
            (&far).write_all(b"x").unwrap();
            assert_eq!(hub.look(), [(number, HUB_READ)]);
            close(number);
            assert_eq!(hub.remove(&number), 0, "what was closed can be removed");
            assert_eq!(hub.look(), []);
        }
    });
}

/// The new file is one that the system would not watch.
#[test]
fn a_number_that_was_closed_may_become_a_file_that_is_always_ready() {
    on_each(|hub| {
        let null = File::open("/dev/null").unwrap();
        let reuse = |number| {
            let (one, _) = pair();
            reused(hub, number, &one, &null);
        };
        let number = number();
        reuse(number);
        assert_eq!(
            hub.modify(&number, HUB_READ),
            -libc::ENOENT,
            "hub {}",
            hub.name()
        );
        close(number);
        reuse(number);
        assert_eq!(hub.remove(&number), 0, "hub {}", hub.name());
        close(number);
        reuse(number);
        assert_eq!(hub.add(&number, HUB_READ), 0, "hub {}", hub.name());
        assert_eq!(hub.look(), [(number, HUB_READ)]);
        close(number);
    });
}

/// All of them share one inode, so that only a kernel that remembers tells them apart.
fn counter(value: u32) -> OwnedFd {
    // SAFETY: it takes no pointers, and what it makes nobody else knows.
    unsafe { OwnedFd::from_raw_fd(libc::eventfd(value, libc::EFD_CLOEXEC)) }
}

#[test]
fn a_reused_number_of_a_counter_is_never_silently_lost() {
    on_each(|hub| {
        let number = number();
        let (one, two) = (counter(0), counter(1));
        reused(hub, number, &one, &two);
        drop(one);
        // poll and select watch the number, and take the new counter for the old one.
        match hub.modify(&number, HUB_READ) {
            0 => assert!(["poll", "select"].contains(&hub.name())),
            said => {
                assert_eq!(said, -libc::ENOENT, "hub {}", hub.name());
                assert_eq!(hub.add(&number, HUB_READ), 0);
            }
        }
        assert_eq!(hub.look(), [(number, HUB_READ)], "hub {}", hub.name());
        close(number);
    });
}

#[test]
fn what_is_closed_is_nval_once_or_silent_and_the_others_go_on() {
    on_each(|hub| {
        let number = number();
        let ((one, one_far), (two, two_far)) = (pair(), pair());
        put(&one, number);
        drop(one);
        assert_eq!(hub.add(&number, HUB_READ | HUB_WRITE), 0);
        assert_eq!(hub.add(&two, HUB_READ), 0);
        (&one_far).write_all(b"x").unwrap();
        assert!(hub.look().contains(&(number, HUB_READ | HUB_WRITE)));
        close(number);
        (&two_far).write_all(b"x").unwrap();
        let mut nvals = 0;
        for round in 0..20 {
            let mut reports = hub.look();
            nvals += reports
                .iter()
                .filter(|&&report| report == (number, HUB_NVAL))
                .count();
            reports.retain(|&report| report != (number, HUB_NVAL));
            if !reports.is_empty() || round > 0 {
                assert_eq!(reports, [(two.as_raw_fd(), HUB_READ)], "hub {}", hub.name());
            }
        }
        assert!(nvals <= 1, "hub {}: {nvals}", hub.name());
        assert_eq!(hub.remove(&number), 0);
    });
}

#[test]
fn what_is_closed_with_a_duplicate_alive_ends_with_remove() {
    on_each(|hub| {
        let number = number();
        let (near, far) = pair();
        put(&near, number); // `near` lives on.
        assert_eq!(hub.add(&number, HUB_READ), 0);
        close(number);
        (&far).write_all(b"x").unwrap();
        hub.look();
        assert_eq!(hub.remove(&number), 0);
        for _ in 0..10 {
            assert_eq!(hub.look(), [], "hub {}", hub.name());
        }
        assert_eq!(hub.add(&near, HUB_READ), 0);
        assert_eq!(hub.look(), [(near.as_raw_fd(), HUB_READ)]);
    });
}

#[test]
fn a_regular_file_is_always_ready() {
    on_each(|hub| {
        let file = File::open(
            file!()
                .rsplit('/')
                .next()
                .map_or("Cargo.toml", |_| "Cargo.toml"),
        );
        let file = file.expect("tests run in the directory of their crate");
        let both = HUB_READ | HUB_WRITE;
        assert_eq!(hub.add(&file, both), 0);
        for _ in 0..3 {
            let long = hub.wait(LONG);
            assert_eq!(long, [(file.as_raw_fd(), both)], "hub {}", hub.name());
        }
        assert_eq!(hub.add(&file, HUB_READ), -libc::EEXIST);
        assert_eq!(hub.modify(&file, HUB_READ), 0);
        assert_eq!(hub.look(), [(file.as_raw_fd(), HUB_READ)]);
        assert_eq!(hub.modify(&file, 0), 0);
        assert_eq!(hub.look(), []);
        assert_eq!(hub.remove(&file), 0);
        assert_eq!(hub.look(), []);
    });
}

#[test]
fn a_regular_file_that_is_closed_is_no_broken_loop() {
    on_each(|hub| {
        let number = number();
        put(&File::open("Cargo.toml").unwrap(), number);
        assert_eq!(hub.add(&number, HUB_READ), 0);
        close(number);
        let reports: Vec<_> = (0..10).flat_map(|_| hub.look()).collect();
        assert!(reports.len() <= 1, "hub {}: {reports:?}", hub.name());
        assert!(reports.iter().all(|&report| report == (number, HUB_NVAL)));
        assert_eq!(hub.modify(&number, HUB_WRITE), -libc::ENOENT);

        put(&File::open("Cargo.toml").unwrap(), number);
        assert_eq!(hub.add(&number, HUB_READ), 0);
        close(number);
        let (near, far) = pair();
        put(&near, number);
        assert_eq!(hub.add(&number, HUB_READ), 0, "hub {}", hub.name());
        assert_eq!(hub.look(), []);
        (&far).write_all(b"x").unwrap();
        assert_eq!(hub.look(), [(number, HUB_READ)]);
        close(number);
    });
}

#[test]
fn two_thousand_descriptors() {
    allow_many();
    on_each(|hub| {
        let pairs: Vec<_> = (0..2000).map(|_| pair()).collect();
        for (near, _) in &pairs {
            assert_eq!(hub.add(near, HUB_READ), 0);
        }
        assert!(pairs[1999].0.as_raw_fd() > 2000);
        assert_eq!(hub.look(), []);
        (&pairs[1999].1).write_all(b"x").unwrap();
        assert_eq!(hub.wait(LONG), [(pairs[1999].0.as_raw_fd(), HUB_READ)]);
        for (_, far) in &pairs[..1999] {
            (&*far).write_all(b"x").unwrap();
        }
        let mut told: Vec<_> = (0..2).flat_map(|_| hub.look()).map(|(fd, _)| fd).collect();
        told.sort_unstable();
        told.dedup();
        let all: Vec<_> = pairs.iter().map(|(near, _)| near.as_raw_fd()).collect();
        assert_eq!(told.len(), all.len(), "hub {}", hub.name());
        for (near, _) in &pairs {
            assert_eq!(hub.remove(near), 0);
        }
        assert_eq!(hub.look(), []);
    });
}
