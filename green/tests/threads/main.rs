//! Other threads: the thread pool, futures, and greenthreads that are sent or woken from outside.

#[path = "../common/mod.rs"]
mod common;

mod deserted;
mod future;
#[cfg(feature = "futures-io")]
mod future_io;
mod future_remote;
#[cfg(feature = "tokio")]
mod future_tokio;
mod remote;
mod thread_end;
mod threads;
mod tpool;
