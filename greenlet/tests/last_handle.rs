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

/// A value that gives control back to the greenlet that it came from while it is dropped.
struct GivesBack {
    giver: Option<AnyGreenlet>,
    text: String,
    seen: Rc<RefCell<String>>,
}

impl Drop for GivesBack {
    fn drop(&mut self) {
        let giver = self.giver.take().expect("dropped once");
        let _ = giver.switch_into::<(), ()>(());
        self.seen.borrow_mut().push_str(&self.text);
    }
}

#[inline(never)]
fn use_the_stack(n: u64) -> u64 {
    std::hint::black_box([n; 256]).iter().sum()
}

#[test]
fn what_it_gives_is_moved_out_before_it_is_dropped() {
    #[inline(never)]
    fn give(seen: Rc<RefCell<String>>) {
        let value = GivesBack {
            giver: Some(current()),
            text: "on the heap".repeat(2),
            seen,
        };
        let _ = main_greenlet().switch::<GivesBack, ()>(value);
    }
    let seen: Rc<RefCell<String>> = Rc::default();
    let s = seen.clone();
    let g = Greenlet::new(move |()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        give(s);
        std::hint::black_box(use_the_stack(0x4141));
        let _ = main_greenlet().switch::<(), ()>(());
    });
    g.switch(()).unwrap();
    drop(g);
    assert_eq!(*seen.borrow(), "on the heapon the heap");
    assert_eq!(stats().stacks, 0);
}

#[test]
fn one_that_makes_its_old_parent_its_child_closes_no_circle() {
    let all: Rc<RefCell<Vec<AnyGreenlet>>> = Rc::default();
    let inside = all.clone();
    let old_parent = Greenlet::new(move |()| {
        let mine = inside.clone();
        let child = Greenlet::new(move |()| {
            let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
            // Told to exit: its parent is main meanwhile.
            let old_parent = mine.borrow()[0].clone();
            old_parent.set_parent(&current()).unwrap();
            mine.borrow_mut().push(current());
            let _ = main_greenlet().switch::<(), ()>(());
        });
        let _ = main_greenlet().switch::<Greenlet<(), ()>, ()>(child);
    });
    all.borrow_mut().push(old_parent.as_any().clone());
    let child = old_parent.switch_as::<Greenlet<(), ()>>(()).unwrap();
    child.switch(()).unwrap();
    drop(child);
    let child = all.borrow()[1].clone();
    assert_eq!(old_parent.parent(), Some(child.clone()));
    assert_eq!(child.parent(), Some(main_greenlet()));
    child.switch::<(), ()>(()).unwrap();
    old_parent.switch(()).unwrap();
    assert!(child.is_dead() && old_parent.is_dead());
}

#[test]
fn one_that_waits_for_an_end_answers_a_call() {
    let frames: Rc<Cell<usize>> = Rc::default();
    let f = frames.clone();
    let child = Greenlet::new(move |()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        for _ in 0..3 {
            let parent = current().parent().unwrap();
            f.set(f.get() + usize::from(parent.backtrace().is_some()));
        }
    });
    let child: Greenlet<(), ()> = child;
    child.switch(()).unwrap();
    drop(child);
    assert_eq!(frames.get(), 3, "each call is answered, and it still waits");
    assert_eq!((stats().greenlets, stats().stacks), (0, 0));
}

/// Suspends the greenlet that drops it.
struct Waits(Rc<Cell<u32>>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        let _ = main_greenlet().switch::<(), ()>(());
    }
}

#[test]
fn an_exit_that_comes_into_the_destructor_of_another_is_for_the_one_that_runs_it() {
    let dropped = Rc::new(Cell::new(0));
    let never_run: Vec<Greenlet<(), ()>> = (0..20)
        .map(|_| {
            let waits = Waits(dropped.clone());
            Greenlet::new(move |()| drop(waits))
        })
        .collect();
    let g = Greenlet::new(move |()| drop(never_run));
    g.switch(()).unwrap();
    assert_eq!(dropped.get(), 1);
    drop(g);
    assert_eq!(dropped.get(), 20);
    assert_eq!((stats().greenlets, stats().stacks), (0, 0));
}

/// A payload that panics when it is dropped.
struct PanicsToo;

impl Drop for PanicsToo {
    fn drop(&mut self) {
        panic!("the payload of a panic");
    }
}

#[test]
fn a_payload_that_panics_goes_no_further() {
    let g = Greenlet::new(|()| {
        let _ = catch_unwind(|| main_greenlet().switch::<(), ()>(()));
        std::panic::panic_any(PanicsToo);
    });
    let g: Greenlet<(), ()> = g;
    g.switch(()).unwrap();
    drop(g);
    assert_eq!((stats().greenlets, stats().stacks), (0, 0));
}

#[test]
fn a_result_that_the_parent_does_not_wait_for_is_dropped() {
    let told = Rc::new(Cell::new(0));
    let tell = Tell(told.clone());
    let g = Greenlet::new(move |()| tell);
    let error = catch_unwind(AssertUnwindSafe(|| g.switch_as::<u32>(()))).unwrap_err();
    assert!(error.is::<String>(), "a panic that names both types");
    assert_eq!(told.get(), 1);
}
