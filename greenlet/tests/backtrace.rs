//! Walking the stacks of greenlets.

mod common;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::catch_unwind;

use common::{CASE, this_program};
use greenlet::{Greenlet, current, main_greenlet};

#[inline(never)]
fn the_innermost() -> String {
    Backtrace::force_capture().to_string()
}

#[inline(never)]
fn waits_here() {
    main_greenlet().switch::<(), ()>(()).unwrap();
}

#[test]
fn a_walk_ends_at_the_entry() {
    let frames = Greenlet::new(|()| the_innermost()).switch(()).unwrap();
    assert!(frames.contains("the_innermost"), "{frames}");
    assert!(frames.contains("greenlet::body::entry"), "{frames}");
    // Nothing of the caller, and no end of unknown frames.
    assert!(!frames.contains("a_walk_ends_at_the_entry\n"), "{frames}");
    let unknown = frames.matches("<unknown>").count();
    assert!(unknown <= 1, "{frames}");
}

#[test]
fn a_suspended_one_shows_where_it_waits() {
    let g = Greenlet::new(|()| waits_here());
    assert!(g.backtrace().is_none(), "unstarted");
    g.switch(()).unwrap();
    for _ in 0..3 {
        let frames = g.backtrace().unwrap();
        assert_eq!(frames.status(), BacktraceStatus::Captured);
        let frames = frames.to_string();
        assert!(frames.contains("waits_here"), "{frames}");
    }
    assert!(g.is_active(), "it still waits");
    g.switch(()).unwrap();
    assert!(g.is_dead() && g.backtrace().is_none());
}

#[test]
fn the_running_one_shows_itself() {
    #[inline(never)]
    fn looks_at_itself() -> String {
        current().backtrace().unwrap().to_string()
    }
    let frames = looks_at_itself();
    assert!(frames.contains("looks_at_itself"), "{frames}");
}

#[test]
fn main_can_be_looked_at_from_a_greenlet() {
    #[inline(never)]
    fn main_waits(g: &Greenlet<(), String>) -> String {
        g.switch(()).unwrap()
    }
    let g = Greenlet::new(|()| main_greenlet().backtrace().unwrap().to_string());
    let frames = main_waits(&g);
    assert!(frames.contains("main_waits"), "{frames}");
}

/// Where this test program begins again, with another environment.
#[test]
fn case() {
    let size = match std::env::var(CASE).as_deref() {
        Ok("small") => 32 * 1024,
        Ok(_) => greenlet::default_stack_size().unwrap(),
        Err(_) => return,
    };
    let made = greenlet::Builder::new().stack_size(size).build(|()| {
        let caught = catch_unwind(|| {
            let list: Vec<Option<u32>> = vec![Some(1), None];
            list[1].unwrap_or_else(|| panic!("{list:#?}"))
        });
        assert!(caught.is_err());
        panic!("twice");
    });
    let g: Greenlet<(), ()> = made.unwrap();
    let caught = catch_unwind(std::panic::AssertUnwindSafe(|| g.switch(())));
    assert!(caught.is_err());
    println!("high water: {}", g.stack_high_water());
}

#[test]
fn a_panic_with_a_backtrace_fits_the_default_stack_and_one_of_32_kib() {
    for (case, setting) in [("panic", "1"), ("panic", "full"), ("small", "1")] {
        let output = this_program(case)
            .env("RUST_BACKTRACE", setting)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        assert!(
            text.contains("twice") && text.contains("stack backtrace"),
            "{text}"
        );
        let out = String::from_utf8_lossy(&output.stdout);
        println!(
            "{}",
            out.lines()
                .find(|line| line.contains("high water"))
                .unwrap()
        );
    }
}
