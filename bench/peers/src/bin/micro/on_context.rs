//! context (Boost.Context): bare symmetric switches.

use std::cell::Cell;

use context::stack::ProtectedFixedSizeStack;
use context::{Context, Transfer};

use crate::figure::Run;
use crate::harness::{BATCH, per_operation};

pub const RUNS: &[(&str, Run)] = &[("round-trip", round_trip), ("ring", ring), ("make", make)];

fn stack() -> ProtectedFixedSizeStack {
    ProtectedFixedSizeStack::new(64 * 1024).expect("a stack")
}

extern "C" fn echo(mut transfer: Transfer) -> ! {
    loop {
        // SAFETY: whoever resumed this is suspended in `resume` and has nothing that must not be resumed.
        transfer = unsafe { transfer.context.resume(transfer.data + 1) };
    }
}

fn round_trip() -> Vec<f64> {
    let stack = stack();
    // SAFETY: the stack outlives the context, which is not resumed after this function.
    let mut context = Some(unsafe { Context::new(&stack, echo) });
    per_operation(|count| {
        for value in 0..count {
            let echo = context.take().expect("put back below");
            // SAFETY: the stack is alive and holds nothing to drop.
            let transfer = unsafe { echo.resume(value) };
            assert_eq!(transfer.data, value + 1);
            context = Some(transfer.context);
        }
    })
}

fn make() -> Vec<f64> {
    let stack = stack();
    per_operation(|count| {
        for value in 0..count {
            // SAFETY: the stack is alive; the context before is never resumed again and held nothing to drop.
            let transfer = unsafe { Context::new(&stack, echo).resume(value) };
            assert_eq!(transfer.data, value + 1);
        }
    })
}

/// Who comes after whom: the place of the context that runs is empty.
struct Ring {
    places: Vec<Cell<Option<Context>>>,
    started: Cell<usize>,
}

impl Ring {
    /// Goes on to the place after `own`, and returns when the one before has come here.
    fn pass(&self, own: usize) {
        let next = self.places[(own + 1) % BATCH].take();
        let next = next.expect("only the running place is empty");
        // SAFETY: the stacks outlive the ring and hold nothing to drop.
        let transfer = unsafe { next.resume(std::ptr::from_ref(self) as usize) };
        self.arrived(own, transfer);
    }

    fn arrived(&self, own: usize, from: Transfer) {
        self.places[(own + BATCH - 1) % BATCH].set(Some(from.context));
    }
}

extern "C" fn member(transfer: Transfer) -> ! {
    // SAFETY: `pass` hands over its ring, which outlives every switch.
    let ring = unsafe { &*(transfer.data as *const Ring) };
    let own = ring.started.get() + 1;
    ring.started.set(own);
    ring.arrived(own, transfer);
    loop {
        ring.pass(own);
    }
}

fn ring() -> Vec<f64> {
    let stacks: Vec<_> = (0..BATCH).map(|_| stack()).collect();
    // SAFETY: the stacks outlive the contexts; the first one is for the place of the main context and is replaced by it.
    let context = |stack| Cell::new(Some(unsafe { Context::new(stack, member) }));
    let ring = Ring {
        places: stacks.iter().map(|stack| context(stack)).collect(),
        started: Cell::new(0),
    };
    per_operation(|count| {
        for _ in 0..count / BATCH {
            ring.pass(0);
        }
    })
}
