//! What the tests of the primitives share.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use green::Timeout;
use green::debug::counters;

#[allow(unused_imports, reason = "each test program uses its own part of it")]
pub(crate) use super::{settle, spawn_settled};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Runs a test under a bound, and checks that nothing of it stays behind: no greenthread, stack, timer or waiter.
pub(crate) fn bounded(test: impl FnOnce()) {
    let (before, stacks) = (counters(), greenlet::stats().stacks);
    if let Err(elapsed) = Timeout::new(Duration::from_secs(60)).run(test) {
        panic!("the test {elapsed}");
    }
    settle();
    let after = counters();
    assert_eq!(
        after.greenthreads, before.greenthreads,
        "greenthreads left behind"
    );
    assert_eq!(greenlet::stats().stacks, stacks, "stacks left behind");
    assert_eq!(after.timers, 0, "timers left behind");
    assert_eq!(after.remote_waiters, 0, "remote waiters left behind");
}

/// What happened, in order.
pub(crate) struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Log<T> {
    pub(crate) fn new() -> Log<T> {
        Log(Rc::new(RefCell::new(Vec::new())))
    }

    pub(crate) fn add(&self, entry: T) {
        self.0.borrow_mut().push(entry);
    }

    /// What has been added since the last time.
    pub(crate) fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Log<T> {
        Log(Rc::clone(&self.0))
    }
}

/// Runs `f` in a destructor while the greenthread unwinds from a panic.
pub(crate) fn while_unwinding<R: Debug + 'static>(f: impl FnOnce() -> R + 'static) -> R {
    struct OnDrop<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.0.take().unwrap()();
        }
    }
    let result = Rc::new(Cell::new(None));
    let out = Rc::clone(&result);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(Some(move || out.set(Some(f()))));
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(unwound.is_err());
    result.take().unwrap()
}

/// Runs `f` in the destructors of two greenthreads that are being killed at once, and checks that not one switch
/// happened meanwhile.
pub(crate) fn while_two_unwind(f: impl Fn() + 'static) {
    struct OnDrop(Rc<dyn Fn()>, Log<&'static str>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.1.add("begin");
            let switches = counters().switches;
            (self.0)();
            assert_eq!(counters().switches, switches, "a switch while unwinding");
            self.1.add("end");
        }
    }
    let f: Rc<dyn Fn()> = Rc::new(f);
    let log = Log::new();
    let victims: Vec<_> = (0..2)
        .map(|_| {
            let on_drop = OnDrop(Rc::clone(&f), log.clone());
            green::spawn(move || {
                let _on_drop = on_drop;
                green::sleep(Duration::from_secs(60));
            })
        })
        .collect();
    green::yield_now();
    for victim in &victims {
        victim.kill();
    }
    for victim in victims {
        assert!(matches!(victim.join(), Err(green::Exit::Killed(_))));
    }
    assert_eq!(log.take(), ["begin", "end", "begin", "end"]);
}

/// Checks that the hub sleeps while all others wait as `f` has left them: one turn for one sleep, and no more.
pub(crate) fn assert_idle() {
    settle();
    let before = counters();
    green::sleep(20 * MS);
    let after = counters();
    assert!(
        after.turns - before.turns <= 2,
        "the hub turned {} times",
        after.turns - before.turns
    );
    assert!(
        after.switches - before.switches <= 2,
        "somebody ran while all wait"
    );
}
