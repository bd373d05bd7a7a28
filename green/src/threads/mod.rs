//! Other OS threads, and futures that may be woken from them.

pub mod future;
pub mod tpool;
