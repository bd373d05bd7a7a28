//! Timers against a model that is obviously right

use std::collections::BTreeMap;

use hub_core::{TimerKey, Timers};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Add(u64),
    /// Of all keys there ever were, dead ones too.
    Cancel(prop::sample::Index),
    Expire(u64),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..40_u64).prop_map(Step::Add),
        15 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        3 => (0..40_u64).prop_map(Step::Expire),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The model is an ordered map by deadline and number.
    #[test]
    fn they_expire_in_order_and_cancel_once(steps in prop::collection::vec(step(), 1..400)) {
        let mut timers = Timers::new();
        let mut model: BTreeMap<(u64, usize), usize> = BTreeMap::new();
        let mut keys: Vec<(TimerKey, (u64, usize))> = Vec::new();
        for step in steps {
            match step {
                Step::Add(deadline) => {
                    let number = keys.len();
                    let key = TimerKey::from_raw(timers.add(deadline, number).into_raw());
                    model.insert((deadline, number), number);
                    keys.push((key, (deadline, number)));
                }
                Step::Cancel(index) if !keys.is_empty() => {
                    let (key, place) = keys[index.index(keys.len())];
                    prop_assert_eq!(timers.cancel(key), model.remove(&place));
                    prop_assert_eq!(timers.cancel(key), None);
                }
                Step::Cancel(_) => {}
                Step::Expire(now) => {
                    while let Some((deadline, number)) = timers.expire(now) {
                        let first = model.pop_first();
                        prop_assert_eq!(Some(((deadline, number), number)), first);
                    }
                    let next = model.first_key_value();
                    prop_assert!(next.is_none_or(|((deadline, _), _)| *deadline > now));
                }
                Step::Clear => {
                    timers.clear();
                    model.clear();
                }
            }
            prop_assert_eq!(timers.len(), model.len());
            prop_assert_eq!(timers.is_empty(), model.is_empty());
            let next = model.first_key_value().map(|((deadline, _), _)| *deadline);
            prop_assert_eq!(timers.next_deadline(), next);
            let mut listed: Vec<_> = timers.iter().map(|(at, number)| (at, *number)).collect();
            listed.sort();
            prop_assert!(listed.iter().eq(model.keys()));
        }
    }
}

#[test]
fn cancelled_timers_are_forgotten_and_live_ones_are_not() {
    let mut timers = Timers::new();
    let keys: Vec<TimerKey> = (0..2000).map(|number| timers.add(number, number)).collect();
    for key in keys {
        timers.cancel(key);
    }
    assert!(
        timers.entries() <= 1000,
        "{} entries are held",
        timers.entries()
    );

    let mut timers = Timers::new();
    let keys: Vec<TimerKey> = (0..9000)
        .map(|number| timers.add(number / 2, number))
        .collect();
    for (number, key) in keys.iter().enumerate() {
        if number % 9 != 4 {
            assert_eq!(timers.cancel(*key), Some(number as u64));
        }
        assert!(timers.entries() <= 2 * timers.len() + 1001);
    }
    let rest: Vec<u64> = std::iter::from_fn(|| timers.expire(u64::MAX))
        .map(|(_, n)| n)
        .collect();
    assert!(
        rest.iter()
            .copied()
            .eq((0..9000).filter(|number| number % 9 == 4))
    );
}

/// Timeouts around operations that succeed: the set must not grow.
#[test]
fn a_million_timeouts_that_never_fire_leave_nothing() {
    let mut timers = Timers::new();
    timers.add(u64::MAX, 0);
    for now in 0..1_000_000_u64 {
        let key = timers.add(now + 30_000, now);
        assert_eq!(timers.cancel(key), Some(now));
        assert!(timers.entries() <= 1002);
    }
    assert_eq!(timers.len(), 1);
}
