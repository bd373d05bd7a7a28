//! Stacks: where they come from and where they go.

mod class;
mod memory;
mod overflow;
mod pool;
mod size;
mod slab;

pub(crate) use class::Stack;
pub(crate) use overflow::{Overflowed, SignalStack, install_handler};
pub(crate) use pool::{StackPool, StackStats};
pub(crate) use size::size_for;
pub use size::{MIN_STACK_SIZE, default_stack_size, set_default_stack_size};
