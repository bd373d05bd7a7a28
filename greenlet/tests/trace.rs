//! The trace hook.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::{Greenlet, GreenletExit, TraceEvent, current, main_greenlet, set_trace, stats};

type Log = Rc<RefCell<Vec<(TraceEvent, u64, u64)>>>;

/// A hook that writes to the log, and checks where it runs.
fn logging(log: &Log) -> greenlet::TraceHook {
    let log = log.clone();
    Box::new(move |event, origin, target| {
        assert_eq!(*target, current());
        log.borrow_mut().push((event, origin.id(), target.id()));
    })
}

#[test]
fn siblings_are_seen_switch_by_switch() {
    use TraceEvent::{Switch, Throw};

    let log = Log::default();
    let b = Greenlet::new(|()| {
        let caught = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        assert!(caught.unwrap_err().is::<i32>());
    });
    let to = b.clone();
    let a = Greenlet::new(move |()| to.switch(()).unwrap());
    let (m, a_id, b_id) = (0, a.id(), b.id());

    assert!(set_trace(Some(logging(&log))).is_none());
    a.switch(()).unwrap(); // main -> a -> b -> main
    b.throw(1).unwrap(); // main -> b, which ends -> main
    a.switch(()).unwrap(); // main -> a, which ends -> main
    assert!(set_trace(None).is_some());
    Greenlet::new(|()| ()).switch(()).unwrap();

    assert_eq!(
        *log.borrow(),
        [
            (Switch, m, a_id),
            (Switch, a_id, b_id),
            (Switch, b_id, m),
            (Throw, m, b_id),
            (Switch, b_id, m),
            (Switch, m, a_id),
            (Switch, a_id, m),
        ]
    );
}

#[test]
fn an_uncaught_panic_is_a_throw_and_an_exit_a_switch() {
    use TraceEvent::{Switch, Throw};

    let log = Log::default();
    let dies: Greenlet<(), ()> = Greenlet::new(|()| std::panic::resume_unwind(Box::new(0)));
    let exits: Greenlet<(), ()> = Greenlet::new(|()| ());
    let unstarted: Greenlet<(), ()> = Greenlet::new(|()| ());
    let (d, e, u) = (dies.id(), exits.id(), unstarted.id());
    set_trace(Some(logging(&log)));
    assert!(catch_unwind(AssertUnwindSafe(|| dies.switch(()))).is_err());
    assert!(exits.throw(GreenletExit).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| unstarted.throw(0))).is_err());
    set_trace(None);
    assert_eq!(
        *log.borrow(),
        [
            (Switch, 0, d),
            (Throw, d, 0),
            (Throw, 0, e),
            (Switch, e, 0),
            (Throw, 0, u),
            (Throw, u, 0),
        ]
    );
}

#[test]
fn a_hook_that_panics_is_removed_and_the_switch_goes_on() {
    let calls = Rc::new(RefCell::new(0));
    let c = calls.clone();
    set_trace(Some(Box::new(move |_, _, _| {
        *c.borrow_mut() += 1;
        panic!("a hook");
    })));
    let g = Greenlet::new(|n: i32| n + 1);
    assert_eq!(g.switch(1), Ok(2));
    assert_eq!(*calls.borrow(), 1);
    assert!(set_trace(None).is_none());
}

#[test]
fn a_hook_can_replace_itself_and_switch() {
    let log = Log::default();
    let l = log.clone();
    set_trace(Some(Box::new(move |_, _, _| {
        // Not traced.
        Greenlet::new(|()| ()).switch(()).unwrap();
        set_trace(Some(logging(&l)));
    })));
    let g = Greenlet::new(|()| ());
    g.switch(()).unwrap();
    assert_eq!(*log.borrow(), [(TraceEvent::Switch, g.id(), 0)]);
    set_trace(None);
    drop(g);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn one_without_handles_is_traced_and_freed() {
    let log = Log::default();
    set_trace(Some(logging(&log)));
    Greenlet::new(|()| ()).switch_into::<()>(()).unwrap();
    Greenlet::new(|()| main_greenlet().switch::<(), ()>(()).unwrap())
        .switch_into::<()>(())
        .unwrap();
    set_trace(None);
    assert_eq!(stats().stacks, 0);
    assert!(log.borrow().len() >= 4);
}

/// A payload that panics when it is dropped.
struct PanicsToo;

impl Drop for PanicsToo {
    fn drop(&mut self) {
        panic!("the payload of a panic");
    }
}

#[test]
fn a_hook_whose_payload_panics_disturbs_no_switch() {
    set_trace(Some(Box::new(|_, _, _| std::panic::panic_any(PanicsToo))));
    assert_eq!(Greenlet::new(|n: i32| n + 1).switch(1), Ok(2));
    assert!(set_trace(None).is_none(), "it was removed");
}
