//! What the comparison programs share: the system calls of the raw loops, and what servers of an echo begin with. The
//! statistics and the load generator are those of `hub-bench`.

pub use hub_bench::stats;
pub mod server;
pub mod sys;
