//! corolocal: one value for each greenthread.

use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

use crate::common::bounded;
use green::corolocal;

thread_local! {
    static MADE: Cell<u32> = const { Cell::new(0) };
    static DROPPED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

struct Noisy(u32);

impl Drop for Noisy {
    fn drop(&mut self) {
        DROPPED.with_borrow_mut(|dropped| dropped.push(self.0));
    }
}

corolocal! {
    static NUMBER: Cell<u32> = {
        MADE.set(MADE.get() + 1);
        Cell::new(0)
    };
    /// Documented, visible, and without a semicolon.
    pub static NAMES: RefCell<Vec<&'static str>> = RefCell::new(Vec::new())
}

#[test]
fn each_greenthread_has_its_own_value() {
    bounded(|| {
        let before = MADE.get();
        NUMBER.set(7);
        let others: Vec<_> = (1..=3)
            .map(|n| {
                green::spawn(move || {
                    assert_eq!(NUMBER.get(), 0, "nothing is inherited");
                    NUMBER.set(n);
                    green::yield_now();
                    NUMBER.get()
                })
            })
            .collect();
        for (n, other) in others.into_iter().enumerate() {
            assert_eq!(other.join().unwrap(), n as u32 + 1);
        }
        assert_eq!(NUMBER.get(), 7);
        assert_eq!(MADE.get() - before, 4, "made once for each that asked");
    });
}

#[test]
fn a_value_is_dropped_with_its_greenthread() {
    corolocal! {
        static FIRST: Noisy = Noisy(1);
        static SECOND: Noisy = Noisy(2);
    }
    fn touch() {
        SECOND.with(|_| ());
        FIRST.with(|_| ());
    }
    bounded(|| {
        let dropped = || DROPPED.take();
        green::spawn(touch).join().unwrap();
        assert_eq!(dropped(), [1, 2], "the last made is the first to go");
        let killed = green::spawn(|| {
            touch();
            green::sleep(Duration::from_secs(3600));
        });
        green::yield_now();
        assert_eq!(dropped(), [0; 0]);
        killed.kill();
        assert_eq!(dropped(), [1, 2]);
        let panicked = green::spawn(|| {
            FIRST.with(|_| ());
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(dropped(), [1]);
        green::spawn(|| ()).join().unwrap();
        assert_eq!(dropped(), [0; 0]);
    });
}

#[test]
fn the_values_of_a_thread_are_dropped_with_it() {
    struct Tell(std::sync::mpsc::Sender<u32>);
    impl Drop for Tell {
        fn drop(&mut self) {
            // Other greenthreads still run.
            let told = green::spawn(|| 5).join().unwrap();
            self.0.send(told).unwrap();
        }
    }
    corolocal! {
        static TELL: RefCell<Option<Tell>> = RefCell::new(None);
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || TELL.set(Some(Tell(sender))))
        .join()
        .unwrap();
    assert_eq!(receiver.recv(), Ok(5));
}

#[test]
fn destructors_may_use_values() {
    corolocal! {
        static COUNT: Cell<u32> = Cell::new(0);
        static AGAIN: Again = Again;
    }
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            COUNT.set(COUNT.get() + 1);
            if COUNT.get() < 3 {
                AGAIN.with(|_| ());
            }
            DROPPED.with_borrow_mut(|dropped| dropped.push(COUNT.get()));
        }
    }
    bounded(|| {
        green::spawn(|| {
            COUNT.set(0);
            AGAIN.with(|_| ());
        })
        .join()
        .unwrap();
        assert_eq!(DROPPED.take(), [1, 2, 3]);
    });
}

#[test]
fn a_destructor_that_makes_itself_anew_comes_to_an_end() {
    corolocal! {
        static PHOENIX: Phoenix = Phoenix;
    }
    struct Phoenix;
    impl Drop for Phoenix {
        fn drop(&mut self) {
            PHOENIX.with(|_| ());
        }
    }
    bounded(|| green::spawn(|| PHOENIX.with(|_| ())).join().unwrap());
}

#[test]
fn a_destructor_may_panic() {
    corolocal! {
        static BOMB: Bomb = Bomb;
        static NOISY: Noisy = Noisy(9);
    }
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    bounded(|| {
        let gt = green::spawn(|| {
            NOISY.with(|_| ());
            BOMB.with(|_| ());
            3
        });
        assert_eq!(gt.join().unwrap(), 3);
        assert_eq!(DROPPED.take(), [9]);
    });
}

#[test]
fn an_initialiser_may_use_other_values_and_wait() {
    corolocal! {
        static BASE: u32 = {
            green::yield_now();
            20
        };
        static DOUBLE: u32 = BASE.with(|base| base * 2);
    }
    bounded(|| {
        let other = green::spawn(|| DOUBLE.with(|double| *double));
        assert_eq!(DOUBLE.with(|double| *double), 40);
        assert_eq!(other.join().unwrap(), 40);
    });
}

#[test]
fn an_initialiser_that_fails_is_tried_again() {
    corolocal! {
        static FUSE: Cell<u32> = {
            MADE.set(MADE.get() + 1);
            assert!(MADE.get() > 1, "on purpose");
            Cell::new(5)
        };
        static CIRCLE: u32 = CIRCLE.with(|circle| *circle);
    }
    bounded(|| {
        MADE.set(0);
        assert!(catch_unwind(|| FUSE.get()).is_err());
        assert_eq!(FUSE.get(), 5);
        for _ in 0..2 {
            let circle = catch_unwind(|| CIRCLE.with(|_| ())).unwrap_err();
            let message = circle.downcast::<&str>().unwrap();
            assert!(message.contains("asks for the value"), "{message}");
        }
    });
}

#[test]
fn the_value_outlives_what_runs_on_it() {
    bounded(|| {
        NAMES.with(|names| {
            names.borrow_mut().push("a");
            green::yield_now();
            NAMES.with_borrow_mut(|names| names.push("b"));
            assert_eq!(*names.borrow(), ["a", "b"]);
        });
        assert_eq!(NAMES.replace(vec!["c"]), ["a", "b"]);
        NAMES.set(vec!["d"]);
        assert_eq!(NAMES.with_borrow(Vec::len), 1);
        assert_eq!(NAMES.take(), ["d"]);
        NUMBER.set(4);
        assert_eq!((NUMBER.replace(5), NUMBER.take(), NUMBER.get()), (4, 5, 0));
    });
}

#[test]
fn a_greenthread_has_one_identity() {
    bounded(|| {
        let main = green::current_id();
        let others: Vec<_> = (0..3)
            .map(|_| {
                green::spawn(|| {
                    let first = green::current_id();
                    green::yield_now();
                    assert_eq!(green::current_id(), first);
                    first
                })
            })
            .collect();
        let mut idents: Vec<_> = others.into_iter().map(|gt| gt.join().unwrap()).collect();
        assert_eq!(green::current_id(), main);
        idents.push(main);
        idents.sort_unstable();
        idents.dedup();
        assert_eq!(idents.len(), 4);
    });
}

#[test]
fn nothing_is_left_behind() {
    corolocal! {
        static HELD: RefCell<Option<Rc<()>>> = RefCell::new(None);
    }
    bounded(|| {
        let value = Rc::new(());
        for _ in 0..10 {
            let value = Rc::clone(&value);
            green::spawn(move || HELD.set(Some(value))).join().unwrap();
        }
        assert_eq!(Rc::strong_count(&value), 1);
    });
}
