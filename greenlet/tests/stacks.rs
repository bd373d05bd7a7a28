//! Where stacks come from and where they go.

mod common;

use std::cell::Cell;
use std::hint::black_box;
use std::io::ErrorKind;
use std::rc::Rc;

use common::{CASE, this_program};
use greenlet::{
    Builder, Greenlet, MIN_STACK_SIZE, default_stack_size, main_greenlet, set_default_stack_size,
    stats,
};

fn park() {
    main_greenlet().switch::<(), ()>(()).unwrap();
}

#[test]
fn a_stack_is_used_again_at_once() {
    let on_stack = || {
        let g = Greenlet::new(|()| {
            let here = black_box(0u8);
            (&raw const here).addr()
        });
        g.switch(()).unwrap()
    };
    assert_eq!(on_stack(), on_stack());
    assert_eq!(stats().stacks, 0);
    let mapped = stats().mapped_bytes;
    for _ in 0..1000 {
        on_stack();
    }
    assert_eq!(stats().mapped_bytes, mapped);
}

#[test]
fn sizes_are_rounded_up_and_kept_apart() {
    let of = |size| {
        let g = Builder::new().stack_size(size).build(|()| ()).unwrap();
        g.stack_size()
    };
    let page = of(MIN_STACK_SIZE + 1) - MIN_STACK_SIZE;
    assert_eq!(page % 4096, 0);
    assert_eq!(of(MIN_STACK_SIZE), MIN_STACK_SIZE);
    assert_eq!(of(1 << 20), 1 << 20);
    assert_eq!(Greenlet::new(|()| ()).stack_size(), 256 * 1024);
    assert_eq!(main_greenlet().stack_size(), 0);
    assert_eq!(main_greenlet().stack_high_water(), 0);
}

#[test]
fn impossible_sizes_are_errors_that_say_so() {
    let error = Builder::new().stack_size(100).build(|()| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains("100") && error.to_string().contains("16384"),
        "{error}"
    );

    let error = Builder::new()
        .stack_size(usize::MAX)
        .build(|()| ())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);

    let error = Builder::new()
        .stack_size(1 << 50)
        .build(|()| ())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(
        error.to_string().contains(&(1u64 << 50).to_string()),
        "{error}"
    );

    let big = [0u8; 20_000];
    let error = Builder::new()
        .stack_size(MIN_STACK_SIZE)
        .build(move |()| big[7])
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("closure"), "{error}");
    assert_eq!(
        set_default_stack_size(1).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(stats().stacks, 0);
}

/// Where this test program begins again, with another environment.
#[test]
fn case() {
    match std::env::var(CASE).as_deref() {
        Ok("size") => {
            assert_eq!(default_stack_size().unwrap(), 96 * 1024);
            assert_eq!(Greenlet::new(|()| ()).stack_size(), 96 * 1024);
            set_default_stack_size(128 * 1024).unwrap();
            assert_eq!(Greenlet::new(|()| ()).stack_size(), 128 * 1024);
        }
        Ok("rounded") => assert_eq!(default_stack_size().unwrap() % 4096, 0),
        Ok("error") => {
            let error = Builder::new().build(|()| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("GREENLET_STACK_SIZE"), "{error}");
            assert!(default_stack_size().is_err());
            // Those that say what they want are not concerned.
            Builder::new().stack_size(1 << 16).build(|()| ()).unwrap();
        }
        _ => {}
    }
}

#[test]
fn the_environment_sets_the_default() {
    for (value, case) in [
        ("96K", "size"),
        ("98304", "size"),
        (" 96 k ", "size"),
        ("95k", "rounded"),
        ("", "error"),
        ("lots", "error"),
        ("-1", "error"),
        ("1K", "error"),
        ("99999999999999999999M", "error"),
    ] {
        let output = this_program(case)
            .env("GREENLET_STACK_SIZE", value)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "GREENLET_STACK_SIZE={value:?}: {text}"
        );
    }
}

#[test]
fn the_high_water_mark_is_how_deep_it_went() {
    #[inline(never)]
    fn touch() -> u8 {
        black_box([1u8; 100_000])[black_box(50_000)]
    }
    let g = Greenlet::new(|()| {
        park();
        touch();
        park();
    });
    g.switch(()).unwrap();
    let before = g.stack_high_water();
    assert!(before <= 16 * 1024, "{before}");
    g.switch(()).unwrap();
    let after = g.stack_high_water();
    assert!(after >= 100_000, "{after}");
}

#[test]
fn a_trimmed_stack_has_all_that_its_frames_hold() {
    #[inline(never)]
    fn touch(depth: usize) -> u8 {
        black_box([depth as u8; 60_000])[black_box(depth)]
    }
    // At each offset of the tops, and suspended at depths that end anywhere within a page.
    #[inline(never)]
    fn wait_below(depth: usize) -> usize {
        let kept = black_box([depth; 25]);
        if depth > 0 {
            return wait_below(depth - 1) + black_box(kept)[7];
        }
        for round in 0..3 {
            touch(round);
            park();
        }
        0
    }
    let all: Vec<_> = (0..64)
        .map(|depth| Greenlet::new(move |()| wait_below(depth)))
        .collect();
    // An unstarted one is as good as new.
    all.iter().for_each(Greenlet::trim_stack);
    for _ in 0..3 {
        for g in &all {
            g.switch_as::<()>(()).unwrap();
            let deep = g.stack_high_water();
            g.trim_stack();
            let least = g.stack_high_water();
            assert!(deep >= least + 50_000, "{deep}, {least}");
            // Once more changes nothing.
            g.trim_stack();
            assert_eq!(g.stack_high_water(), least);
        }
    }
    for (depth, g) in all.iter().enumerate() {
        assert_eq!(g.switch(()), Ok(depth * (depth + 1) / 2));
        assert!(g.is_dead());
        g.trim_stack();
    }
}

#[test]
fn only_the_suspended_are_trimmed() {
    main_greenlet().trim_stack();
    let g = Greenlet::new(|()| {
        let below = black_box([7u8; 50_000]);
        greenlet::current().trim_stack();
        main_greenlet().trim_stack();
        below.iter().map(|&byte| usize::from(byte)).sum::<usize>()
    });
    assert_eq!(g.switch(()), Ok(7 * 50_000));
    let before = g.stack_high_water();
    g.trim_stack();
    assert_eq!(g.stack_high_water(), before);
}

#[test]
fn stacks_come_and_go_in_any_order() {
    let alive = Rc::new(Cell::new(0usize));
    let mut all: Vec<Option<Greenlet<u64, u64>>> = Vec::new();
    let mut random = 12345u64;
    for round in 0..60_000u64 {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let i = (random >> 33) as usize % 4000;
        if all.len() <= i {
            all.resize_with(i + 1, || None);
        }
        match all[i].take() {
            None => {
                let count = alive.clone();
                let size = [64, 128, 256][i % 3] * 1024;
                let g = Builder::new().stack_size(size).build(move |n: u64| {
                    count.set(count.get() + 1);
                    let m: u64 = main_greenlet().switch(n).unwrap();
                    count.set(count.get() - 1);
                    m + n
                });
                let g = g.unwrap();
                assert_eq!(g.switch(round), Ok(round));
                all[i] = Some(g);
            }
            Some(g) => assert!(g.switch(1).unwrap() <= round),
        }
        assert_eq!(stats().greenlets, alive.get());
    }
    drop(all);
    assert_eq!(stats().stacks, 0);
}
