//! Consoles, as their clients see them.
//!
//! Each test runs on the hub that `GREEN_HUB` names, with and without the script language.

mod access;
mod builtin;
mod client;
mod drain;
mod lines;
#[cfg(feature = "rhai")]
mod script;
mod session;
