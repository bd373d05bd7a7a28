//! Generators on greenlets.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use greenlet::{Generator, Greenlet, Yielder, stats};

#[test]
fn inner_functions_may_yield() {
    fn count(y: &Yielder<u32>, from: u32, to: u32) {
        if from < to {
            y.give(from);
            count(y, from + 1, to);
        }
    }
    let all: Vec<u32> = Generator::new(|y| {
        count(y, 0, 3);
        count(y, 10, 12);
    })
    .collect();
    assert_eq!(all, [0, 1, 2, 10, 11]);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn generators_nest_to_permutations() {
    fn permutations(items: Vec<u8>) -> Generator<Vec<u8>> {
        Generator::new(move |y| {
            if items.is_empty() {
                y.give(Vec::new());
            }
            for i in 0..items.len() {
                let mut rest = items.clone();
                let first = rest.remove(i);
                for mut tail in permutations(rest) {
                    tail.insert(0, first);
                    y.give(tail);
                }
            }
        })
    }
    let all: Vec<String> = permutations(b"abc".to_vec())
        .map(|p| String::from_utf8(p).unwrap())
        .collect();
    assert_eq!(all, ["abc", "acb", "bac", "bca", "cab", "cba"]);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn a_generator_may_change_hands() {
    let mut numbers = Generator::new(|y| (0..u32::MAX).for_each(|n| y.give(n)));
    assert_eq!(numbers.next(), Some(0));
    let g = Greenlet::new(move |()| {
        assert_eq!(numbers.next(), Some(1));
        numbers
    });
    let mut numbers = g.switch(()).unwrap();
    assert_eq!(numbers.next(), Some(2));
}

#[test]
fn dropping_one_unwinds_its_function() {
    let kept = Rc::new(());
    let k = kept.clone();
    let mut numbers = Generator::new(move |y| {
        let _kept = k;
        (0..u32::MAX).for_each(|n| y.give(n));
    });
    assert_eq!(numbers.by_ref().take(3).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(Rc::strong_count(&kept), 2);
    drop(numbers);
    assert_eq!(Rc::strong_count(&kept), 1);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn a_panic_comes_out_of_next_and_ends_it() {
    let mut numbers = Generator::new(|y| {
        y.give(1);
        resume_unwind(Box::new("no more"));
    });
    assert_eq!(numbers.next(), Some(1));
    let error = catch_unwind(AssertUnwindSafe(|| numbers.next())).unwrap_err();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"no more"));
    assert_eq!(numbers.next(), None);
}

#[test]
fn one_that_ended_stays_ended() {
    let mut one = Generator::new(|y| y.give(1));
    assert_eq!((one.next(), one.next(), one.next()), (Some(1), None, None));
    assert!(one.as_greenlet().is_dead());
}

#[test]
fn next_is_none_while_the_thread_unwinds() {
    struct Ask(Generator<u32>, Rc<Cell<Option<Option<u32>>>>);
    impl Drop for Ask {
        fn drop(&mut self) {
            self.1.set(Some(self.0.next()));
        }
    }
    let answer = Rc::new(Cell::new(None));
    let ask = Ask(Generator::new(|y| y.give(1)), answer.clone());
    let caught = catch_unwind(AssertUnwindSafe(move || {
        let _ask = ask;
        resume_unwind(Box::new(()));
    }));
    assert!(caught.is_err());
    assert_eq!(answer.get(), Some(None));
}

#[test]
fn a_value_given_by_a_destructor_is_dropped() {
    struct GiveLate<'a>(&'a Yielder<Rc<()>>, Rc<()>);
    impl Drop for GiveLate<'_> {
        fn drop(&mut self) {
            self.0.give(self.1.clone());
        }
    }
    let value = Rc::new(());
    let v = value.clone();
    let mut values = Generator::new(move |y| {
        let _late = GiveLate(y, v.clone());
        y.give(v.clone());
    });
    assert!(values.next().is_some());
    drop(values);
    assert_eq!(Rc::strong_count(&value), 1);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn asking_from_within_is_a_panic() {
    let slot: Rc<Cell<Option<Generator<u32>>>> = Rc::default();
    let own = slot.clone();
    let generator = Generator::new(move |y| {
        let mut me = own.take().unwrap();
        let error = catch_unwind(AssertUnwindSafe(|| me.next())).unwrap_err();
        assert!(
            error
                .downcast_ref::<String>()
                .unwrap()
                .contains("from within")
        );
        y.give(7);
    });
    let greenlet = generator.as_greenlet().clone();
    slot.set(Some(generator));
    assert_eq!(greenlet.switch::<(), Option<u32>>(()), Ok(Some(7)));
}
