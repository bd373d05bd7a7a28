//! Greenthreads: their order, ends, scopes, locals and timeouts, and their time when it is virtual.

#[path = "../common/mod.rs"]
mod common;

mod core;
mod ends;
mod greenthread;
mod local;
mod mask;
mod promptness;
mod scope;
mod sim;
mod sim_sockets;
mod time;
mod timeout;
