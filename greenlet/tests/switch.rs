//! Values, errors and control going from greenlet to greenlet.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::{AnyGreenlet, Greenlet, GreenletExit, SwitchError, current, main_greenlet, stats};

#[test]
fn nothing_runs_before_the_first_switch() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let l = log.clone();
    let g = Greenlet::new(move |n: i32| {
        l.borrow_mut().push(n);
        n + 1
    });
    assert!(!g.is_started() && !g.is_dead() && !g.is_active());
    assert!(log.borrow().is_empty());
    assert_eq!(g.switch(5), Ok(6));
    assert_eq!(*log.borrow(), [5]);
    assert!(g.is_dead() && g.is_started() && !g.is_active());
}

#[test]
fn values_cross_in_both_directions() {
    let main = main_greenlet();
    let g = Greenlet::new(move |a: String| {
        let b: u64 = main.switch::<String, u64>(format!("{a} one")).unwrap();
        format!("two {b}")
    });
    assert_eq!(g.switch("zero".into()).unwrap(), "zero one");
    let last: Result<String, _> = g.as_any().switch(7u64);
    assert_eq!(last.unwrap(), "two 7");
    assert!(g.is_dead());
}

#[test]
fn an_uncaught_panic_is_raised_in_the_parent() {
    let g = Greenlet::new(|()| panic!("oh"));
    let error = catch_unwind(AssertUnwindSafe(|| g.switch(()))).unwrap_err();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"oh"));
    assert!(g.is_dead());
}

#[test]
fn dropping_the_last_handle_unwinds() {
    struct Tell(Rc<RefCell<u32>>);
    impl Drop for Tell {
        fn drop(&mut self) {
            *self.0.borrow_mut() += 1;
        }
    }
    let told = Rc::new(RefCell::new(0));
    let tell = Tell(told.clone());
    let g = Greenlet::new(move |()| {
        let _tell = tell;
        let _: () = main_greenlet().switch(()).unwrap();
    });
    g.switch(()).unwrap();
    assert_eq!(*told.borrow(), 0);
    drop(g);
    assert_eq!(*told.borrow(), 1);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn a_throw_is_raised_at_the_switch() {
    let g = Greenlet::new(|()| {
        let caught = catch_unwind(|| main_greenlet().switch::<_, ()>(0));
        caught.unwrap_err().downcast_ref::<i32>().copied().unwrap()
    });
    assert_eq!(g.switch(()), Ok(0));
    assert_eq!(g.throw(42), Ok(42));
    assert_eq!(g.throw(GreenletExit), Err(SwitchError::Exit(GreenletExit)));
}

#[test]
fn a_wrong_type_is_refused_in_the_sender() {
    let g = Greenlet::new(|n: i32| n);
    let wrong: Greenlet<String, i32> = g.as_any().typed();
    let error = catch_unwind(AssertUnwindSafe(|| wrong.switch("x".into()))).unwrap_err();
    let text = error.downcast_ref::<String>().unwrap();
    assert!(text.contains("String") && text.contains("i32"), "{text}");
    assert_eq!(g.switch(3), Ok(3));
}

#[test]
fn many() {
    let all: Vec<Greenlet<u32, u32>> = (0..2000)
        .map(|_| {
            Greenlet::new(|n| {
                let m: u32 = main_greenlet().switch(n).unwrap();
                n + m
            })
        })
        .collect();
    for (i, g) in all.iter().enumerate() {
        assert_eq!(g.switch(i as u32), Ok(i as u32));
    }
    for (i, g) in all.iter().enumerate() {
        assert_eq!(g.switch(1), Ok(i as u32 + 1));
    }
    let here: AnyGreenlet = current();
    assert_eq!(here, main_greenlet());
    drop(all);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn threads_end_with_greenlets_suspended() {
    let told = std::thread::spawn(|| {
        let g = Greenlet::new(|()| {
            let _: () = main_greenlet().switch(()).unwrap();
        });
        g.switch(()).unwrap();
        std::mem::forget(g);
    });
    told.join().unwrap();
}
