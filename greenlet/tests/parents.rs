//! Who gets the result, and who gets the panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use greenlet::{
    AnyGreenlet, Greenlet, GreenletExit, ParentError, SwitchError, current, main_greenlet, stats,
};

#[test]
fn the_parent_is_the_maker() {
    let outer = Greenlet::new(|()| {
        let inner = Greenlet::new(|()| 1);
        assert_eq!(inner.parent().unwrap(), current());
        inner.switch(()).unwrap() + 1
    });
    assert_eq!(outer.parent().unwrap(), main_greenlet());
    assert_eq!(outer.switch(()), Ok(2));
}

#[test]
fn main_has_no_parent_and_refuses_one() {
    let main = main_greenlet();
    assert_eq!(main.parent(), None);
    let g = Greenlet::new(|()| ());
    assert_eq!(main.set_parent(g.as_any()), Err(ParentError::Main));
    assert_eq!(main.set_parent(&main), Err(ParentError::Main));
    assert_eq!(main.parent(), None);
}

#[test]
fn cycles_are_refused() {
    let all: Vec<Greenlet<(), ()>> = (0..3).map(|_| Greenlet::new(|()| ())).collect();
    let any = |i: usize| all[i].as_any();
    assert_eq!(any(0).set_parent(any(0)), Err(ParentError::Cycle));
    any(1).set_parent(any(0)).unwrap();
    assert_eq!(any(0).set_parent(any(1)), Err(ParentError::Cycle));
    any(2).set_parent(any(1)).unwrap();
    assert_eq!(any(0).set_parent(any(2)), Err(ParentError::Cycle));
    assert_eq!(
        any(0).parent().unwrap(),
        main_greenlet(),
        "nothing has changed"
    );
    any(2).set_parent(any(0)).unwrap();
    any(1).set_parent(any(2)).unwrap();
    drop(all);
    assert_eq!(
        stats().stacks,
        0,
        "a row of parents goes with its last child"
    );
}

#[test]
fn a_new_parent_gets_the_result() {
    let heir = Greenlet::new(|()| {
        let n: i32 = main_greenlet().switch(()).unwrap();
        n * 10
    });
    heir.switch_as::<()>(()).unwrap();
    let child = Greenlet::new(|()| 4);
    child.set_parent(heir.as_any()).unwrap();
    assert_eq!(child.switch_as::<i32>(()), Ok(40));
    assert!(heir.is_dead() && child.is_dead());
}

#[test]
fn the_parent_may_change_while_the_child_runs() {
    let heir = Greenlet::new(|()| main_greenlet().switch::<(), i32>(()).unwrap() + 1);
    heir.switch_as::<()>(()).unwrap();
    let to = heir.clone();
    let child = Greenlet::new(move |()| {
        current().set_parent(to.as_any()).unwrap();
        1
    });
    assert_eq!(child.switch(()), Ok(2));
}

#[test]
fn an_unstarted_parent_is_started_with_the_result() {
    let parent = Greenlet::new(|n: i32| n + 100);
    let child = Greenlet::new(|()| 5);
    child.set_parent(parent.as_any()).unwrap();
    assert_eq!(child.switch_as::<i32>(()), Ok(105));
    assert!(parent.is_dead());
}

#[test]
fn an_unstarted_parent_never_runs_if_its_child_panics() {
    let parent = Greenlet::new(|_: i32| -> i32 { unreachable!("never runs") });
    let child = Greenlet::new(|()| -> i32 { resume_unwind(Box::new("oh")) });
    child.set_parent(parent.as_any()).unwrap();
    let error = catch_unwind(AssertUnwindSafe(|| child.switch(()))).unwrap_err();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"oh"));
    assert!(parent.is_dead());
}

#[test]
fn an_unstarted_parent_passes_an_exit_on() {
    let parent = Greenlet::new(|_: i32| -> i32 { unreachable!("never runs") });
    let child = Greenlet::new(|()| -> i32 { resume_unwind(Box::new(GreenletExit)) });
    child.set_parent(parent.as_any()).unwrap();
    assert_eq!(child.switch(()), Err(SwitchError::Exit(GreenletExit)));
    assert!(parent.is_dead());
}

#[test]
fn a_panic_goes_to_the_parent() {
    let g = Greenlet::new(|()| panic!("oh"));
    let error = catch_unwind(AssertUnwindSafe(|| g.switch(()))).unwrap_err();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"oh"));
    assert!(g.is_dead());
}

#[test]
fn a_panic_goes_to_the_grandparent_if_the_parent_is_dead() {
    let outer = Greenlet::new(|()| {
        let inner: Greenlet<(), ()> = Greenlet::new(|()| {
            main_greenlet().switch::<(), ()>(()).unwrap();
            panic!("late");
        });
        inner.switch(()).unwrap();
        unreachable!("main switches to the inner one");
    });
    let _ = &outer;
    let outer: Greenlet<(), ()> = outer;
    outer.switch_as::<()>(()).unwrap();
    // The outer one dies first.
    assert_eq!(
        outer.throw(GreenletExit),
        Err(SwitchError::Exit(GreenletExit))
    );
    assert_eq!(
        stats().greenlets,
        0,
        "and takes the inner one along, whose handle it had"
    );

    let slot = std::rc::Rc::new(std::cell::RefCell::new(None::<AnyGreenlet>));
    let put = slot.clone();
    let outer = Greenlet::new(move |()| {
        let inner: Greenlet<(), ()> = Greenlet::new(|()| panic!("late"));
        *put.borrow_mut() = Some(inner.into());
    });
    outer.switch(()).unwrap();
    assert!(outer.is_dead());
    let inner = slot.take().unwrap();
    let error = catch_unwind(AssertUnwindSafe(|| inner.switch::<(), ()>(()))).unwrap_err();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"late"));
}

#[test]
fn a_child_keeps_its_parent_alive() {
    let child = {
        let parent = Greenlet::new(|n: i32| n + 1);
        let child = Greenlet::new(|()| 1);
        child.set_parent(parent.as_any()).unwrap();
        child
    };
    assert_eq!(stats().greenlets, 2);
    assert_eq!(child.switch(()), Ok(2));
    drop(child);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn an_exit_is_returned() {
    let g = Greenlet::new(|()| -> i32 { std::panic::panic_any(GreenletExit) });
    assert_eq!(g.switch(()), Err(SwitchError::Exit(GreenletExit)));
    assert!(g.is_dead());
}
