//! DagPool: values as they come, collisions, failures along the graph.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::common::bounded;
use green::Timeout;
use green::dagpool::{Collision, DagPool, NodeError, Values};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A node that gives the keys of its inputs, in the order in which they came, and its own.
fn path(key: &&'static str, inputs: Values<&'static str, String>) -> Result<String, NodeError> {
    let mut path = String::new();
    for input in inputs {
        path.push_str(&input?.1);
    }
    path.push_str(key);
    Ok(path)
}

#[test]
fn inputs_come_in_the_order_in_which_they_are_known() {
    bounded(|| {
        let pool = DagPool::from_iter([("a", "A".to_owned())]);
        pool.spawn("d", ["a", "b", "c"], path).unwrap();
        green::yield_now();
        assert_eq!(pool.waiting_for(&"d"), HashSet::from(["b", "c"]));
        pool.post("c", "C".to_owned()).unwrap();
        green::yield_now();
        assert_eq!(pool.waiting_for(&"d"), HashSet::from(["b"]));
        assert_eq!((pool.running(), pool.waiting()), (1, 1));
        pool.post("b", "B".to_owned()).unwrap();
        assert_eq!(pool.wait_for(&"d").unwrap(), "ACBd");
        assert_eq!((pool.running(), pool.waiting()), (0, 0));
        assert!(pool.waiting_for(&"d").is_empty());
    });
}

#[test]
fn a_node_starts_before_its_inputs_are_known() {
    bounded(|| {
        let pool = DagPool::new();
        let started = Rc::new(Cell::new(false));
        let note = Rc::clone(&started);
        pool.spawn("b", ["a"], move |_, mut inputs| {
            note.set(true);
            Ok(inputs.next().unwrap()?.1 + 1)
        })
        .unwrap();
        green::yield_now();
        assert!(started.get());
        assert!(pool.get(&"b").is_none());
        pool.post("a", 1).unwrap();
        assert_eq!(pool.wait_for(&"b").unwrap(), 2);
        assert_eq!(pool.get(&"b").unwrap().unwrap(), 2);
    });
}

#[test]
fn many_nodes_of_one_function() {
    bounded(|| {
        let pool = DagPool::new();
        let depends = [
            ("d", vec!["b", "c"]),
            ("c", vec!["a"]),
            ("b", vec!["a"]),
            ("a", vec![]),
        ];
        pool.spawn_many(depends, path).unwrap();
        let all = pool.waitall().unwrap();
        let d = all["d"].as_str();
        assert!(d == "abacd" || d == "acabd", "{d}");
        assert_eq!(all.len(), 4);
        let mut keys = pool.keys();
        keys.sort_unstable();
        assert_eq!(keys, ["a", "b", "c", "d"]);
        assert_eq!(pool.items().len(), 4);
    });
}

#[test]
fn a_key_is_used_once() {
    bounded(|| {
        let pool: DagPool<&str, i32> = DagPool::from_iter([("value", 1)]);
        pool.spawn("node", ["nothing"], |_, mut inputs| {
            Ok(inputs.next().unwrap()?.1)
        })
        .unwrap();
        for key in ["value", "node"] {
            let collision = Collision { key, value: () };
            assert_eq!(pool.spawn(key, [], |_, _| Ok(2)), Err(collision));
            assert_eq!(pool.post(key, 3), Err(Collision { key, value: 3 }));
        }
        let depends = [("new", vec![]), ("value", vec![])];
        assert!(pool.spawn_many(depends, |_, _| Ok(4)).is_err());
        let depends = [("twice", vec![]), ("twice", vec![])];
        assert!(pool.spawn_many(depends, |_, _| Ok(4)).is_err());
        assert_eq!(pool.running_keys(), ["node"], "nothing was started");

        pool.replace("value", 5).unwrap();
        assert_eq!(pool.wait_for(&"value").unwrap(), 5);
        assert!(pool.replace("node", 6).is_err());
        pool.replace("fresh", 7).unwrap();
        assert_eq!(pool.wait_for(&"fresh").unwrap(), 7);
        pool.kill(&"node");
    });
}

#[test]
fn a_node_may_post_its_own_value() {
    bounded(|| {
        let pool = DagPool::new();
        let own = pool.clone();
        pool.spawn("early", [], move |key, _| {
            own.post(*key, 1).unwrap();
            assert!(own.post(*key, 2).is_err());
            green::sleep(millis(1));
            Ok(3)
        })
        .unwrap();
        assert_eq!(pool.wait_for(&"early").unwrap(), 1);
        assert_eq!(pool.running(), 1);
        green::sleep(millis(3));
        assert_eq!((pool.running(), pool.wait_for(&"early").unwrap()), (0, 1));
    });
}

#[test]
fn failures_go_along_the_graph() {
    bounded(|| {
        let pool = DagPool::new();
        pool.spawn("a", [], |_, _| Err("no luck".into())).unwrap();
        pool.spawn_many([("b", ["a"]), ("c", ["b"])], path).unwrap();
        pool.spawn("other", [], path).unwrap();
        let error = pool.wait_for(&"c").unwrap_err();
        assert_eq!(*error.key(), "c");
        let mut chain = vec![error.to_string()];
        let mut next: Option<&(dyn Error + 'static)> = error.source();
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        let expected = [
            "the node \"c\" has failed",
            "the node \"b\" has failed",
            "the node \"a\" has failed",
            "no luck",
        ];
        assert_eq!(chain, expected);

        pool.spawn("panics", [], |_, _| panic!("on purpose"))
            .unwrap();
        let error = pool.wait_for(&"panics").unwrap_err();
        assert!(error.source().unwrap().to_string().contains("on purpose"));

        assert!(pool.waitall().is_err());
        let keys = ["a", "b", "c", "other"];
        let good: HashMap<_, _> = pool.wait_each_success(keys).collect();
        assert_eq!(good, HashMap::from([("other", "other".to_owned())]));
        let bad = pool.wait_each_exception(keys).map(|error| *error.key());
        assert_eq!(bad.collect::<HashSet<_>>(), HashSet::from(["a", "b", "c"]));
    });
}

#[test]
fn values_are_given_as_they_come() {
    bounded(|| {
        let pool = DagPool::new();
        let depends = [(30, []), (10, []), (20, [])];
        pool.spawn_many(depends, |&n, _| {
            green::sleep(millis(n));
            Ok(n)
        })
        .unwrap();
        let values: Vec<_> = pool
            .wait_each([30, 20, 10, 20])
            .map(Result::unwrap)
            .collect();
        assert_eq!(values, [(10, 10), (20, 20), (30, 30)]);
        assert_eq!(pool.wait_each([]).count(), 0);
        assert!(pool.wait([]).unwrap().is_empty());
    });
}

#[test]
fn a_timeout_loses_no_value() {
    bounded(|| {
        let pool = DagPool::new();
        let mut values = pool.wait_each(["a", "b"]);
        assert!(values.next_timeout(millis(1)).is_err());
        assert!(pool.wait_timeout(["a"], millis(1)).is_none());
        assert!(Timeout::new(millis(1)).run(|| values.next()).is_err());
        pool.post("b", 2).unwrap();
        assert_eq!(
            values.next_timeout(millis(1)).unwrap().unwrap().unwrap(),
            ("b", 2)
        );
        assert!(values.next_timeout(millis(1)).is_err());
        pool.post("a", 1).unwrap();
        assert_eq!(values.next().unwrap().unwrap(), ("a", 1));
        assert!(values.next_timeout(millis(1)).unwrap().is_none());
        assert!(pool.wait_timeout(["a"], millis(1)).unwrap().is_ok());
    });
}

#[test]
fn a_cycle_is_seen_and_can_be_broken() {
    bounded(|| {
        let pool = DagPool::new();
        pool.spawn_many([("a", ["b"]), ("b", ["a"])], path).unwrap();
        green::yield_now();
        let cycle = HashMap::from([("a", HashSet::from(["b"])), ("b", HashSet::from(["a"]))]);
        assert_eq!(pool.waiting_for_all(), cycle);
        assert_eq!((pool.running(), pool.waiting()), (2, 2));
        assert!(pool.kill(&"b"));
        assert!(!pool.kill(&"b"));
        pool.post("b", "B".to_owned()).unwrap();
        assert_eq!(pool.wait_for(&"a").unwrap(), "Ba");
    });
}

#[test]
fn a_killed_node_leaves_its_key_free() {
    bounded(|| {
        let pool = DagPool::new();
        // Before it starts, and while it waits.
        for turns in 0..2 {
            pool.spawn("a", ["nothing"], path).unwrap();
            (0..turns).for_each(|_| green::yield_now());
            assert!(pool.kill(&"a"));
            assert_eq!((pool.running(), pool.keys().len()), (0, 0));
        }
        let waiting = green::spawn({
            let pool = pool.clone();
            move || pool.wait_for(&"a").unwrap()
        });
        green::yield_now();
        // One that takes its time to end does not get in the way of the next.
        pool.spawn("a", [], |_, _| {
            let slow = catch_unwind(AssertUnwindSafe(|| green::sleep(Duration::from_secs(3600))));
            green::mask(|| green::sleep(millis(5)));
            drop(slow);
            Ok("from the grave".to_owned())
        })
        .unwrap();
        green::yield_now();
        assert!(pool.kill(&"a"));
        pool.spawn("a", ["late"], path).unwrap();
        green::sleep(millis(10));
        assert_eq!(pool.running_keys(), ["a"]);
        assert!(pool.get(&"a").is_none());
        pool.post("late", "L".to_owned()).unwrap();
        assert_eq!(waiting.join().unwrap(), "La");
        assert!(!pool.kill(&"unknown"));
    });
}

#[test]
fn who_unwinds_is_told_that_it_cannot_wait() {
    struct Wait(DagPool<&'static str, i32>, Rc<RefCell<String>>);
    impl Drop for Wait {
        fn drop(&mut self) {
            assert_eq!(self.0.wait_for(&"known").unwrap(), 1);
            let error = self.0.wait(["known", "unknown"]).unwrap_err();
            *self.1.borrow_mut() = format!("{error}: {}", error.source().unwrap());
            assert_eq!(self.0.wait_each(["unknown"]).count(), 0);
        }
    }
    bounded(|| {
        let pool = DagPool::from_iter([("known", 1)]);
        let said = Rc::new(RefCell::new(String::new()));
        let wait = Wait(pool, Rc::clone(&said));
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _wait = wait;
            panic!("on purpose");
        }));
        assert!(caught.is_err());
        assert!(
            said.borrow()
                .starts_with("the node \"unknown\" has failed: cannot wait")
        );
    });
}

#[test]
fn nothing_is_left_behind() {
    bounded(|| {
        let before = greenlet::stats().greenlets;
        let value = Rc::new(());
        let pool = DagPool::new();
        for n in 0..10 {
            let value = Rc::clone(&value);
            pool.spawn(n, [n + 1], move |_, mut inputs| {
                let _ = inputs.next();
                Ok(value)
            })
            .unwrap();
        }
        for _ in 0..100 {
            assert!(pool.wait_timeout([0], Duration::ZERO).is_none());
        }
        assert!(pool.kill(&3));
        pool.post(3, Rc::clone(&value)).unwrap();
        pool.post(10, Rc::clone(&value)).unwrap();
        pool.waitall().unwrap();
        drop(pool);
        assert_eq!(greenlet::stats().greenlets, before);
        assert_eq!(Rc::strong_count(&value), 1);
    });
}
