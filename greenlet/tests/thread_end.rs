//! What a thread leaves behind.

use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use greenlet::{AnyGreenlet, Greenlet, main_greenlet};

/// Counts itself when it is dropped.
#[derive(Clone)]
struct Tell(Arc<AtomicUsize>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn suspended_greenlets_are_unwound() {
    let told = Arc::new(AtomicUsize::new(0));
    for _ in 0..20 {
        let told = told.clone();
        thread::spawn(move || {
            for how in 0..3 {
                let tell = Tell(told.clone());
                let g: Greenlet<AnyGreenlet, ()> = Greenlet::new(move |me: AnyGreenlet| {
                    let _kept = (tell, me);
                    main_greenlet().switch::<(), ()>(()).unwrap();
                });
                match how {
                    // Kept by nobody but itself.
                    0 => g.switch_as::<()>(g.as_any().clone()).unwrap(),
                    // A forgotten handle.
                    1 => {
                        g.switch_as::<()>(main_greenlet()).unwrap();
                        std::mem::forget(g);
                    }
                    // Never started.
                    _ => std::mem::forget(g),
                }
            }
        })
        .join()
        .unwrap();
    }
    assert_eq!(told.load(SeqCst), 60);
}

#[test]
fn one_that_refuses_to_end_does_not_hold_the_thread() {
    let exits = Arc::new(AtomicUsize::new(0));
    let e = exits.clone();
    thread::spawn(move || {
        let g: Greenlet<(), ()> = Greenlet::new(move |()| {
            loop {
                let caught = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
                e.fetch_add(usize::from(caught.is_err()), SeqCst);
            }
        });
        g.switch(()).unwrap();
        std::mem::forget(g);
    })
    .join()
    .unwrap();
    assert!(exits.load(SeqCst) >= 1);
}

#[test]
fn one_that_refuses_for_a_while_ends() {
    let told = Arc::new(AtomicUsize::new(0));
    let tell = Tell(told.clone());
    thread::spawn(move || {
        let g: Greenlet<(), ()> = Greenlet::new(move |()| {
            let _tell = tell;
            for _ in 0..2 {
                let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
            }
        });
        g.switch(()).unwrap();
        std::mem::forget(g);
    })
    .join()
    .unwrap();
    assert_eq!(told.load(SeqCst), 1);
}

thread_local! {
    /// Destroyed after the greenlets' end if it is touched before the first greenlet, before it otherwise.
    static LATE: RefCell<Vec<AnyGreenlet>> = const { RefCell::new(Vec::new()) };
    static TOUCHED: OnEnd = const { OnEnd };
}

struct OnEnd;

impl Drop for OnEnd {
    fn drop(&mut self) {
        // Handles still work, whatever has become of their greenlets, and so do new ones.
        LATE_USE.set(true);
        let g = Greenlet::new(|n: i32| main_greenlet().switch::<i32, i32>(n).unwrap());
        assert_eq!(g.switch(1), Ok(1));
        assert_eq!(g.switch(2), Ok(2));
        drop(g);
        let unfinished = Greenlet::new(|n: i32| main_greenlet().switch::<i32, i32>(n).unwrap());
        assert_eq!(unfinished.switch(1), Ok(1));
    }
}

thread_local! {
    static LATE_USE: Cell<bool> = const { Cell::new(false) };
}

#[test]
fn handles_may_outlive_the_end() {
    for touch_first in [true, false] {
        thread::spawn(move || {
            if touch_first {
                LATE.with(|_| ());
                TOUCHED.with(|_| ());
            }
            let suspended: Greenlet<(), ()> =
                Greenlet::new(|()| main_greenlet().switch::<(), ()>(()).unwrap());
            suspended.switch(()).unwrap();
            let dead: Greenlet<(), ()> = Greenlet::new(|()| ());
            dead.switch(()).unwrap();
            let unstarted: Greenlet<(), ()> = Greenlet::new(|()| ());
            TOUCHED.with(|_| ());
            LATE.with_borrow_mut(|late| {
                late.extend([
                    suspended.into(),
                    dead.into(),
                    unstarted.into(),
                    main_greenlet(),
                ]);
            });
        })
        .join()
        .unwrap();
    }
}

#[test]
fn a_panicking_thread_ends_its_greenlets() {
    let told = Arc::new(AtomicUsize::new(0));
    let tell = Tell(told.clone());
    let result = thread::spawn(move || {
        let g: Greenlet<(), ()> = Greenlet::new(move |()| {
            let _tell = tell;
            main_greenlet().switch::<(), ()>(()).unwrap();
        });
        g.switch(()).unwrap();
        panic!("with a greenlet suspended");
    })
    .join();
    assert!(result.is_err());
    assert_eq!(told.load(SeqCst), 1);
}
