//! Many greenthreads, or many resources, at a time: pools, piles, maps, graphs.

pub mod dagpool;
mod greenpile;
mod greenpool;
mod imap;
pub mod pools;

pub use greenpile::{GreenPile, PileResults};
pub use greenpool::{GreenPool, WaitsForItself};
pub use imap::{CallWith, Imap, ImapUnordered};
