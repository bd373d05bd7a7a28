//! What the comparison programs share: the system calls of the raw loops and the statistics of the tables.

pub mod stats;
pub mod sys;
