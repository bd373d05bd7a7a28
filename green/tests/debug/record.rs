//! Recordings, logs of runs, observers of switches.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::settle;
use green::debug::{self, StepKind, SwitchObserver};

fn kinds(recorded: &debug::Recorded, id: u64) -> Vec<StepKind> {
    let steps = recorded.steps.iter();
    let mine = steps.filter(|step| step.greenthread == id);
    mine.map(|step| step.kind).collect()
}

#[test]
fn a_recording_says_who_woke_whom() {
    let event = Rc::new(green::Event::<u32>::new());
    let waits = Rc::clone(&event);
    let waiter = green::Builder::new()
        .name("waiter")
        .spawn(move || waits.wait())
        .unwrap();
    settle();
    let recording = debug::record(1000);
    let sender = green::spawn(move || event.send(1));
    let (waiter_id, sender_id) = (waiter.id(), sender.id());
    waiter.join().unwrap().unwrap();
    green::sleep(Duration::from_millis(1));
    let recorded = recording.finish();

    let of_waiter = kinds(&recorded, waiter_id);
    let [StepKind::Waits(reason), rest @ ..] = &of_waiter[..] else {
        panic!("it waited when the recording began: {of_waiter:?}");
    };
    assert!(reason.to_string().contains("event"), "{reason}");
    let by = Some(sender_id);
    assert_eq!(
        rest,
        [StepKind::Woken { by }, StepKind::Runs, StepKind::Ended]
    );

    let by = Some(green::current_id());
    let expected = [StepKind::Spawned { by }, StepKind::Runs, StepKind::Ended];
    assert_eq!(kinds(&recorded, sender_id), expected);

    // The sleep of this one was ended by the hub.
    let mine = kinds(&recorded, green::current_id());
    let end = &mine[mine.len() - 3..];
    assert!(
        matches!(
            end,
            [
                StepKind::Waits(_),
                StepKind::Woken { by: None },
                StepKind::Runs
            ]
        ),
        "{mine:?}"
    );
    let mut times = recorded.steps.iter().map(|step| step.at);
    assert!(times.clone().is_sorted() && times.all(|at| at <= recorded.ended));
    let named = recorded.greenthreads.iter().find(|one| one.id == waiter_id);
    let named = named.unwrap();
    assert_eq!(named.name.as_deref(), Some("waiter"));
    assert!(named.spawned_at.file().ends_with("record.rs"));
}

#[test]
fn a_full_recording_counts_what_it_has_lost() {
    let recording = debug::record(10);
    let spawned: Vec<_> = (0..100).map(|_| green::spawn(green::yield_now)).collect();
    for gt in spawned {
        gt.join().unwrap();
    }
    assert_eq!(recording.steps(), 10);
    let recorded = recording.finish();
    assert_eq!(recorded.steps.len(), 10);
    assert!(recorded.lost >= 390, "{}", recorded.lost);
    assert!(recorded.greenthreads.len() <= 10);
}

#[test]
fn what_never_runs_ends_in_a_recording() {
    let recording = debug::record(1000);
    let gt = green::spawn(|| ());
    let id = gt.id();
    gt.kill();
    let recorded = recording.finish();
    let by = Some(green::current_id());
    assert_eq!(
        kinds(&recorded, id),
        [StepKind::Spawned { by }, StepKind::Ended]
    );
}

#[test]
fn recordings_run_beside_each_other() {
    let (outer, inner) = (debug::record(1000), debug::record(1000));
    green::spawn(|| ()).join().unwrap();
    let short = inner.finish().steps.len();
    green::spawn(|| ()).join().unwrap();
    let long = outer.finish().steps.len();
    assert!(short >= 5 && long >= short + 5, "{short} {long}");
}

#[inline(never)]
fn keeps_the_others_waiting() {
    thread::sleep(Duration::from_millis(12));
    green::yield_now();
}

#[test]
fn a_long_run_is_noted_with_its_stack() {
    let log = debug::long_runs(Duration::from_millis(10), 2);
    let gts: Vec<_> = (0..3)
        .map(|_| green::spawn(keeps_the_others_waiting))
        .collect();
    let ids: Vec<_> = gts.iter().map(green::GreenThread::id).collect();
    for gt in gts {
        gt.join().unwrap();
    }
    let runs = log.take();
    let noted: Vec<_> = runs.iter().map(|run| run.greenthread).collect();
    assert_eq!(noted, ids[..2]);
    assert!(log.lost() >= 1);
    assert!(runs[0].ran >= Duration::from_millis(12));
    let stack = runs[0].stack.to_string();
    assert!(stack.contains("keeps_the_others_waiting"), "{stack}");
    assert!(log.take().is_empty());
}

#[test]
fn samples_stand_for_all_the_time_that_was_used() {
    let log = debug::sample_runs(Duration::from_millis(1), 10_000);
    let began = Instant::now();
    let worker = green::spawn(|| {
        for _ in 0..20 {
            thread::sleep(Duration::from_micros(700));
            green::yield_now();
        }
    });
    let id = worker.id();
    worker.join().unwrap();
    let most = began.elapsed();
    let runs = log.take();
    let of_worker = runs.iter().filter(|run| run.greenthread == id);
    let sampled: Duration = of_worker.map(|run| run.ran).sum();
    assert!(sampled >= Duration::from_millis(13), "{sampled:?}");
    let all: Duration = runs.iter().map(|run| run.ran).sum();
    assert!(all <= most, "{all:?} of {most:?}");
}

#[derive(Default)]
struct Seen(RefCell<Vec<(bool, u64)>>);

struct Watching(Rc<Seen>);

impl SwitchObserver for Watching {
    fn stops(&self, greenthread: u64) {
        assert_eq!(green::current_id(), greenthread);
        self.0.0.borrow_mut().push((false, greenthread));
    }

    fn starts(&self, greenthread: u64) {
        assert_eq!(green::current_id(), greenthread);
        // Nothing can wait here, and a panic harms nobody.
        green::yield_now();
        self.0.0.borrow_mut().push((true, greenthread));
        panic!("an observer that panics");
    }
}

#[test]
fn an_observer_is_told_of_every_switch_and_harms_nobody() {
    let seen = Rc::new(Seen::default());
    let observation = debug::observe_switches(Watching(Rc::clone(&seen)));
    let gt = green::spawn(|| green::sleep(Duration::from_millis(1)));
    let (id, me) = (gt.id(), green::current_id());
    gt.join().unwrap();
    drop(observation);
    green::spawn(|| ()).join().unwrap();
    let expected = [
        (false, me),
        (true, id),
        (false, id),
        (true, id),
        (false, id),
        (true, me),
    ];
    assert_eq!(*seen.0.borrow(), expected);
}

#[test]
fn accounts_are_kept_while_anybody_wants_them() {
    let stopped = |id| debug::inspect(id).unwrap().stopped;
    let sleeper = green::spawn(|| green::sleep(Duration::from_secs(60)));
    settle();
    assert_eq!(stopped(sleeper.id()), None);
    let first = debug::keep_accounts();
    let second = debug::keep_accounts();
    drop(first);
    green::sleep(Duration::from_millis(3));
    // It has waited since before: at least so long is known.
    assert!(stopped(sleeper.id()).unwrap() >= Duration::from_millis(3));
    assert_eq!(stopped(green::current_id()), None);
    drop(second);
    assert_eq!(stopped(sleeper.id()), None);

    // What lies between two periods belongs to neither.
    let third = debug::keep_accounts();
    let gt = green::spawn(|| {
        green::yield_now();
        green::sleep(Duration::from_millis(40));
    });
    green::yield_now();
    drop(third);
    green::sleep(Duration::from_millis(20));
    let _fourth = debug::keep_accounts();
    let id = gt.id();
    while debug::inspect(id).is_some_and(|info| info.switches < 2) {
        green::yield_now();
        if debug::inspect(id).is_none() {
            break;
        }
        assert!(debug::inspect(id).unwrap().waited < Duration::from_millis(20));
    }
    sleeper.kill();
}

#[test]
fn wakeups_and_stacks_are_counted() {
    let before = debug::counters();
    let gt = green::spawn(|| green::sleep(Duration::from_millis(1)));
    green::yield_now();
    let during = debug::counters();
    assert!(during.stacks > 0 && during.stack_bytes > 0);
    gt.join().unwrap();
    // The sleep and the join.
    assert_eq!(debug::counters().wakeups, before.wakeups + 2);
}

#[test]
fn who_waits_for_whom_is_known_by_id() {
    let target = green::spawn(|| green::sleep(Duration::from_secs(60)));
    let id = target.id();
    let waiter = green::spawn(move || drop(target.join()));
    settle();
    assert_eq!(debug::inspect(waiter.id()).unwrap().waits_on, [id]);
    debug::greenthread(id).unwrap().kill();
    waiter.join().unwrap();
}
