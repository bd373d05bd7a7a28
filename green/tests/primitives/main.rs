//! What greenthreads meet at: events, locks, queues, semaphores, and those of several threads.

#[path = "../common/mod.rs"]
mod common;

mod event;
mod hostile;
mod lock;
mod queue;
mod semaphore;
mod sync;
