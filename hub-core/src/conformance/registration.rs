use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Make;
use super::kit::{TRIGGERS, Trial, allowance, drain, pair, write};
use crate::{Interest, Token, Trigger};

/// A second `add` of a number is `AlreadyExists`, whatever the token, and disturbs nothing.
pub fn a_descriptor_is_registered_once(make: Make<'_>) {
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
pub fn what_is_not_registered_is_not_found(make: Make<'_>) {
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
pub fn nothing_is_armed_at_first(make: Make<'_>) {
    for trigger in [Trigger::Oneshot, Trigger::Level] {
        let mut trial = Trial::new(make);
        let (near, far) = pair();
        write(&near, "x");
        trial.add(&far, 1, trigger);
        trial.silent();
    }
}

/// After `remove` no later wait reports the token, and the descriptor may be added again.
pub fn what_was_removed_is_silent(make: Make<'_>) {
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
pub fn numbers_are_reused(make: Make<'_>) {
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
                let reports = trial.wait(Duration::ZERO);
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
pub fn descriptors_come_and_go(make: Make<'_>) {
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
        let rest = trial.wait(Duration::ZERO);
        for event in rest.0 {
            let known = live
                .iter()
                .any(|(token, ..)| *token == event.token.into_raw());
            assert!(known, "{event:?} is of a descriptor that was removed");
        }
    }
}

/// A wait leaves alone what the list of events holds before.
pub fn reports_are_appended(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Level);
    trial.arm(&far, 1, Interest::READ);
    write(&near, "x");
    let mut events = trial.reports().0;
    let before = events.clone();
    let waited = trial.hub.wait(Some(Duration::from_secs(10)), &mut events);
    waited.expect("a wait succeeds");
    assert!(events.len() > before.len() && events.starts_with(&before));
}

/// A number above 1024 works like any other; or `add` refuses it, and it alone.
pub fn a_huge_descriptor_is_served_or_refused(make: Make<'_>) {
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

/// When `remove` has returned the hub holds nothing of the file: if the caller then closes it, the
/// peer sees the end at once.
pub fn what_was_removed_is_let_go_of(make: Make<'_>) {
    for trigger in TRIGGERS {
        for armed in [Interest::NONE, Interest::READ, Interest::BOTH] {
            let mut trial = Trial::new(make);
            let (near, far) = pair();
            trial.add(&far, 1, trigger);
            trial.arm(&far, 1, armed);
            trial.wait(Duration::ZERO);
            trial.arm(&far, 1, armed);
            trial.remove(&far, 1);
            drop(far);
            assert_eq!(drain(&near), (0, true), "the peer sees no end");
        }
    }
}

/// A number that was closed while it was registered, and belongs to another file: `remove`
/// succeeds, and it is free. A hub that says it notices this says `NotFound` to `arm`.
pub fn a_number_that_was_closed_can_be_removed(make: Make<'_>) {
    for _ in 0..100 {
        let mut trial = Trial::new(make);
        let (_near, far) = pair();
        trial.add(&far, 1, Trigger::Level);
        trial.arm(&far, 1, Interest::READ);
        let number = far.as_raw_fd();
        drop(far);
        let (one, two) = pair();
        let Some(next) = [&one, &two]
            .into_iter()
            .find(|next| next.as_raw_fd() == number)
        else {
            continue; // A test beside this one has it.
        };
        if trial.hub.notices_reuse() {
            let armed = trial
                .hub
                .arm(next.as_fd(), Token::from_raw(1), Interest::READ);
            assert_eq!(armed.unwrap_err().kind(), ErrorKind::NotFound);
        }
        trial.remove(next, 1);
        trial.add(next, 2, Trigger::Level);
        trial.arm(next, 2, Interest::WRITE);
        assert!(trial.reports().of(2).is_writable());
        return;
    }
}

/// What the hub has in the system is as it was when it has been abandoned: here a duplicate of its
/// descriptor, if it has one, stands for the parent's.
pub fn what_is_abandoned_stays_the_parents(make: Make<'_>) {
    let (mut trial, mut parent) = (Trial::new(make), Trial::new(make));
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Level);
    trial.arm(&far, 1, Interest::READ);
    let Some(fd) = trial.hub.as_fd() else {
        trial.hub.abandon();
        return;
    };
    let fd = fd.try_clone_to_owned().expect("a duplicate");
    parent.add(&fd, 2, Trigger::Level);
    parent.arm(&fd, 2, Interest::READ);
    trial.hub.abandon();
    parent.silent();
    write(&near, "x");
    assert!(parent.reports().of(2).is_readable());
}

/// A hub that can makes another of its kind, which knows nothing of its registrations.
pub fn another_of_its_kind_is_fresh(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let (near, far) = pair();
    trial.add(&far, 1, Trigger::Level);
    trial.arm(&far, 1, Interest::READ);
    let mut fresh = match trial.hub.renew() {
        Ok(hub) => Trial { hub },
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}"),
    };
    assert_eq!(fresh.hub.name(), trial.hub.name());
    write(&near, "x");
    fresh.silent();
    fresh.add(&far, 2, Trigger::Level);
    fresh.arm(&far, 2, Interest::READ);
    assert!(fresh.reports().of(2).is_readable());
    fresh.remove(&far, 2);
    assert!(trial.reports().of(1).is_readable());
}
