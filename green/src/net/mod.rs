//! Sockets with std's names and signatures: who knows `std::net` knows these.
//!
//! Every call that would wait parks the calling greenthread.

mod io;
mod tcp;

pub use tcp::{TcpListener, TcpStream};
