//! Stackful coroutines with parents, typed values, throw and death: the context switch, no scheduler.
//!
//! A greenlet is a function that runs on a stack of its own. It switches to another greenlet from any depth of calls,
//! hands a value over, and goes on from there when somebody switches back. It has a parent, which gets its result or its
//! panic. It can be thrown into, and one that nobody can reach any more is unwound, so that its destructors run. The
//! names are those of Python's greenlet.
//!
//! ```
//! use greenlet::{Greenlet, main_greenlet};
//!
//! let adder: Greenlet<u32, u32> = Greenlet::new(|first| {
//!     let mut sum = first;
//!     loop {
//!         // Gives the sum to main and waits for the next number.
//!         sum += main_greenlet().switch::<u32, u32>(sum).unwrap();
//!     }
//! });
//! assert_eq!(adder.switch(1), Ok(1));
//! assert_eq!(adder.switch(10), Ok(11));
//! assert_eq!(adder.switch(100), Ok(111));
//! // The last handle: the loop is unwound where it waits.
//! drop(adder);
//! ```
//!
//! # Parts
//!
//! | part | is |
//! |---|---|
//! | [`Greenlet`], [`AnyGreenlet`], [`Builder`] | a greenlet with the types of its values, without them, and how it is made |
//! | [`current`], [`main_greenlet`] | the greenlet that runs, and the one that the thread began with |
//! | [`Generator`], [`Yielder`] | an iterator whose function gives its values from any depth |
//! | [`GreenletExit`], [`SwitchError`], [`ParentError`] | what ends a greenlet without an error, and what can go wrong |
//! | [`suspend`] | lets a greenlet that was told to exit wait a little longer |
//! | [`Local`], [`PerThread`] | data of each greenlet's own, and data of a thread for all its greenlets |
//! | [`lend`], [`Lender`], [`Loan`] | closures that borrow, lent to greenlets, which take only what is `'static` |
//! | [`thread_locals`] | all thread-locals of a program for each greenlet alone |
//! | [`mask_exit`] | runs code that cannot be unwound |
//! | [`at_thread_end`], [`ThreadEnd`] | what happens when a thread ends |
//! | [`set_trace`], [`stats`] | a hook that sees every switch, and how many greenlets and stacks there are |
//! | [`default_stack_size`], [`set_default_stack_size`], [`MIN_STACK_SIZE`] | how large stacks are |
//! | [`hint`], [`os`], [`ticks`] | for schedulers: prefetching, forks, a clock that is cheap to read |
//!
//! # Threads
//!
//! Nothing here is `Send`: a greenlet and its handles stay on the thread that made them, and each thread has greenlets of
//! its own.
//!
//! When a thread ends, what is suspended is unwound while all thread-locals still live. What refuses to end, and what is
//! suspended when the *process* ends, is left as it is and never runs again: its stack and what is on it are leaked.
//! That thread-locals live is so on Linux with glibc, unless this crate is in a library that was loaded late; elsewhere
//! nothing is unwound at a thread's end, and the destructor of a thread-local must not switch to greenlets.
//!
//! Two greenlets of a thread share its thread-locals. The initialiser of a `thread_local!` that has a destructor must
//! not switch: if two greenlets meet in it, std drops the value that the first one borrows, which is undefined behaviour
//! that cannot be caught here. A [`Local`] may, and so may all of them where each greenlet has
//! [thread-locals of its own](thread_locals).
//!
//! # Panics
//!
//! A panic that leaves a greenlet's function is raised in its parent. [`GreenletExit`] is not a panic: the parent's
//! switch returns it as an error. While a thread unwinds nothing is switched, since std counts panics per thread, and a
//! switch returns [`SwitchError::Unwinding`]. A panic of a destructor that runs because a greenlet ends goes no further.
//! Programs must be built with `panic = "unwind"`.
//!
//! # Stacks
//!
//! A stack is 256 KiB of address space, or what `GREENLET_STACK_SIZE` (bytes, or with `K` or `M`),
//! [`set_default_stack_size`] or [`Builder::stack_size`] say, and costs the pages that it has touched: one for most that
//! wait. Below it is a guard of at least 64 KiB: what overflows is reported by the name of the greenlet, and the process aborts.
//! Rust code touches every page of its frames in turn and cannot step over a guard; C code that was compiled without
//! stack probes can, with a frame larger than that.
//!
//! A panic takes 8 KiB of the stack that it happens on; one that prints a backtrace (`RUST_BACKTRACE=1`) takes 24 KiB in
//! a build without optimisation. So a stack of [`MIN_STACK_SIZE`], 16 KiB, does not survive that, and one of 32 KiB does.
//!
//! # Features and environment
//!
//! | | |
//! |---|---|
//! | feature `context` | switches with the `context` crate also where there is own assembly |
//! | feature `thread-locals` | greenlets may have [thread-locals of their own](thread_locals), where the system can |
//! | `GREENLET_STACK_SIZE` | the size of stacks that do not ask for another |
//!
//! # Platforms
//!
//! Unix. Own assembly on x86-64 and aarch64; all other processors that the `context` crate knows switch with that.

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
pub mod thread_locals;
mod ticks;
mod trace;

pub use builder::Builder;
pub use end::mask_exit;
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
pub use ticks::ticks;
pub use trace::{TraceEvent, TraceHook, set_trace};

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
