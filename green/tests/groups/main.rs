//! Many greenthreads at once: pools, piles, graphs, and pools of what they use.

#[path = "../common/mod.rs"]
mod common;

mod connections;
mod dagpool;
mod greenpile;
mod greenpool;
mod hostile;
mod imap;
mod pools;
