//! TLS between greenthreads, on the hub that `GREEN_HUB` names.

mod certificates;
#[path = "../common/mod.rs"]
mod common;
mod failures;
mod handshake;
mod interrupted;
mod stream;
#[cfg(all(feature = "hyper", feature = "tokio"))]
mod traits;
