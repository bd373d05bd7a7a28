//! Values and control going from greenlet to greenlet.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::{AnyGreenlet, Greenlet, SwitchError, current, main_greenlet, stats};

/// What a panic said.
fn message(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn nothing_runs_before_the_first_switch() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let seen = log.clone();
    let g = Greenlet::new(move |n: i32| {
        seen.borrow_mut().push(n);
        n + 1
    });
    assert!(!g.is_started() && !g.is_dead() && !g.is_active());
    assert!(log.borrow().is_empty());
    assert_eq!(g.switch(5), Ok(6));
    assert_eq!(*log.borrow(), [5]);
}

#[test]
fn one_that_is_never_switched_to_never_runs() {
    let ran = Rc::new(Cell::new(false));
    let kept = Rc::new(());
    let (r, k) = (ran.clone(), kept.clone());
    drop(Greenlet::new(move |()| {
        let _kept = k;
        r.set(true);
    }));
    assert!(!ran.get());
    assert_eq!(Rc::strong_count(&kept), 1, "its closure is dropped");
    assert_eq!(stats().stacks, 0);
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
fn large_and_aligned_values_cross_whole() {
    #[derive(Clone, PartialEq, Debug)]
    #[repr(align(64))]
    struct Big([u64; 500]);

    let big = Big(std::array::from_fn(|i| i as u64));
    let main = main_greenlet();
    let captured = big.clone();
    let g = Greenlet::new(move |mut b: Big| {
        assert_eq!((&raw const captured).addr() % 64, 0);
        assert_eq!(b, captured);
        b.0[0] = 42;
        let b: Big = main.switch(b).unwrap();
        b.0[0]
    });
    let back: Big = g.switch_as(big).unwrap();
    assert_eq!(back.0[0], 42);
    assert_eq!(
        back.0[1..],
        std::array::from_fn::<u64, 500, _>(|i| i as u64)[1..]
    );
    assert_eq!(g.as_any().switch::<_, u64>(back), Ok(42));
}

#[test]
fn two_children_interleave() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let child = |name: &'static str| {
        let log = log.clone();
        Greenlet::new(move |()| {
            for i in 0..3 {
                log.borrow_mut().push(format!("{name}{i}"));
                main_greenlet().switch::<(), ()>(()).unwrap();
            }
        })
    };
    let (a, b) = (child("a"), child("b"));
    for _ in 0..4 {
        a.switch(()).unwrap();
        b.switch(()).unwrap();
    }
    assert_eq!(*log.borrow(), ["a0", "b0", "a1", "b1", "a2", "b2"]);
    assert!(a.is_dead() && b.is_dead());
}

#[test]
fn siblings_switch_without_their_parent() {
    let main = main_greenlet();
    let pong = Greenlet::new(move |ping: Greenlet<u32, u32>| {
        let mut n = 0u32;
        loop {
            n = ping.switch_as(n + 1).unwrap();
        }
    });
    let peer = pong.clone();
    let ping = Greenlet::new(move |n: u32| {
        let mut n = n;
        while n < 1000 {
            n = peer.as_any().switch(n + 1).unwrap();
        }
        main.switch::<u32, u32>(n).unwrap()
    });
    // The first switch of `pong` brings its partner.
    let partner = ping.clone();
    let start = Greenlet::new(move |()| pong.switch_as::<()>(partner).unwrap());
    let n: u32 = start.switch_as(()).unwrap();
    assert_eq!(n, 1001);
}

#[test]
fn recursive_children_all_die() {
    fn child(depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        let g = Greenlet::new(child);
        let n = g.switch(depth - 1).unwrap();
        assert!(g.is_dead());
        n + 1
    }
    assert_eq!(Greenlet::new(child).switch(50), Ok(50));
    assert_eq!(stats().greenlets, 0);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn deep_frames_keep_their_locals() {
    fn dig(n: u32, main: &AnyGreenlet) -> u64 {
        let mine = [u64::from(n); 16];
        let below = if n == 0 { 0 } else { dig(n - 1, main) };
        main.switch::<(), ()>(()).unwrap();
        assert!(mine.iter().all(|&x| x == u64::from(n)));
        below + mine[7]
    }
    let all: Vec<_> = (0..10)
        .map(|_| {
            let main = main_greenlet();
            Greenlet::new(move |n: u32| -> u64 {
                let sum = dig(n, &main);
                main.switch::<u64, ()>(sum).unwrap();
                0
            })
        })
        .collect();
    for g in &all {
        g.switch_as::<()>(200).unwrap();
    }
    for _ in 0..200 {
        for g in &all {
            g.as_any().switch::<(), ()>(()).unwrap();
        }
    }
    for g in &all {
        assert_eq!(g.as_any().switch::<(), u64>(()), Ok(200 * 201 / 2));
    }
}

#[test]
fn a_wrong_type_is_refused_in_the_sender() {
    let g = Greenlet::new(|n: i32| n);
    let wrong: Greenlet<String, i32> = g.as_any().typed();
    let text = message(catch_unwind(AssertUnwindSafe(|| wrong.switch("x".into()))).unwrap_err());
    assert!(
        text.contains("`alloc::string::String`") && text.contains("`i32`"),
        "{text}"
    );
    assert!(text.contains("tests/switch.rs"), "{text}");
    assert!(!g.is_started());
    assert_eq!(g.switch(3), Ok(3));
}

#[test]
fn a_wrong_type_does_not_disturb_one_that_is_suspended() {
    let main = main_greenlet();
    let g = Greenlet::new(move |()| main.switch::<(), i32>(()).unwrap());
    g.switch_as::<()>(()).unwrap();
    let text = message(catch_unwind(AssertUnwindSafe(|| g.switch(()))).unwrap_err());
    assert!(text.contains("`()`") && text.contains("`i32`"), "{text}");
    assert_eq!(g.as_any().switch::<i32, i32>(9), Ok(9));
}

#[test]
fn a_wrong_result_is_a_panic_in_the_parent() {
    let dropped = Rc::new(());
    let result = dropped.clone();
    let g = Greenlet::new(move |()| result);
    let text = message(catch_unwind(AssertUnwindSafe(|| g.switch_as::<i32>(()))).unwrap_err());
    assert!(text.contains("Rc<()>") && text.contains("`i32`"), "{text}");
    assert!(g.is_dead());
    assert_eq!(Rc::strong_count(&dropped), 1, "the result is dropped");
}

#[test]
fn a_switch_to_oneself_returns_at_once() {
    assert_eq!(current().switch::<i32, i32>(4), Ok(4));
    let g = Greenlet::new(|()| current().switch::<i32, i32>(5).unwrap());
    assert_eq!(g.switch(()), Ok(5));
    let text = message(catch_unwind(|| current().switch::<i32, u8>(4)).unwrap_err());
    assert!(text.contains("`i32`") && text.contains("`u8`"), "{text}");
}

#[test]
fn a_switch_to_a_dead_one_goes_to_its_nearest_living_ancestor() {
    let dead = Greenlet::new(|()| ());
    dead.switch(()).unwrap();
    // Its parent is the caller: the value comes back.
    assert_eq!(dead.as_any().switch::<i32, i32>(5), Ok(5));
    assert_eq!(dead.as_any().switch::<(), ()>(()), Ok(()));

    // Its parent is dead too.
    let child = Rc::new(RefCell::new(None));
    let slot = child.clone();
    let parent = Greenlet::new(move |()| {
        let child = Greenlet::new(|()| ());
        child.switch(()).unwrap();
        *slot.borrow_mut() = Some(child);
    });
    parent.switch(()).unwrap();
    let child = child.take().unwrap();
    assert_eq!(child.parent().unwrap(), *parent.as_any());
    assert_eq!(
        child.as_any().switch::<(i32, &str), (i32, &str)>((1, "a")),
        Ok((1, "a"))
    );

    // Its parent waits in a switch.
    let waits = Greenlet::new(|()| main_greenlet().switch::<(), u8>(()).unwrap());
    waits.switch_as::<()>(()).unwrap();
    child.set_parent(waits.as_any()).unwrap();
    assert_eq!(AnyGreenlet::from(child).switch_into::<u8, u8>(7), Ok(7));
}

#[test]
fn flags_tell_the_state() {
    let main = main_greenlet();
    let g = Greenlet::new(move |()| {
        assert!(current().is_current() && current().is_active());
        assert!(!main.is_current());
        main.switch::<(), ()>(()).unwrap();
    });
    assert!(!g.is_started() && !g.is_active() && !g.is_dead() && !g.is_current());
    g.switch(()).unwrap();
    assert!(g.is_started() && g.is_active() && !g.is_dead() && !g.is_current());
    g.switch(()).unwrap();
    assert!(g.is_started() && !g.is_active() && g.is_dead() && !g.is_current());
    assert!(current().is_active() && !current().is_dead());
}

#[test]
fn each_thread_has_a_main_greenlet() {
    assert_eq!(current(), main_greenlet());
    assert_eq!(current().id(), 0);
    assert_eq!(current().to_string(), "the main greenlet");
    let g = Greenlet::new(|()| main_greenlet());
    assert_eq!(g.switch(()).unwrap(), current());
    std::thread::spawn(|| {
        let g = Greenlet::new(|()| current().id());
        assert_eq!(g.switch(()), Ok(1), "numbers begin anew on each thread");
        assert_eq!(current(), main_greenlet());
    })
    .join()
    .unwrap();
}

#[test]
fn handles_name_their_greenlet() {
    let here = line!() + 1;
    let g = Greenlet::new(|()| ());
    assert_eq!(g.spawned_at().line(), here);
    assert_eq!(g.spawned_at().file(), file!());
    assert_eq!(
        g.to_string(),
        format!("greenlet {} (spawned at {}:{here}:13)", g.id(), file!())
    );
    let other = Greenlet::new(|()| ());
    assert_ne!(g, other);
    assert_ne!(g.id(), other.id());
    assert_eq!(g, g.clone());
    assert!(format!("{g:?}").contains("Unstarted"));
    g.prefetch();
    main_greenlet().prefetch();
}

#[test]
fn handles_go_into_the_switch() {
    let kept = Rc::new(());
    let k = kept.clone();
    let g = Greenlet::new(move |()| {
        let _kept = k;
        main_greenlet().switch::<(), ()>(()).unwrap();
    });
    // Nobody keeps it: it is unwound as soon as it suspends itself.
    assert_eq!(g.switch_into::<()>(()), Ok(()));
    assert_eq!(Rc::strong_count(&kept), 1);
    assert_eq!(stats().stacks, 0);
}

#[test]
fn a_handle_may_be_dropped_by_the_greenlet_itself() {
    let slot: Rc<RefCell<Option<Greenlet<(), i32>>>> = Rc::default();
    let own = slot.clone();
    let g = Greenlet::new(move |()| {
        own.take();
        assert!(current().is_active());
        42
    });
    *slot.borrow_mut() = Some(g.clone());
    assert_eq!(g.switch_into::<i32>(()), Ok(42));
    assert_eq!(stats().stacks, 0);
}

#[test]
fn errors_are_errors() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>(error: E) -> String {
        error.to_string()
    }
    assert!(is_error(SwitchError::Unwinding).contains("panic"));
    assert!(is_error(SwitchError::Exit(greenlet::GreenletExit)).contains("exited"));
    assert!(is_error(greenlet::ParentError::Cycle).contains("descendant"));
    assert!(is_error(greenlet::ParentError::Main).contains("main"));
}
