//! What a thread leaves behind.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use common::{CASE, this_program};
use greenlet::{
    AnyGreenlet, Greenlet, SwitchError, ThreadEnd, at_thread_end, current, main_greenlet,
};

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

/// What has happened, in a thread that is to be looked at when it has ended.
type Log = Arc<Mutex<Vec<&'static str>>>;

fn said(log: &Log) -> Vec<&'static str> {
    log.lock().unwrap().clone()
}

/// Writes something down when it is dropped.
struct Says(Log, &'static str);

impl Drop for Says {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(self.1);
    }
}

thread_local! {
    static FIRST: RefCell<Option<Says>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<Says>> = const { RefCell::new(None) };
    static KEPT: RefCell<Vec<AnyGreenlet>> = const { RefCell::new(Vec::new()) };
    static LAST_WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
}

/// Runs a closure when it is dropped.
struct LastWords(Option<Box<dyn FnOnce()>>);

impl LastWords {
    fn new(f: impl FnOnce() + 'static) -> LastWords {
        LastWords(Some(Box::new(f)))
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// Suspends the running greenlet while it borrows `FIRST`, and writes down when it is unwound.
fn borrow_first(log: Log) {
    FIRST.with_borrow(|_| {
        let _says = Says(log, "unwound");
        main_greenlet().switch::<(), ()>(()).unwrap();
    });
}

#[test]
fn no_thread_local_dies_before_what_is_suspended_is_unwound() {
    for keep in [false, true] {
        let log = Log::default();
        let l = log.clone();
        thread::spawn(move || {
            // Greenlets are used before the thread-locals are.
            drop(current());
            FIRST.set(Some(Says(l.clone(), "first")));
            let g: Greenlet<(), ()> = Greenlet::new(move |()| borrow_first(l));
            g.switch(()).unwrap();
            if keep {
                KEPT.with_borrow_mut(|kept| kept.push(g.into()));
            } else {
                std::mem::forget(g);
            }
        })
        .join()
        .unwrap();
        assert_eq!(said(&log), ["unwound", "first"]);
    }
}

#[test]
fn greenlets_of_a_destructor_end_before_the_next_thread_local_dies() {
    // When greenlets are used first: before the thread-locals are, after that, or only by the destructor.
    for first_use in ["before", "after", "late"] {
        let log = Log::default();
        let l = log.clone();
        thread::spawn(move || {
            if first_use == "before" {
                drop(current());
            }
            FIRST.set(Some(Says(l.clone(), "first")));
            SECOND.set(Some(Says(l.clone(), "second")));
            // Registered last, so destroyed first.
            LAST_WORDS.set(Some(LastWords::new(move || {
                let g: Greenlet<(), ()> = Greenlet::new(move |()| borrow_first(l));
                g.switch(()).unwrap();
                std::mem::forget(g);
            })));
            if first_use == "after" {
                drop(current());
            }
        })
        .join()
        .unwrap();
        assert_eq!(said(&log), ["unwound", "second", "first"], "{first_use}");
    }
}

#[test]
fn a_thread_local_that_is_first_used_while_greenlets_are_unwound_outlives_them() {
    let log = Log::default();
    let l = log.clone();
    thread::spawn(move || {
        let words = LastWords::new(move || {
            // On the way out another one is suspended that borrows a thread-local that is new.
            FIRST.set(Some(Says(l.clone(), "first")));
            let g: Greenlet<(), ()> = Greenlet::new(move |()| borrow_first(l));
            std::mem::forget(g);
        });
        let g = Greenlet::new(move |()| {
            let _words = words;
            main_greenlet().switch::<(), ()>(()).unwrap();
        });
        g.switch(()).unwrap();
        std::mem::forget(g);
    })
    .join()
    .unwrap();
    assert_eq!(said(&log), ["first"], "what was never started runs nothing");
}

#[test]
fn one_that_refused_to_end_is_never_resumed() {
    let resumed = Arc::new(AtomicUsize::new(0));
    let r = resumed.clone();
    thread::spawn(move || {
        let count = r.clone();
        let g: Greenlet<(), ()> = Greenlet::new(move |()| {
            loop {
                let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
                count.fetch_add(1, SeqCst);
            }
        });
        g.switch(()).unwrap();
        LAST_WORDS.set(Some(LastWords::new(move || {
            let before = r.swap(0, SeqCst);
            assert!(before > 1, "it was told more than once");
            assert!(g.is_dead());
            // As with a dead one, main is switched to in its place.
            g.switch(()).unwrap();
            drop(g);
        })));
    })
    .join()
    .unwrap();
    assert_eq!(resumed.load(SeqCst), 0);
}

#[test]
fn a_destructor_that_is_under_way_is_not_begun_again() {
    struct Waits(Arc<AtomicUsize>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            let _ = main_greenlet().switch::<(), ()>(());
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let waits = Waits(drops.clone());
    thread::spawn(move || {
        let never_run: Greenlet<(), ()> = Greenlet::new(move |()| drop(waits));
        let g: Greenlet<(), ()> = Greenlet::new(move |()| drop(never_run));
        g.switch(()).unwrap();
        std::mem::forget(g);
    })
    .join()
    .unwrap();
    assert_eq!(drops.load(SeqCst), 1);
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_ends_no_process() {
    struct PanicsToo;
    impl Drop for PanicsToo {
        fn drop(&mut self) {
            panic!("the payload of a panic");
        }
    }
    thread::spawn(|| {
        let g: Greenlet<(), ()> = Greenlet::new(|()| {
            let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
            std::panic::panic_any(PanicsToo);
        });
        g.switch(()).unwrap();
        std::mem::forget(g);
    })
    .join()
    .unwrap();
}

#[test]
fn functions_that_wait_for_the_end_run_before_the_unwinding_the_last_first() {
    let log = Log::default();
    let l = log.clone();
    thread::spawn(move || {
        FIRST.set(Some(Says(l.clone(), "first")));
        for word in ["one", "two"] {
            let l = l.clone();
            at_thread_end(move |end| {
                assert_eq!(end, ThreadEnd::Unwind);
                assert!(FIRST.with_borrow(Option::is_some));
                l.lock().unwrap().push(word);
            });
        }
        at_thread_end(|_| panic!("goes no further"));
        let g: Greenlet<(), ()> = Greenlet::new(move |()| borrow_first(l));
        g.switch(()).unwrap();
        std::mem::forget(g);
    })
    .join()
    .unwrap();
    assert_eq!(said(&log), ["two", "one", "unwound", "first"]);
}

/// Where this test program begins again.
#[test]
fn case() {
    let words = |g: Greenlet<(), ()>| {
        LAST_WORDS.set(Some(LastWords::new(move || {
            println!("others: {:?}", main_greenlet().switch::<(), ()>(()));
            println!("one that was suspended is dead: {}", g.is_dead());
            drop(g);
        })));
    };
    let suspended = || {
        let g: Greenlet<(), ()> = Greenlet::new(|()| {
            let _words = LastWords::new(|| println!("unwound"));
            main_greenlet().switch::<(), ()>(()).unwrap();
        });
        g.switch(()).unwrap();
        at_thread_end(|end| println!("{end:?}"));
        g
    };
    match std::env::var(CASE).as_deref() {
        Ok("inside a greenlet") => {
            words(suspended());
            Greenlet::<(), ()>::new(|()| std::process::exit(7))
                .switch(())
                .unwrap();
        }
        Ok("main thread") => {
            // In the child of a fork the thread that has called it is the main one.
            // SAFETY: the child runs only what is here.
            let child = unsafe { libc::fork() };
            if child == 0 {
                words(suspended());
                std::process::exit(7);
            }
            let mut status = 0;
            // SAFETY: waits for the child above.
            unsafe { libc::waitpid(child, &mut status, 0) };
            std::process::exit(libc::WEXITSTATUS(status));
        }
        _ => {}
    }
}

#[test]
fn the_end_of_the_process_abandons_what_is_suspended() {
    for (case, switched) in [
        (
            "inside a greenlet",
            format!("{:?}", Err::<(), _>(SwitchError::Ending)),
        ),
        // It is the running one, which has its value back.
        ("main thread", format!("{:?}", Ok::<_, SwitchError>(()))),
    ] {
        let output = this_program(case).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(7), "{case}: {text}");
        let expected =
            format!("Abandon\nothers: {switched}\none that was suspended is dead: true\n");
        assert!(text.ends_with(&expected), "{case}: {text}");
    }
}
