//! Servers, and the HTTP libraries that run on green sockets.

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "hyper")]
mod hyper;
mod incoming;
mod lifecycle;
mod logged;
mod on_drain;
mod serve;
#[cfg(feature = "ureq")]
mod ureq;
#[cfg(feature = "ureq")]
mod ureq_world;
