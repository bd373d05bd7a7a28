//! What unmodified code gets from calls that wait on the hub: the same as from calls that block, while others run.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod common;

mod closing;
mod fifos;
mod files;
mod kills;
mod locks;
mod outside;
mod own_loop;
mod polls;
mod processes;
mod scopes;
mod sockets;
mod time;
