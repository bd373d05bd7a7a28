//! Each primitive against a plain sequential model of it, under random kills and timeouts at every wait.

mod engine;
mod event;
mod imap;
mod lock;
mod meeting;
mod pile;
mod pool;
mod queue;
mod queue_ideal;
mod resources;
mod semaphore;
