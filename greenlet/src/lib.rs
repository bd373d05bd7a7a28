//! Stackful coroutines with parents, typed values, throw and death: the context switch, no scheduler.

#[cfg(panic = "abort")]
compile_error!(
    "greenlets are ended by unwinding their stacks: build with panic = \"unwind\", not \"abort\""
);

mod arch;
mod block;
mod builder;
mod death;
mod error;
mod fork;
mod generator;
mod greenlet;
mod handle;
mod lend;
mod local;
mod message;
mod prefetch;
mod stack;
mod stats;
mod switch;
mod thread;
mod ticks;
mod trace;

pub use builder::Builder;
pub use death::is_main_thread;
pub use error::{GreenletExit, ParentError, SwitchError};
pub use fork::fork_count;
pub use generator::{Generator, Yielder};
pub use greenlet::Greenlet;
pub use handle::{AnyGreenlet, current, main_greenlet};
pub use lend::{Lender, Loan, lend};
pub use local::Local;
pub use prefetch::prefetch_value;
pub use stack::{MIN_STACK_SIZE, default_stack_size, set_default_stack_size};
pub use stats::{Stats, stats};
pub use ticks::ticks;
pub use trace::{TraceEvent, TraceHook, set_trace};

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
