//! corosensei: coroutines that switch to and from one another by resume and suspend.

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};

use crate::figure::Run;
use crate::harness::{BATCH, per_operation};

pub const RUNS: &[(&str, Run)] = &[("round-trip", round_trip), ("ring", ring), ("make", make)];

const STACK: usize = 64 * 1024;

fn stack() -> DefaultStack {
    DefaultStack::new(STACK).expect("a stack")
}

fn endless() -> Coroutine<usize, usize, ()> {
    Coroutine::with_stack(stack(), |yielder, mut value| {
        loop {
            value = yielder.suspend(value + 1);
        }
    })
}

fn round_trip() -> Vec<f64> {
    let mut coroutine = endless();
    let samples = per_operation(|count| {
        for value in 0..count {
            assert!(
                matches!(coroutine.resume(value), CoroutineResult::Yield(next) if next == value + 1)
            );
        }
    });
    // SAFETY: nothing on the coroutine's stack needs to be dropped.
    unsafe { coroutine.force_reset() };
    samples
}

fn ring() -> Vec<f64> {
    let mut ring: Vec<_> = (0..BATCH).map(|_| endless()).collect();
    let samples = per_operation(|count| {
        for lap in 0..count / BATCH {
            for coroutine in &mut ring {
                coroutine.resume(lap);
            }
        }
    });
    for coroutine in &mut ring {
        // SAFETY: nothing on the coroutine's stack needs to be dropped.
        unsafe { coroutine.force_reset() };
    }
    samples
}

fn make() -> Vec<f64> {
    let mut pool = Some(stack());
    per_operation(|count| {
        for value in 0..count {
            let stack = pool.take().expect("given back below");
            let mut coroutine: Coroutine<usize, (), usize, _> =
                Coroutine::with_stack(stack, |_, value| value + 1);
            assert!(
                matches!(coroutine.resume(value), CoroutineResult::Return(next) if next == value + 1)
            );
            pool = Some(coroutine.into_stack());
        }
    })
}
