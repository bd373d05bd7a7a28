use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use super::support::*;
use hub::*;

/// Runs `child` in a child process. It must only use the hub and what it was given; whether all
/// it says is true comes back.
fn in_child(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child uses no lock of another thread of this process: hubs have none of their
    // own, and the system's allocator survives a fork.
    match unsafe { libc::fork() } {
        -1 => panic!("{}", std::io::Error::last_os_error()),
        0 => {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // SAFETY: it ends this process, at once.
            unsafe { libc::_exit(if matches!(outcome, Ok(true)) { 0 } else { 1 }) }
        }
        process => {
            let mut status = 0;
            // SAFETY: the process is this one's child; `status` is an int.
            assert_eq!(unsafe { libc::waitpid(process, &mut status, 0) }, process);
            status == 0
        }
    }
}

fn is_ready(hub: Handle, near: &UnixStream, far: &UnixStream) -> bool {
    if !hub.wait(Duration::from_millis(1)).is_empty() {
        return false;
    }
    (&*far).write_all(b"x").unwrap();
    let ready = hub.wait(LONG) == [(near.as_raw_fd(), HUB_READ)];
    (&*near).read_exact(&mut [0]).unwrap();
    ready && hub.look().is_empty()
}

#[test]
fn a_child_is_refused_until_it_asks_and_then_has_all_of_it() {
    on_each(|hub| {
        let ((near, far), (two, _two_far)) = (pair(), pair());
        assert_eq!(hub.add(&near, HUB_READ), 0);
        assert_eq!(hub.add(&two, HUB_READ), 0);
        assert_eq!(hub_timer_add(hub.0, 5, 55), 0);
        hub.notify();
        let child = || {
            let refused = [
                hub.wait_for(Duration::ZERO, 1).0,
                hub.remove(&near),
                hub.notify(),
                hub_fd(hub.0),
                hub_timer_cancel(hub.0, 55),
            ];
            assert_eq!(refused, [-libc::ECHILD; 5]);
            assert_eq!(hub_after_fork(hub.0), 0);
            assert_eq!(hub_after_fork(hub.0), 0);
            assert_eq!(hub.add(&near, HUB_READ), -libc::EEXIST);
            assert_eq!(hub_timer_cancel(hub.0, 55), 0);
            assert_eq!(hub.remove(&two), 0);
            let works = is_ready(hub, &near, &far);
            hub.notify();
            works && hub.wait(LONG).is_empty() && hub_destroy(hub.0) == 0
        };
        assert!(in_child(child), "hub {}", hub.name());
        assert_eq!(hub.wait(LONG), [], "the parent's notification is its own");
        assert!(
            is_ready(hub, &near, &far),
            "hub {}: the parent's is as it was",
            hub.name()
        );
        assert_eq!(hub.modify(&two, HUB_WRITE), 0);
        assert_eq!(hub_timer_cancel(hub.0, 55), 0);
        assert_eq!(hub_after_fork(hub.0), 0, "there is nothing to do");
        assert_eq!(hub.look(), [(two.as_raw_fd(), HUB_WRITE)]);
    });
}

#[test]
fn a_child_that_destroys_a_hub_leaves_the_parents_alone() {
    on_each(|hub| {
        let (near, far) = pair();
        assert_eq!(hub.add(&near, HUB_READ), 0);
        let child = || {
            hub_destroy(hub.0) == 0 && hub.notify() == -libc::EBADF && {
                let other = Handle::new(NAMES[1]);
                other.add(&near, HUB_READ) == 0 && is_ready(other, &near, &far)
            }
        };
        assert!(in_child(child), "hub {}", hub.name());
        assert!(is_ready(hub, &near, &far), "hub {}", hub.name());
        hub.notify();
        assert_eq!(hub.wait(LONG), []);
    });
}

#[test]
fn a_hub_that_another_thread_waits_in_is_inherited_too() {
    on_each(|hub| {
        let (near, _far) = pair();
        assert_eq!(hub.add(&near, HUB_READ), 0);
        let waiting = thread::spawn(move || hub.wait_for(Duration::MAX, 1).0);
        thread::sleep(Duration::from_millis(20));
        // What the child wrote the parent would read: it asks for room instead.
        let child = || {
            assert_eq!(hub_after_fork(hub.0), 0);
            assert_eq!((hub.look(), hub.modify(&near, HUB_WRITE)), (vec![], 0));
            hub.wait(LONG) == [(near.as_raw_fd(), HUB_WRITE)]
        };
        assert!(in_child(child), "hub {}", hub.name());
        let child = || hub_destroy(hub.0) == 0;
        assert!(in_child(child), "hub {}", hub.name());
        hub.notify();
        assert_eq!(waiting.join().unwrap(), 0, "hub {}", hub.name());
    });
}

#[test]
fn what_was_closed_before_the_fork_is_not_inherited() {
    on_each(|hub| {
        let number = number();
        let ((near, far), (two, _two_far)) = (pair(), pair());
        put(&two, number);
        assert_eq!(hub.add(&number, HUB_WRITE), 0);
        assert_eq!(hub.add(&near, HUB_READ), 0);
        let child = || {
            close(number);
            assert_eq!(hub_after_fork(hub.0), 0);
            hub.modify(&number, HUB_READ) == -libc::ENOENT && is_ready(hub, &near, &far)
        };
        assert!(in_child(child), "hub {}", hub.name());
        assert_eq!(hub.look(), [(number, HUB_WRITE)]);
        close(number);
    });
}
