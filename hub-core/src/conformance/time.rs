use std::process::Command;
use std::time::{Duration, Instant};

use super::Make;
use super::kit::{Trial, drain, pair, write};
use crate::{Interest, Trigger};

/// A wait with nothing registered, and one with nothing armed, take their time.
pub fn a_wait_without_descriptors_sleeps(make: Make<'_>) {
    let mut trial = Trial::new(make);
    trial.asleep(Duration::from_millis(20));
    let (_near, far) = pair();
    trial.add(&far, 1, Trigger::Oneshot);
    trial.asleep(Duration::from_millis(20));
    trial.remove(&far, 1);
    trial.asleep(Duration::from_millis(20));
}

/// Timeouts below and just above a millisecond are slept, in full and in one wait.
pub fn a_short_timeout_is_neither_early_nor_a_spin(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (_near, far) = pair();
    trial.add(&far, 1, Trigger::Level);
    trial.arm(&far, 1, Interest::READ);
    let mut early = 0;
    for micros in [1, 50, 300, 999, 1001, 1500] {
        let timeout = Duration::from_micros(micros);
        for _ in 0..5 {
            let start = Instant::now();
            trial.wait(timeout);
            early += u32::from(start.elapsed() < timeout);
        }
    }
    // A signal may end a wait; that happens to a test rarely.
    assert!(early <= 2, "{early} of 30 waits were early");
}

/// A timeout of zero looks and returns.
pub fn a_zero_timeout_returns(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Level);
    trial.arm(&far, 1, Interest::READ);
    for _ in 0..100 {
        assert_eq!(trial.wait(Duration::ZERO).0, []);
    }
    write(&near, "x");
    assert!(trial.wait(Duration::ZERO).of(1).is_readable());
}

/// The longest timeout there is does not overflow: the wait ends when something is ready.
pub fn a_timeout_without_end_is_safe(make: Make<'_>) {
    for timeout in [
        Some(Duration::MAX),
        Some(Duration::from_secs(u64::MAX / 2)),
        None,
    ] {
        let mut trial = Trial::new(make);
        let (near, far) = pair();
        trial.add(&far, 1, Trigger::Oneshot);
        trial.arm(&far, 1, Interest::READ);
        write(&near, "x");
        let mut events = Vec::new();
        trial
            .hub
            .wait(timeout, &mut events)
            .expect("a wait succeeds");
        assert_eq!(events.len(), 1);
    }
}

/// Another thread makes a descriptor ready while this one waits without a timeout.
pub fn another_thread_ends_a_wait(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Edge);
    for _ in 0..5 {
        drain(&far);
        trial.arm(&far, 1, Interest::READ);
        let mut events = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(3));
                write(&near, "x");
            });
            while events.is_empty() {
                trial.hub.wait(None, &mut events).expect("a wait succeeds");
            }
        });
        assert!(events[0].ready.is_readable());
    }
}

/// A process that is stopped and continued while it waits is not told that time is over before it
/// is, and misses nothing.
pub fn a_stopped_process_keeps_its_timeouts(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Edge);
    trial.arm(&far, 1, Interest::READ);
    let pid = std::process::id();
    let script = format!("sleep 0.02; kill -STOP {pid}; sleep 0.02; kill -CONT {pid}");
    let stopper = Command::new("sh").args(["-c", &script]).spawn();
    let mut stopper = stopper.expect("there is a shell");
    trial.asleep(Duration::from_millis(80));
    stopper.wait().expect("the shell ends");
    write(&near, "x");
    assert!(trial.reports().of(1).is_readable());
}

/// A hub that has a descriptor is readable, for another hub, when it has something to report.
pub fn a_hub_nests_in_another(make: Make<'_>) {
    let (mut inner, mut outer) = (Trial::new(make), Trial::new(make));
    let (near, far) = pair();
    inner.add(&far, 1, Trigger::Oneshot);
    let Some(fd) = inner.hub.as_fd() else {
        return; // The system has none to offer.
    };
    let fd = fd.try_clone_to_owned().expect("a duplicate");
    outer.add(&fd, 2, Trigger::Level);
    outer.arm(&fd, 2, Interest::READ);
    for _ in 0..3 {
        inner.arm(&far, 1, Interest::READ);
        outer.silent();
        write(&near, "x");
        assert!(outer.reports().of(2).is_readable());
        assert!(inner.wait(Duration::ZERO).of(1).is_readable());
        drain(&far);
        outer.silent();
    }
}
