//! Everything with a descriptor: sockets, pipes, files, processes, signals, names.

pub mod dns;
pub mod fs;
pub mod net;
pub mod os;
pub mod process;
pub mod select;
pub mod signal;
pub(crate) mod trampoline;
#[cfg(feature = "ureq")]
pub mod ureq;

pub use net::{connect, connect_from, listen};
pub use trampoline::trampoline;
