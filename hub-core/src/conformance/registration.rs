use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use super::Make;
use super::kit::{TRIGGERS, Trial, allowance, drain, pair, write};
use crate::{Interest, Token, Trigger};

/// A second `add` of a number is `AlreadyExists`, whatever the token, and disturbs nothing.
pub fn a_descriptor_is_registered_once(make: Make) {
    for trigger in TRIGGERS {
        let mut trial = Trial::new(make);
        let (near, far) = pair();
        trial.add(&far, 1, trigger);
        for token in [1, 2] {
            let again = trial.hub.add(far.as_fd(), Token::from_raw(token), trigger);
            assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        trial.arm(&far, 1, Interest::READ);
        write(&near, "x");
        assert!(trial.reports().of(1).is_readable());
    }
}

/// `arm` and `remove` say `NotFound` for an unknown number and for another's token.
pub fn what_is_not_registered_is_not_found(make: Make) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    let (mine, other) = (Token::from_raw(1), Token::from_raw(2));
    let check = |trial: &mut Trial, token| {
        let armed = trial.hub.arm(far.as_fd(), token, Interest::READ);
        assert_eq!(armed.unwrap_err().kind(), ErrorKind::NotFound);
        let removed = trial.hub.remove(far.as_fd(), token);
        assert_eq!(removed.unwrap_err().kind(), ErrorKind::NotFound);
    };
    check(&mut trial, mine);
    trial.add(&far, 1, Trigger::Edge);
    check(&mut trial, other);
    trial.arm(&far, 1, Interest::READ);
    write(&near, "x");
    assert!(trial.reports().of(1).is_readable());
    trial.remove(&far, 1);
    check(&mut trial, mine);
    trial.silent();
}

/// A registration that was never armed reports nothing. (`Edge` may give hints.)
pub fn nothing_is_armed_at_first(make: Make) {
    for trigger in [Trigger::Oneshot, Trigger::Level] {
        let mut trial = Trial::new(make);
        let (near, far) = pair();
        write(&near, "x");
        trial.add(&far, 1, trigger);
        trial.silent();
    }
}

/// After `remove` no later wait reports the token, and the descriptor may be added again.
pub fn what_was_removed_is_silent(make: Make) {
    for trigger in TRIGGERS {
        let mut trial = Trial::new(make);
        let (near, far) = pair();
        trial.add(&far, 1, trigger);
        trial.arm(&far, 1, Interest::BOTH);
        write(&near, "x");
        trial.remove(&far, 1);
        trial.silent();
        trial.add(&far, 2, trigger);
        trial.arm(&far, 2, Interest::BOTH);
        let reports = trial.reports();
        assert!(reports.of(2).is_readable() && reports.of(1).is_none());
        drop(near);
        trial.remove(&far, 2);
        trial.silent();
    }
}

/// A number that comes again with another socket behind it has nothing of the one before.
pub fn numbers_are_reused(make: Make) {
    for trigger in TRIGGERS {
        let mut trial = Trial::new(make);
        for round in 0..100 {
            let (near, far) = pair();
            trial.add(&far, round, trigger);
            trial.arm(&far, round, Interest::READ);
            if round % 3 == 0 {
                write(&near, "x");
            }
            if round % 2 == 0 {
                let reports = trial.wait(std::time::Duration::ZERO);
                assert_eq!(reports.of(round).is_readable(), round % 3 == 0);
                assert!(
                    reports
                        .0
                        .iter()
                        .all(|event| event.token.into_raw() == round)
                );
            }
            trial.remove(&far, round);
        }
        trial.silent();
    }
}

/// Many descriptors, of which some are removed and others added between the waits: the reports
/// are always those of the ones that are there.
pub fn descriptors_come_and_go(make: Make) {
    let mut trial = Trial::new(make);
    let mut live: Vec<(u64, UnixStream, UnixStream)> = Vec::new();
    let mut next = 0;
    for round in 0..60_usize {
        for _ in 0..round % 5 + 1 {
            let (near, far) = pair();
            trial.add(&far, next, TRIGGERS[next as usize % 3]);
            live.push((next, near, far));
            next += 1;
        }
        if live.len() > 8 {
            for _ in 0..round % 4 {
                let (token, _near, far) = live.swap_remove(round * 7 % live.len());
                trial.remove(&far, token);
            }
        }
        let chosen = live
            .iter()
            .filter(|(token, ..)| (*token as usize + round).is_multiple_of(3));
        for (token, near, far) in chosen {
            drain(far);
            trial.arm(far, *token, Interest::READ);
            write(near, "x");
            assert!(trial.until(*token, Interest::READ).is_readable());
            drain(far);
            if TRIGGERS[*token as usize % 3] == Trigger::Level {
                trial.arm(far, *token, Interest::NONE);
            }
        }
        let rest = trial.wait(std::time::Duration::ZERO);
        for event in rest.0 {
            let known = live
                .iter()
                .any(|(token, ..)| *token == event.token.into_raw());
            assert!(known, "{event:?} is of a descriptor that was removed");
        }
    }
}

/// A wait leaves alone what the list of events holds before.
pub fn reports_are_appended(make: Make) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Level);
    trial.arm(&far, 1, Interest::READ);
    write(&near, "x");
    let mut events = trial.reports().0;
    let before = events.clone();
    let waited = trial
        .hub
        .wait(Some(std::time::Duration::from_secs(10)), &mut events);
    waited.expect("a wait succeeds");
    assert!(events.len() > before.len() && events.starts_with(&before));
}

/// A number above 1024 works like any other; or `add` refuses it, and it alone.
pub fn a_huge_descriptor_is_served_or_refused(make: Make) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    let (small, low) = pair();
    trial.add(&low, 2, Trigger::Level);
    trial.arm(&low, 2, Interest::READ);
    let mut copies = vec![far.try_clone().expect("a duplicate")];
    while copies[copies.len() - 1].as_raw_fd() <= 1100 {
        if copies.len() > allowance() {
            return; // So many descriptors are not allowed here.
        }
        copies.push(far.try_clone().expect("a duplicate"));
    }
    let huge = copies.pop().expect("there is one");
    match trial
        .hub
        .add(huge.as_fd(), Token::from_raw(1), Trigger::Oneshot)
    {
        Ok(()) => {
            trial.arm(&huge, 1, Interest::READ);
            trial.silent();
            write(&near, "x");
            assert!(trial.reports().of(1).is_readable());
            trial.remove(&huge, 1);
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}"),
    }
    trial.silent();
    write(&small, "x");
    assert!(trial.reports().of(2).is_readable());
}
