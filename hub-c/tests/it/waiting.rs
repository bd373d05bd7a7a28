use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::support::*;
use hub::*;

#[test]
fn a_wait_without_descriptors_sleeps() {
    on_each(|hub| {
        for timeout in [50_u64, 5_000, 500_000, 20_000_000].map(Duration::from_nanos) {
            let start = Instant::now();
            assert_eq!(hub.wait(timeout), [], "hub {}", hub.name());
            assert!(start.elapsed() >= timeout);
        }
        let start = cpu_time();
        assert_eq!(hub.wait(Duration::from_millis(200)), []);
        assert!(
            cpu_time() - start < Duration::from_millis(100),
            "hub {} spins",
            hub.name()
        );
    });
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn notifications_count_as_one_and_are_not_lost() {
    on_each(|hub| {
        for _ in 0..1000 {
            assert_eq!(hub.notify(), 0);
        }
        assert_eq!(hub.wait(LONG), [], "hub {}: it returns", hub.name());
        let start = Instant::now();
        assert_eq!(hub.wait(Duration::from_millis(20)), []);
        assert!(
            start.elapsed() >= Duration::from_millis(20),
            "hub {}: only once",
            hub.name()
        );

        let (near, far) = pair();
        assert_eq!(hub.add(&near, HUB_READ), 0);
        (&far).write_all(b"x").unwrap();
        hub.notify();
        assert_eq!(hub.wait(LONG), [(near.as_raw_fd(), HUB_READ)]);
    });
}

#[test]
fn another_thread_ends_a_wait() {
    on_each(|hub| {
        for _ in 0..200 {
            let other = thread::spawn(move || assert_eq!(hub.notify(), 0));
            assert_eq!(hub.wait_for(Duration::MAX, 1).0, 0);
            other.join().unwrap();
        }
    });
}

/// Runs `wait` in a thread, tells its number, and calls `meanwhile` until it is back.
fn waiting<T: Send + 'static>(
    wait: impl FnOnce() -> T + Send + 'static,
    mut meanwhile: impl FnMut(libc::pthread_t),
) -> T {
    let (tell, number) = mpsc::channel();
    let waiting = thread::spawn(move || {
        // SAFETY: it takes nothing and cannot fail.
        tell.send(unsafe { libc::pthread_self() }).unwrap();
        wait()
    });
    let number = number.recv().unwrap();
    let start = Instant::now();
    while !waiting.is_finished() {
        meanwhile(number);
        thread::sleep(Duration::from_millis(1));
        assert!(start.elapsed() < LONG, "the wait does not end");
    }
    waiting.join().unwrap()
}

#[test]
fn a_signal_ends_a_wait_with_eintr() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing; the action is whole.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(
            libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()),
            0
        );
    }
    for timeout in [LONG, Duration::MAX] {
        on_each(|hub| {
            let (near, _far) = pair();
            assert_eq!(hub.add(&near, HUB_READ), 0);
            let said = waiting(
                move || hub.wait_for(timeout, 1).0,
                // SAFETY: the thread has not been joined.
                |thread| assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0),
            );
            assert_eq!(said, -libc::EINTR, "hub {}", hub.name());
            assert_eq!(hub.look(), [], "and the hub goes on");
        });
    }
}

#[test]
fn a_signal_handler_may_notify() {
    use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};
    static HUB: AtomicPtr<Hub> = AtomicPtr::new(std::ptr::null_mut());
    extern "C" fn notify(_: libc::c_int) {
        hub_notify(HUB.load(SeqCst));
    }
    // SAFETY: the handler calls only what may be called there; the action is whole.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = notify as *const () as usize;
        assert_eq!(
            libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()),
            0
        );
    }
    on_each(|hub| {
        HUB.store(hub.0, SeqCst);
        // SAFETY: it takes no pointers.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0);
        // A signal that came before the wait ends it all the same.
        assert_eq!(hub.wait_for(Duration::MAX, 1).0, 0, "hub {}", hub.name());
    });
}

#[test]
fn a_second_waiter_is_ebusy() {
    on_each(|hub| {
        let mut busy = 0;
        let said = waiting(
            move || hub.wait_for(Duration::MAX, 1).0,
            |_| match hub.wait_for(Duration::ZERO, 1).0 {
                0 if busy == 0 => {} // The other is not there yet.
                said if said == -libc::EBUSY => {
                    busy += 1;
                    hub.notify();
                }
                said => assert_eq!((said, busy > 0), (0, true)),
            },
        );
        assert!(said == 0 && busy > 0, "hub {}: {said}", hub.name());
    });
}

#[test]
fn destroying_a_hub_ends_its_wait_with_ebadf() {
    for name in NAMES {
        for round in 0..20 {
            let hub = Handle::new(name);
            let (near, _far) = pair();
            assert_eq!(hub.add(&near, HUB_READ), 0);
            let (begin, begun) = mpsc::channel();
            let waiting = thread::spawn(move || {
                begin.send(()).unwrap();
                hub.wait_for(Duration::MAX, 1).0
            });
            begun.recv().unwrap();
            thread::sleep(Duration::from_micros(round * 50));
            hub.destroy();
            assert_eq!(waiting.join().unwrap(), -libc::EBADF, "hub {name}");
        }
    }
}

#[test]
fn a_hub_nests_by_its_descriptor() {
    let is_readable = |fd| {
        let mut question = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: there is one pollfd.
        unsafe { libc::poll(&mut question, 1, 0) == 1 }
    };
    for name in ["epoll", "polling"] {
        let (inner, outer) = (Handle::new(name), Handle::new("poll"));
        let fd = hub_fd(inner.0);
        assert!(fd >= 0 && !is_readable(fd));
        assert_eq!(outer.add(&fd, HUB_READ), 0);
        let (near, far) = pair();
        assert_eq!(inner.add(&near, HUB_READ), 0);
        assert_eq!(outer.look(), []);
        (&far).write_all(b"x").unwrap();
        assert_eq!(outer.wait(LONG), [(fd, HUB_READ)]);
        assert_eq!(inner.look(), [(near.as_raw_fd(), HUB_READ)]);
        assert_eq!(
            outer.look(),
            [(fd, HUB_READ)],
            "level-triggered all the way"
        );
        assert_eq!(inner.remove(&near), 0);
        assert_eq!(outer.look(), [], "hub {name}");
        inner.notify();
        assert_eq!(outer.wait(LONG), [(fd, HUB_READ)]);
        assert_eq!(inner.look(), []);
        assert_eq!(outer.look(), [], "hub {name}");
        inner.destroy();
        outer.destroy();
    }
    for name in ["poll", "select"] {
        let hub = Handle::new(name);
        assert_eq!(hub_fd(hub.0), -libc::ENOTSUP);
        hub.destroy();
    }
}
