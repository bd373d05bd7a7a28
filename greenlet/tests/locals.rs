//! Data of each greenlet's own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use greenlet::{Greenlet, GreenletExit, Local, current, main_greenlet, stats};

static NUMBER: Local<Cell<u32>> = Local::new(|| Cell::new(7));
static NAMES: Local<RefCell<Vec<&'static str>>> = Local::new(RefCell::default);

#[test]
fn each_greenlet_begins_with_its_own() {
    NUMBER.with(|n| n.set(1));
    let g = Greenlet::new(|()| {
        assert_eq!(NUMBER.with(Cell::get), 7, "not inherited");
        NUMBER.with(|n| n.set(2));
        main_greenlet().switch::<(), ()>(()).unwrap();
        NUMBER.with(Cell::get)
    });
    g.switch_as::<()>(()).unwrap();
    assert_eq!(NUMBER.with(Cell::get), 1);
    assert_eq!(g.switch(()), Ok(2));
}

#[test]
fn statics_do_not_disturb_each_other() {
    NAMES.with(|names| {
        names.borrow_mut().push("a");
        NUMBER.with(|n| n.set(3));
        NAMES.with(|again| again.borrow_mut().push("b"));
    });
    assert_eq!(NAMES.with(|names| names.borrow().concat()), "ab");
    assert_eq!(NUMBER.with(Cell::get), 3);
}

#[test]
fn a_borrow_may_span_a_switch() {
    let g = Greenlet::new(|()| {
        NUMBER.with(|n| {
            n.set(5);
            main_greenlet().switch::<(), ()>(()).unwrap();
            n.get()
        })
    });
    g.switch_as::<()>(()).unwrap();
    NUMBER.with(|n| n.set(6));
    assert_eq!(g.switch(()), Ok(5));
}

#[test]
fn they_are_dropped_when_the_greenlet_ends_on_its_own_stack() {
    thread_local! {
        static DROPPED_IN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }
    struct Tell;
    impl Drop for Tell {
        fn drop(&mut self) {
            // May use others, which are made for it.
            NUMBER.with(|n| n.set(n.get() + 1));
            DROPPED_IN.with_borrow_mut(|ids| ids.push(current().id()));
        }
    }
    static TELL: Local<Tell> = Local::new(|| Tell);

    let returns = Greenlet::new(|()| TELL.with(|_| ()));
    let is_thrown_at = Greenlet::new(|()| {
        TELL.with(|_| ());
        main_greenlet().switch::<(), ()>(()).unwrap();
    });
    returns.switch(()).unwrap();
    is_thrown_at.switch(()).unwrap();
    assert!(is_thrown_at.throw(GreenletExit).is_err());
    let ids = DROPPED_IN.with_borrow(Vec::clone);
    assert_eq!(ids, [returns.id(), is_thrown_at.id()]);
    drop((returns, is_thrown_at));
    assert_eq!(stats().stacks, 0);
}

#[test]
fn a_panic_of_a_destructor_does_not_change_the_outcome() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    static PANICS: Local<Panics> = Local::new(|| Panics);
    let g = Greenlet::new(|()| {
        PANICS.with(|_| ());
        5
    });
    assert_eq!(g.switch(()), Ok(5));
}

#[test]
fn the_main_greenlets_are_dropped_with_their_thread() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    struct Count;
    impl Drop for Count {
        fn drop(&mut self) {
            DROPS.fetch_add(1, SeqCst);
        }
    }
    static COUNT: Local<Rc<Count>> = Local::new(|| Rc::new(Count));
    for _ in 0..5 {
        std::thread::spawn(|| COUNT.with(|_| ())).join().unwrap();
    }
    assert_eq!(DROPS.load(SeqCst), 5);
}

#[test]
fn making_one_may_use_it() {
    static NESTED: Local<u32> = Local::new(|| {
        if NUMBER.with(|n| n.replace(0)) == 7 {
            return NESTED.with(|&n| n) + 100;
        }
        1
    });
    let g = Greenlet::new(|()| NESTED.with(|&n| n));
    // The inner one was there first.
    assert_eq!(g.switch(()), Ok(1));
}
