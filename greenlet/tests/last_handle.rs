//! What happens to greenlets that nobody can reach any more.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::{AnyGreenlet, Greenlet, GreenletExit, current, main_greenlet, stats};

/// Counts itself when it is dropped.
struct Tell(Rc<Cell<u32>>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn it_is_unwound() {
    let told = Rc::new(Cell::new(0));
    let tell = Tell(told.clone());
    let g = Greenlet::new(move |()| {
        let _tell = tell;
        main_greenlet().switch::<(), ()>(()).unwrap();
    });
    g.switch(()).unwrap();
    let more = g.clone();
    drop(g);
    assert_eq!(told.get(), 0);
    drop(more);
    assert_eq!(told.get(), 1);
    assert_eq!((stats().greenlets, stats().stacks), (0, 0));
}

#[test]
fn it_sees_the_one_that_dropped_it_as_its_parent() {
    let seen = Rc::new(Cell::new(0));
    let s = seen.clone();
    let parent = Greenlet::new(|()| ());
    let g = Greenlet::new(move |()| {
        let caught = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        assert!(caught.unwrap_err().is::<GreenletExit>());
        s.set(current().parent().unwrap().id());
    });
    g.set_parent(parent.as_any()).unwrap();
    g.switch(()).unwrap();
    let dropper = Greenlet::new(move |()| drop(g));
    let id = dropper.id();
    dropper.switch(()).unwrap();
    assert_eq!(seen.get(), id);
    assert!(
        !parent.is_started(),
        "its own parent does not get its result"
    );
}

#[test]
fn one_that_swallows_the_exit_runs_on_and_its_result_is_dropped() {
    let told = Rc::new(Cell::new(0));
    let tell = Tell(told.clone());
    let g = Greenlet::new(move |()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        tell
    });
    g.switch_as::<()>(()).unwrap();
    drop(g);
    assert_eq!(told.get(), 1);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn what_it_gives_meanwhile_is_dropped() {
    let told = Rc::new(Cell::new(0));
    let tell = Tell(told.clone());
    let g = Greenlet::new(move |()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        // Back to the dropper, which tells it to exit once more.
        main_greenlet().switch::<Tell, ()>(tell).unwrap();
        unreachable!("the second exit comes out of the switch above");
    });
    let g: Greenlet<(), ()> = g;
    g.switch(()).unwrap();
    drop(g);
    assert_eq!(told.get(), 1);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn one_that_refuses_to_end_is_left_alone() {
    let exits = Rc::new(Cell::new(0));
    let e = exits.clone();
    let g: Greenlet<(), ()> = Greenlet::new(move |()| {
        loop {
            let caught = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
            e.set(e.get() + u32::from(caught.is_err()));
        }
    });
    g.switch(()).unwrap();
    drop(g);
    assert!(exits.get() > 1);
    assert_eq!(stats().greenlets, 1);
}

#[test]
fn a_panic_on_the_way_goes_no_further() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("while it is dropped");
            }
        }
    }
    let g = Greenlet::new(|()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        panic!("instead of the exit");
    });
    let g: Greenlet<(), ()> = g;
    g.switch(()).unwrap();
    drop(g);
    let panics = Panics;
    drop(Greenlet::new(move |()| drop(panics)));
    assert_eq!((stats().greenlets, stats().stacks), (0, 0));
}

#[test]
fn one_that_gets_a_new_handle_meanwhile_lives() {
    let slot: Rc<RefCell<Option<AnyGreenlet>>> = Rc::default();
    let put = slot.clone();
    let g = Greenlet::new(move |()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        *put.borrow_mut() = Some(current());
        main_greenlet().switch::<i32, ()>(1).unwrap();
        2
    });
    g.switch_as::<()>(()).unwrap();
    drop(g);
    let g = slot.take().expect("it has put itself there");
    assert!(g.is_active());
    assert_eq!(g.parent().unwrap(), main_greenlet());
    assert_eq!(g.switch::<(), i32>(()), Ok(2));
    drop(g);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn a_third_one_cannot_give_a_value_to_one_that_reaps() {
    let said: Rc<RefCell<String>> = Rc::default();
    let s = said.clone();
    let g = Greenlet::new(move |()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        let third = Greenlet::new(|()| {
            let main = main_greenlet();
            let error = catch_unwind(AssertUnwindSafe(|| main.switch::<i32, ()>(1))).unwrap_err();
            *error.downcast::<String>().unwrap()
        });
        *s.borrow_mut() = third.switch(()).unwrap();
    });
    g.switch(()).unwrap();
    drop(g);
    assert!(
        said.borrow().contains("waits for the end of greenlet"),
        "{}",
        said.borrow()
    );
    assert_eq!(stats().stacks, 0);
}

#[test]
fn what_a_third_one_throws_into_one_that_reaps_is_raised_there() {
    let third = Greenlet::new(|()| main_greenlet().throw::<_, ()>("hello").unwrap());
    let g = Greenlet::new(move |()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        third.switch(()).unwrap();
    });
    g.switch(()).unwrap();
    let error = catch_unwind(AssertUnwindSafe(|| drop(g))).unwrap_err();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"hello"));
    // What was left over is taken care of by the next switch.
    Greenlet::new(|()| ()).switch(()).unwrap();
    assert_eq!(stats().stacks, 0);
}

#[test]
fn what_a_third_one_that_ends_gives_to_one_that_reaps_is_an_error_there() {
    let third = Greenlet::new(|()| 5);
    let g = Greenlet::new(move |()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        third.switch_as::<()>(()).unwrap();
    });
    g.switch(()).unwrap();
    let error = catch_unwind(AssertUnwindSafe(|| drop(g))).unwrap_err();
    let text = error.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("`i32`") && text.contains("waits for the end"),
        "{text}"
    );
    Greenlet::new(|()| ()).switch(()).unwrap();
    assert_eq!(stats().stacks, 0);
}

#[test]
fn a_long_row_is_unwound_without_recursion() {
    let told = Rc::new(Cell::new(0));
    let mut last: Option<Greenlet<(), ()>> = None;
    for _ in 0..20_000 {
        let (tell, next) = (Tell(told.clone()), last.take());
        let g = Greenlet::new(move |()| {
            let _kept = (tell, next);
            main_greenlet().switch::<(), ()>(()).unwrap();
        });
        g.switch(()).unwrap();
        last = Some(g);
    }
    drop(last);
    assert_eq!(told.get(), 20_000);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn a_long_row_of_parents_goes_without_recursion() {
    let mut last: Greenlet<(), ()> = Greenlet::new(|()| ());
    for _ in 0..20_000 {
        let g = Greenlet::new(|()| ());
        g.as_any()
            .set_parent(last.as_any())
            .unwrap_or_else(|e| panic!("{e}"));
        last = g;
        if stats().greenlets > 200 {
            break;
        }
    }
    drop(last);
    assert_eq!(stats().stacks, 0);
}
