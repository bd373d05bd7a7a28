//! Code of the user that waits, panics or calls back inside a group: it harms nobody else, and nothing is lost.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use green::dagpool::DagPool;
use green::pools::Pool;
use green::{Builder, GreenPile, GreenPool};

use crate::common::primitive::{MS, bounded, settle};

thread_local! {
    static ACT: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// What hostile code does from now on.
fn arm(act: impl Fn() + 'static) {
    ACT.set(Some(Rc::new(act)));
}

fn disarm() {
    drop(ACT.take());
}

fn act() {
    let act = ACT.with_borrow(Clone::clone);
    if let Some(act) = act {
        act();
    }
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// A key whose every code is hostile.
#[derive(Debug)]
struct Key(u32);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        act();
        self.0.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        act();
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Clone for Key {
    fn clone(&self) -> Key {
        act();
        Key(self.0)
    }
}

#[test]
fn keys_that_wait_harm_no_sibling() {
    bounded(|| {
        let pool: DagPool<Key, u32> = DagPool::new();
        let same = pool.clone();
        let sibling = green::spawn(move || {
            for n in 10..20 {
                same.post(Key(n), n).unwrap();
                assert_eq!(same.wait_for(&Key(n)).unwrap(), n);
                same.running_keys();
            }
        });
        arm(green::yield_now);
        for n in 0..5 {
            let add = move |_: &Key, inputs: green::dagpool::Values<Key, u32>| {
                let mut sum = 1;
                for input in inputs {
                    sum += input?.1;
                }
                Ok(sum)
            };
            pool.spawn(Key(n), (0..n).map(Key), add).unwrap();
        }
        assert!(pool.spawn(Key(0), [], |_, _| Ok(0)).is_err());
        assert_eq!(pool.wait_for(&Key(4)).unwrap(), 16);
        sibling.join().unwrap();
        assert_eq!(pool.items().len(), 15);
        disarm();
    });
}

#[test]
fn two_who_name_a_new_key_at_once_mean_the_same() {
    bounded(|| {
        let pool: DagPool<Key, u32> = DagPool::new();
        arm(green::yield_now);
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let pool = pool.clone();
                green::spawn(move || pool.wait_for(&Key(1)).unwrap())
            })
            .collect();
        settle();
        pool.post(Key(1), 7).unwrap();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), 7);
        }
        disarm();
    });
}

#[test]
fn keys_that_panic_or_call_back_lose_nothing() {
    bounded(|| {
        let pool: DagPool<Key, u32> = (0..100).map(|n| (Key(n), n)).collect();
        arm(|| panic!("cannot be hashed"));
        assert!(panics(|| drop(pool.post(Key(100), 0))));
        assert!(panics(|| drop(pool.get(&Key(1)))));
        assert!(panics(|| drop(pool.keys())));
        disarm();
        let same = pool.clone();
        arm(move || {
            disarm();
            assert_eq!(same.get(&Key(5)).unwrap().unwrap(), 5);
            same.post(Key(200), 200).unwrap();
        });
        assert_eq!(pool.get(&Key(3)).unwrap().unwrap(), 3);
        assert_eq!(pool.wait_for(&Key(200)).unwrap(), 200);
        for n in 0..100 {
            assert_eq!(pool.get(&Key(n)).unwrap().unwrap(), n);
        }
        assert!(pool.get(&Key(100)).is_none());
    });
}

#[test]
fn a_surplus_whose_destructor_panics_keeps_no_other() {
    struct Resource(Rc<Cell<usize>>);
    impl Drop for Resource {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            act();
        }
    }
    bounded(|| {
        let dropped = Rc::new(Cell::new(0));
        let count = Rc::clone(&dropped);
        let create = move || Resource(Rc::clone(&count));
        let pool = Pool::builder().min(4).max(4).create(create);
        let same = pool.clone();
        let sibling = green::spawn(move || drop(same.item()));
        arm(|| {
            green::yield_now();
            disarm();
            panic!("cannot be dropped");
        });
        assert!(panics(|| pool.resize(1)));
        assert_eq!(dropped.get(), 3);
        sibling.join().unwrap();
        assert_eq!(pool.free(), 1);
    });
}

#[test]
fn a_resource_that_cannot_be_made_leaves_its_room() {
    bounded(|| {
        let create = || {
            green::yield_now();
            act();
        };
        let pool = Pool::builder().max(1).create(create);
        let same = pool.clone();
        arm(|| {
            disarm();
            panic!("cannot be made");
        });
        let first = green::spawn(move || drop(same.item()));
        green::yield_now();
        let same = pool.clone();
        let second = green::spawn(move || drop(same.item()));
        assert!(first.join().is_err());
        second.join().unwrap();
        assert_eq!(pool.free(), 1);
    });
}

#[test]
fn inputs_and_calls_of_a_map_may_use_its_pool() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let (inner, inputs) = (pool.clone(), pool.clone());
        let results = pool.imap(
            move |n: u32| {
                green::yield_now();
                inner.spawn(move || n).join().unwrap()
            },
            (0..6).inspect(move |_| {
                green::sleep(MS);
                inputs.waiting();
                inputs.resize(2);
            }),
        );
        let results: Result<Vec<_>, _> = results.collect();
        assert_eq!(results.unwrap(), [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn a_pile_whose_calls_spawn_into_it() {
    bounded(|| {
        let pile = GreenPile::new(2);
        let same = pile.clone();
        pile.spawn(move || {
            same.spawn(|| 2);
            1
        });
        let mut results: Vec<_> = (&pile).map(Result::unwrap).collect();
        results.sort_unstable();
        assert_eq!(results, [1, 2]);
    });
}

#[test]
fn a_shortage_of_stacks_leaves_piles_and_graphs_as_they_were() {
    bounded(|| {
        let huge = || Builder::new().stack_size(1 << 60);
        let pile = GreenPile::new(1);
        let results = pile.results();
        pile.spawn(|| 1);
        for _ in 0..3 {
            assert!(huge().spawn_in_pile(&pile, || 2).is_err());
            assert_eq!(pile.len(), 1);
        }
        pile.close();
        assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>(), [1]);

        let dag = DagPool::from_iter([("a", 1)]);
        let next = |builder: Builder| {
            builder.spawn_in_dag(&dag, "b", ["a"], |_, mut inputs| {
                Ok(inputs.next().unwrap()?.1 + 1)
            })
        };
        for _ in 0..3 {
            assert_ne!(next(huge()).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!((dag.running(), dag.get(&"b").is_none()), (0, true));
        }
        next(Builder::new()).unwrap();
        let again = next(Builder::new()).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        assert_eq!(dag.wait_for(&"b").unwrap(), 2);
    });
}

#[test]
fn a_shortage_of_stacks_gives_the_place_back() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let huge = || Builder::new().stack_size(1 << 60);
        for _ in 0..3 {
            assert!(huge().spawn_in(&pool, || ()).is_err());
            assert!(huge().spawn_n_in(&pool, || ()).is_err());
            assert!(huge().spawn_n(|| ()).is_err());
            assert_eq!((pool.free(), pool.running()), (1, 0));
        }
        let inner = pool.clone();
        let inside = move || huge().spawn_in(&inner, || ()).is_err();
        assert!(pool.apply(inside).unwrap(), "on the place of a member");
        let scoped = green::scope(|s| huge().spawn_scoped(s, || ()).is_err());
        assert!(scoped.unwrap());
        let gt = Builder::new()
            .name("named")
            .spawn_in(&pool, || green::current().name());
        assert_eq!(gt.unwrap().join().unwrap().as_deref(), Some("named"));
        pool.waitall().unwrap();
    });
}
