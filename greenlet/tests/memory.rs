//! What stacks cost. The figures are those of the whole process, so the tests run one at a time.

// A sanitizer has memory of its own for each page.
#![cfg(not(any(greenlet_sanitize = "address", greenlet_sanitize = "thread")))]

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use greenlet::{Greenlet, main_greenlet, stats};

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes of this process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn park() {
    main_greenlet().switch::<(), ()>(()).unwrap();
}

fn parked(n: usize) -> Vec<Greenlet<(), ()>> {
    (0..n)
        .map(|_| {
            let g = Greenlet::new(|()| park());
            g.switch(()).unwrap();
            g
        })
        .collect()
}

/// The lines of this process' memory map.
fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count())
}

#[test]
fn thousands_of_stacks_need_few_mappings() {
    let _alone = alone();
    // Where guards need mappings of their own, there are two for each stack.
    let (before, few) = (mappings(), parked(64));
    if mappings() > before + 64 {
        return;
    }
    let all = parked(5000);
    let after = mappings();
    assert_eq!(stats().stacks, 5064);
    assert!(after < before + 50, "{before} mappings became {after}");
    drop((few, all));
    assert_eq!(stats().stacks, 0);
}

#[test]
fn a_parked_greenlet_takes_one_page() {
    let _alone = alone();
    const N: usize = 10_000;
    // Room for the handles, and whatever else is there only once.
    drop(parked(N));
    let mut all = Vec::with_capacity(N);
    let before = resident();
    for _ in 0..N {
        let g = Greenlet::new(|()| {
            let kept = black_box([1u64; 64]);
            park();
            black_box(kept);
        });
        g.switch(()).unwrap();
        all.push(g);
    }
    let highest = all.iter().map(Greenlet::stack_high_water).max();
    let each = resident().saturating_sub(before) / N;
    println!("{each} bytes each, at most {highest:?} of stack");
    if cfg!(not(debug_assertions)) {
        assert!(each < 4400, "{each}");
    }
}

#[test]
fn memory_of_a_surplus_is_given_back() {
    let _alone = alone();
    let all = parked(20_000);
    let full = resident();
    drop(all);
    let free = stats();
    assert_eq!(free.stacks, 0);
    assert!(
        free.free_stacks < 20_000,
        "whole slabs are unmapped: {free:?}"
    );
    let gone = full - resident();
    assert!(gone > 15_000 * 4096, "{gone} of {full}");
    // What is left can be used.
    let again = parked(20_000);
    assert_eq!(stats().stacks, 20_000);
    drop(again);
}

#[test]
fn a_thread_unmaps_its_stacks_when_it_ends() {
    let _alone = alone();
    let run = || {
        thread::spawn(|| {
            let all: Vec<_> = (0..100)
                .map(|_| {
                    let g: Greenlet<(), ()> =
                        Greenlet::new(|()| main_greenlet().switch::<(), ()>(()).unwrap());
                    g.switch(()).unwrap();
                    g
                })
                .collect();
            assert!(stats().mapped_bytes > 100 * 64 * 1024);
            // The thread's own variables are gone when its greenlets end: a cycle keeps these.
            let cycle = Rc::new(RefCell::new(Vec::new()));
            let (c, all) = (cycle.clone(), all);
            let keeper: Greenlet<(), ()> = Greenlet::new(move |()| {
                let _kept = (c, all);
                main_greenlet().switch::<(), ()>(()).unwrap();
            });
            keeper.switch(()).unwrap();
            cycle.borrow_mut().push(keeper);
        })
        .join()
        .unwrap();
    };
    run();
    let before = mappings();
    for _ in 0..30 {
        run();
    }
    assert!(
        mappings() < before + 30,
        "{before} mappings became {}",
        mappings()
    );
}

/// A million of them, each suspended in its body. Takes 4.4 GB of memory; see the figures with
/// `cargo test --release -p greenlet --test memory -- --ignored --nocapture`.
#[test]
#[ignore = "takes 4.4 GB of memory"]
fn a_million_parked_greenlets() {
    let _alone = alone();
    const N: usize = 1_000_000;
    let mut all = Vec::with_capacity(N);
    let before = resident();
    let start = Instant::now();
    for _ in 0..N {
        let g = Greenlet::new(|()| park());
        g.switch(()).unwrap();
        all.push(g);
    }
    let made = start.elapsed();
    let each = (resident() - before) / N;
    let start = Instant::now();
    for g in &all {
        g.switch(()).unwrap();
    }
    let finished = start.elapsed();
    let start = Instant::now();
    drop(all);
    println!(
        "{each} bytes each; made in {made:.2?}, finished in {finished:.2?}, freed in {:.2?}; {:?}",
        start.elapsed(),
        stats()
    );
    assert!(each < 4400);
    assert_eq!(stats().stacks, 0);
}
