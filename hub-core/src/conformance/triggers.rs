use std::collections::HashSet;
use std::io::{Read, Write};
use std::time::Duration;

use super::Make;
use super::kit::{TRIGGERS, Trial, allowance, drain, fill, pair, tcp_pair, write};
use crate::{Interest, Ready, Trigger};

/// `Edge`, armed each time that the descriptor was found empty: each arrival is reported.
pub fn edge_reports_whenever_it_becomes_ready(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Edge);
    for _ in 0..50 {
        assert_eq!(drain(&far), (0, false));
        trial.arm(&far, 1, Interest::READ);
        trial.silent();
        write(&near, "ping");
        assert!(trial.reports().of(1).is_readable());
        assert_eq!(drain(&far), (4, false));
    }
}

/// `Edge`: what arrives after the descriptor was found empty and before it is armed is reported,
/// also if another wait lies between.
pub fn edge_reports_what_came_before_it_was_armed(make: Make<'_>) {
    for waits_between in [0, 1] {
        let mut trial = Trial::new(make);
        let (near, far) = pair();
        trial.add(&far, 1, Trigger::Edge);
        for _ in 0..20 {
            assert_eq!(drain(&far), (0, false));
            write(&near, "x");
            let mut ready = Ready::NONE;
            for _ in 0..waits_between {
                ready |= trial.wait(Duration::ZERO).of(1);
            }
            // A hint that came unasked counts: the caller remembers it.
            if !ready.is_readable() {
                trial.arm(&far, 1, Interest::READ);
                assert!(trial.reports().of(1).is_readable());
            }
            drain(&far);
        }
    }
}

/// `Edge`: data and the end of a TCP stream arrive together. After a read that was shorter than
/// its buffer the caller arms again without having seen `WouldBlock`. Either the report has told
/// of the end, or there is a second one.
pub fn edge_tells_of_the_end_that_came_with_the_data(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (mut near, mut far) = tcp_pair();
    trial.add(&far, 1, Trigger::Edge);
    trial.arm(&far, 1, Interest::READ);
    near.write_all(b"last words").expect("there is room");
    near.shutdown(std::net::Shutdown::Write)
        .expect("a socket can be shut down");
    let told = trial.reports().of(1);
    assert!(told.is_readable());
    assert_eq!(far.read(&mut [0; 64]).expect("there is data"), 10);
    if !told.has(Ready::RDHUP | Ready::HUP | Ready::ERR) {
        trial.arm(&far, 1, Interest::READ);
        assert!(trial.reports().of(1).is_readable());
    }
    assert_eq!(drain(&far), (0, true));
}

/// `Edge`: a full socket that is read at the other end is reported as writable, each time.
pub fn edge_tells_when_there_is_room_to_write(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&near, 1, Trigger::Edge);
    for _ in 0..5 {
        fill(&near);
        trial.wait(Duration::ZERO); // It may hint at the room there was before.
        trial.arm(&near, 1, Interest::WRITE);
        trial.silent();
        drain(&far);
        assert!(trial.reports().of(1).is_writable());
    }
}

/// `Oneshot`: one report for each `arm`, though the descriptor stays ready.
pub fn oneshot_reports_once(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Oneshot);
    write(&near, "x");
    for _ in 0..5 {
        trial.arm(&far, 1, Interest::READ);
        assert!(trial.reports().of(1).is_readable());
        trial.silent();
        write(&near, "x");
        trial.silent();
    }
}

/// `Oneshot`: armed while it is ready, while it is not, and twice.
pub fn oneshot_may_be_armed_at_any_time(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Oneshot);
    trial.arm(&far, 1, Interest::READ);
    trial.silent();
    trial.arm(&far, 1, Interest::READ);
    write(&near, "x");
    assert!(trial.reports().of(1).is_readable());
    trial.arm(&far, 1, Interest::READ);
    trial.arm(&far, 1, Interest::READ);
    assert!(trial.reports().of(1).is_readable());
    trial.silent();
}

/// `Edge` and `Oneshot`: arming one direction does not take back the other.
pub fn interests_add_up(make: Make<'_>) {
    for trigger in [Trigger::Edge, Trigger::Oneshot] {
        for (first, second) in [
            (Interest::READ, Interest::WRITE),
            (Interest::WRITE, Interest::READ),
        ] {
            let mut trial = Trial::new(make);
            let (near, far) = pair();
            trial.add(&far, 1, trigger);
            trial.arm(&far, 1, first);
            trial.arm(&far, 1, second);
            trial.arm(&far, 1, Interest::NONE);
            write(&near, "x");
            trial.until(1, Interest::BOTH);
        }
    }
}

/// `Edge` and `Oneshot`: a report of one direction leaves the other armed.
pub fn a_report_consumes_only_what_it_names(make: Make<'_>) {
    for trigger in [Trigger::Edge, Trigger::Oneshot] {
        let mut trial = Trial::new(make);
        let (near, far) = pair();
        trial.add(&far, 1, trigger);
        fill(&far);
        trial.wait(Duration::ZERO);
        trial.arm(&far, 1, Interest::BOTH);
        write(&near, "x");
        let ready = trial.reports().of(1);
        assert!(ready.is_readable() && !ready.is_writable(), "{ready:?}");
        drain(&near);
        assert!(trial.reports().of(1).is_writable());
    }
}

/// `Level`: every wait reports it, until it is no longer ready.
pub fn level_reports_for_as_long_as_it_is_ready(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Level);
    trial.arm(&far, 1, Interest::READ);
    trial.silent();
    write(&near, "x");
    for _ in 0..5 {
        assert!(trial.reports().of(1).is_readable());
    }
    drain(&far);
    trial.silent();
    write(&near, "x");
    assert!(trial.reports().of(1).is_readable());
}

/// `Level`: `arm` says what is wanted from now on, be it nothing.
pub fn level_arm_replaces_and_disarms(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Level);
    for _ in 0..3 {
        trial.arm(&far, 1, Interest::WRITE);
        let ready = trial.reports().of(1);
        assert!(ready.is_writable() && !ready.is_readable(), "{ready:?}");
        trial.arm(&far, 1, Interest::READ);
        trial.silent();
        write(&near, "x");
        let ready = trial.reports().of(1);
        assert!(ready.is_readable() && !ready.is_writable(), "{ready:?}");
        trial.arm(&far, 1, Interest::NONE);
        trial.silent();
        trial.arm(&far, 1, Interest::BOTH);
        let ready = trial.until(1, Interest::BOTH);
        assert!(ready.is_readable() && ready.is_writable());
        drain(&far);
    }
}

/// More ready descriptors than a wait reports at once: each is reported within a few waits.
pub fn many_ready_descriptors_all_get_their_turn(make: Make<'_>) {
    let (near, far) = pair();
    write(&near, "x");
    for trigger in TRIGGERS {
        let mut trial = Trial::new(make);
        let mut copies = Vec::new();
        for token in 0..allowance().min(2500) {
            let copy = far.try_clone().expect("a duplicate");
            trial.add(&copy, token as u64, trigger);
            trial.arm(&copy, token as u64, Interest::READ);
            copies.push(copy);
        }
        let mut seen = HashSet::new();
        for _ in 0..100 {
            if seen.len() == copies.len() {
                break;
            }
            let reports = trial.reports();
            seen.extend(reports.0.iter().map(|event| event.token));
        }
        assert_eq!(seen.len(), copies.len(), "{trigger:?}");
    }
}

/// A wait reports as much of what is ready as the list of events has room for.
pub fn a_wait_fills_the_room_it_is_given(make: Make<'_>) {
    let (near, far) = pair();
    write(&near, "x");
    let mut trial = Trial::new(make);
    let copies: Vec<_> = (0..allowance().min(3000))
        .map(|_| far.try_clone().expect("a duplicate"))
        .collect();
    for (token, copy) in copies.iter().enumerate() {
        trial.add(copy, token as u64, Trigger::Level);
        trial.arm(copy, token as u64, Interest::READ);
    }
    let mut events = Vec::with_capacity(copies.len() + copies.len() / 3);
    let waited = trial.hub.wait(Some(Duration::from_secs(10)), &mut events);
    waited.expect("a wait succeeds");
    assert_eq!(events.len(), copies.len());
}

/// `Edge`, if the hub says that reading needs no `arm`: each arrival is reported without one.
pub fn edge_reads_need_no_arm_if_it_says_so(make: Make<'_>) {
    let mut trial = Trial::new(make);
    if !trial.hub.reads_need_no_arm() {
        return;
    }
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Edge);
    for _ in 0..5 {
        assert_eq!(drain(&far), (0, false));
        write(&near, "x");
        assert!(trial.reports().of(1).is_readable());
        assert_eq!(drain(&far), (1, false));
    }
}
