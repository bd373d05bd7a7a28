use std::thread;
use std::time::{Duration, Instant};

use crate::common::{LONG, SHORT, cooperates, patched};

#[test]
fn a_sleep_of_std_lets_others_run() {
    patched(|| {
        let ((), took) = cooperates(|| thread::sleep(SHORT));
        assert!(took >= SHORT);
    });
}

#[test]
fn many_sleep_at_once() {
    patched(|| {
        let start = Instant::now();
        let sleepers: Vec<_> = (0..100)
            .map(|_| green::spawn(|| thread::sleep(SHORT)))
            .collect();
        green::joinall(&sleepers);
        assert!(start.elapsed() >= SHORT);
        // A hundred of them in turn take two seconds.
        assert!(start.elapsed() < SHORT * 50);
    });
}

#[test]
fn each_name_of_a_sleep_lets_others_run() {
    patched(|| {
        // SAFETY: times on this stack.
        unsafe {
            assert_eq!(cooperates(|| libc::usleep(20_000)).0, 0);
            let time = libc::timespec {
                tv_sec: 0,
                tv_nsec: 20_000_000,
            };
            assert_eq!(
                cooperates(|| libc::nanosleep(&time, std::ptr::null_mut())).0,
                0
            );
            for clock in [
                libc::CLOCK_MONOTONIC,
                libc::CLOCK_REALTIME,
                libc::CLOCK_BOOTTIME,
            ] {
                let sleep = |flags, time: &libc::timespec| {
                    libc::clock_nanosleep(clock, flags, time, std::ptr::null_mut())
                };
                assert_eq!(cooperates(|| sleep(0, &time)).0, 0);
                let mut until = time;
                libc::clock_gettime(clock, &mut until);
                until.tv_nsec += 20_000_000;
                if until.tv_nsec >= 1_000_000_000 {
                    until.tv_sec += 1;
                    until.tv_nsec -= 1_000_000_000;
                }
                assert_eq!(cooperates(|| sleep(libc::TIMER_ABSTIME, &until)).0, 0);
            }
            assert_eq!(cooperates(|| libc::sleep(1)).0, 0);
        }
    });
}

#[test]
fn a_time_that_is_none_is_refused_as_ever() {
    patched(|| {
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 2_000_000_000,
        };
        // SAFETY: a time on this stack.
        let (said, error) = unsafe {
            let said = libc::nanosleep(&time, std::ptr::null_mut());
            (
                said,
                libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &time, std::ptr::null_mut()),
            )
        };
        assert_eq!((said, error), (-1, libc::EINVAL));
    });
}

#[test]
fn a_kill_ends_a_sleep() {
    patched(|| {
        let sleeper = green::spawn(|| thread::sleep(LONG));
        green::yield_now();
        sleeper.kill();
        assert!(matches!(sleeper.join(), Err(green::Exit::Killed(_))));
    });
}

#[test]
fn a_deadline_ends_a_sleep_and_its_scope_says_so() {
    patched(|| {
        let slow = green::Timeout::new(SHORT).run(|| thread::sleep(LONG));
        assert!(slow.is_err());
        assert_eq!(
            green::with_timeout(Duration::from_millis(1), || thread::sleep(LONG), ()),
            ()
        );
    });
}

#[test]
fn another_thread_sleeps_as_ever() {
    patched(|| {
        let start = Instant::now();
        thread::spawn(|| thread::sleep(SHORT)).join().unwrap();
        assert!(start.elapsed() >= SHORT);
    });
}
