//! Stackful coroutines with parents, typed values, throw and death: the context switch, no scheduler.

#[cfg(panic = "abort")]
compile_error!(
    "greenlets are ended by unwinding their stacks: build with panic = \"unwind\", not \"abort\""
);

mod arch;
mod block;
mod body;
mod builder;
mod call;
mod contain;
mod end;
mod error;
mod generator;
mod greenlet;
mod handle;
pub mod hint;
mod lend;
mod local;
mod message;
pub mod os;
mod pass;
mod per_thread;
mod sanitizer;
mod stack;
mod stats;
mod switch;
mod thread;
mod thread_end;
mod trace;

pub use builder::Builder;
pub use error::{GreenletExit, ParentError, SwitchError};
pub use generator::{Generator, Yielder};
pub use greenlet::Greenlet;
pub use handle::{AnyGreenlet, current, main_greenlet};
pub use lend::{Lender, Loan, lend};
pub use local::Local;
pub use per_thread::PerThread;
#[doc(hidden)]
pub use per_thread::Word;
pub use stack::{MIN_STACK_SIZE, default_stack_size, set_default_stack_size};
pub use stats::{Stats, stats};
pub use switch::suspend;
pub use thread_end::{ThreadEnd, at_thread_end};
pub use trace::{TraceEvent, TraceHook, set_trace};

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
