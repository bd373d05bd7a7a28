//! What switches cost. Run with `cargo bench -p greenlet`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use greenlet::{AnyGreenlet, Generator, Greenlet, main_greenlet};

/// There and back again.
fn round_trip(c: &mut Criterion) {
    let main = main_greenlet();
    let g = Greenlet::new(move |()| {
        loop {
            main.switch::<(), ()>(()).unwrap();
        }
    });
    c.bench_function("round trip", |b| b.iter(|| g.switch_as::<()>(())));
}

/// A thousand greenlets, each of which switches to the next. The figure is for one switch.
fn ring(c: &mut Criterion) {
    const N: usize = 1000;
    let ring: std::rc::Rc<std::cell::RefCell<Vec<AnyGreenlet>>> = Default::default();
    for i in 0..N {
        let ring2 = ring.clone();
        let g = Greenlet::new(move |()| {
            let next = ring2.borrow()[(i + 1) % (N + 1)].clone();
            loop {
                next.clone().switch_into::<(), ()>(()).unwrap();
            }
        });
        ring.borrow_mut().push(g.into());
    }
    ring.borrow_mut().push(main_greenlet());
    let first = ring.borrow()[0].clone();
    c.bench_function("ring of 1000, whole", |b| {
        b.iter(|| first.switch::<(), ()>(()))
    });
    for g in ring.borrow().iter().take(N) {
        let _ = g.throw::<_, ()>(greenlet::GreenletExit);
    }
}

/// One that runs to its end on a stack from the pool.
fn new_finish(c: &mut Criterion) {
    c.bench_function("new and finish", |b| {
        b.iter(|| Greenlet::new(|n: u64| n + 1).switch_into::<u64>(black_box(1)))
    });
}

/// One value of a generator.
fn generator(c: &mut Criterion) {
    let mut numbers = Generator::new(|y| (0..u64::MAX).for_each(|n| y.give(n)));
    c.bench_function("generator step", |b| b.iter(|| numbers.next()));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_secs(2)).warm_up_time(std::time::Duration::from_millis(500));
    targets = round_trip, ring, new_finish, generator
}
criterion_main!(benches);
