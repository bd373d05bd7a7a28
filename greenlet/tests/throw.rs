//! Raising something where a greenlet is suspended.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use greenlet::{Greenlet, GreenletExit, SwitchError, current, main_greenlet, stats};

/// Sets its flag when it is dropped.
struct Tell(Rc<Cell<u32>>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn it_is_raised_at_the_switch() {
    let g = Greenlet::new(|()| {
        let caught = catch_unwind(|| main_greenlet().switch::<i32, ()>(0));
        *caught.unwrap_err().downcast::<i32>().unwrap()
    });
    assert_eq!(g.switch(()), Ok(0));
    assert_eq!(g.throw(42), Ok(42));
    assert!(g.is_dead());
}

#[test]
fn it_drops_what_is_on_the_stack_and_comes_back() {
    let told = Rc::new(Cell::new(0));
    let tell = Tell(told.clone());
    let g = Greenlet::new(move |()| {
        let _tell = tell;
        main_greenlet().switch::<(), ()>(()).unwrap();
    });
    g.switch(()).unwrap();
    let error = catch_unwind(AssertUnwindSafe(|| g.throw("boo"))).unwrap_err();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"boo"));
    assert_eq!(told.get(), 1);
    assert!(g.is_dead());
}

#[test]
fn an_unstarted_one_never_runs() {
    let told = Rc::new(Cell::new(0));
    let tell = Tell(told.clone());
    let g = Greenlet::new(move |()| {
        let _tell = &tell;
        unreachable!("never runs");
    });
    let g: Greenlet<(), ()> = g;
    let error = catch_unwind(AssertUnwindSafe(|| g.throw("boo"))).unwrap_err();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"boo"));
    assert_eq!(told.get(), 1, "its closure is dropped");
    assert!(g.is_dead());

    let g = Greenlet::new(|()| ());
    assert_eq!(g.throw(GreenletExit), Err(SwitchError::Exit(GreenletExit)));
    assert!(g.is_dead());
}

#[test]
fn a_dead_one_raises_it_in_the_caller() {
    let g = Greenlet::new(|()| ());
    g.switch(()).unwrap();
    assert_eq!(g.throw(GreenletExit), Err(SwitchError::Exit(GreenletExit)));
    let error = catch_unwind(AssertUnwindSafe(|| g.throw(7u8))).unwrap_err();
    assert_eq!(error.downcast_ref::<u8>(), Some(&7));
}

#[test]
fn the_running_one_raises_it_at_once() {
    let error = catch_unwind(|| current().throw::<_, ()>(7u8)).unwrap_err();
    assert_eq!(error.downcast_ref::<u8>(), Some(&7));
}

#[test]
fn siblings_can_throw_at_each_other() {
    let victim = Greenlet::new(|()| {
        let caught = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        main_greenlet()
            .switch::<String, ()>(*caught.unwrap_err().downcast().unwrap())
            .unwrap();
    });
    victim.switch(()).unwrap();
    let to = victim.clone();
    let thrower = Greenlet::new(move |()| to.throw("from a sibling".to_string()).unwrap());
    assert_eq!(thrower.switch_as::<String>(()).unwrap(), "from a sibling");
}

#[test]
fn a_swallowed_exit_lets_the_body_go_on() {
    let g = Greenlet::new(|()| {
        let caught = catch_unwind(|| main_greenlet().switch::<i32, ()>(0));
        assert!(caught.unwrap_err().is::<GreenletExit>());
        main_greenlet().switch::<i32, ()>(1).unwrap();
        2
    });
    assert_eq!(g.switch(()), Ok(0));
    assert_eq!(g.throw(GreenletExit), Ok(1));
    assert_eq!(g.switch(()), Ok(2));
}

#[test]
fn a_handled_panic_of_one_does_not_show_in_another() {
    let main = main_greenlet();
    let a = Greenlet::new(move |()| {
        let caught = catch_unwind(|| panic!("a"));
        main.switch::<(), ()>(()).unwrap();
        // Still the panic of this greenlet, after others have had theirs.
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"a"));
    });
    a.switch(()).unwrap();
    assert!(!std::thread::panicking());
    let b = Greenlet::new(|()| {
        assert!(!std::thread::panicking());
        let caught = catch_unwind(|| panic!("b"));
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"b"));
    });
    b.switch(()).unwrap();
    a.switch(()).unwrap();
}

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_switch_is_refused_while_the_thread_unwinds() {
    let ran = Rc::new(Cell::new(0));
    let r = ran.clone();
    let g = Greenlet::new(move |n: u32| r.set(n));
    let seen = Rc::new(Cell::new(0));
    let (s, target) = (seen.clone(), g.clone());
    let error = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(|| {
            assert_eq!(target.switch(1), Err(SwitchError::Unwinding));
            assert_eq!(
                target.clone().switch_into::<()>(1),
                Err(SwitchError::Unwinding)
            );
            assert_eq!(target.throw("x"), Err(SwitchError::Unwinding));
            assert!(target.backtrace().is_none());
            s.set(s.get() + 1);
        });
        resume_unwind(Box::new("first"));
    }))
    .unwrap_err();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"first"));
    assert_eq!(seen.get(), 1);
    assert!(!g.is_started());
    g.switch(2).unwrap();
    assert_eq!(ran.get(), 2);
}

#[test]
fn one_whose_last_handle_goes_while_the_thread_unwinds_is_unwound_after_that() {
    let told = Rc::new(Cell::new(0));
    let make = || {
        let tell = Tell(told.clone());
        let g = Greenlet::new(move |()| {
            let _tell = tell;
            main_greenlet().switch::<(), ()>(()).unwrap();
        });
        g.switch(()).unwrap();
        g
    };
    let (suspended, unstarted) = (make(), {
        let tell = Tell(told.clone());
        Greenlet::new(move |()| drop(tell))
    });
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _both = (suspended, unstarted);
        resume_unwind(Box::new(()));
    }));
    assert!(caught.is_err());
    assert_eq!(told.get(), 1, "the unstarted one needs no switch");
    assert_eq!(stats().greenlets, 1);
    // The next switch takes care of the other.
    Greenlet::new(|()| ()).switch(()).unwrap();
    assert_eq!(told.get(), 2);
    assert_eq!(stats().stacks, 0);
}
