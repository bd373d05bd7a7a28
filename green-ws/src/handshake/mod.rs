//! From HTTP to WebSocket.

mod client;
mod extensions;
mod head;
mod server;

pub(crate) use client::{ask, parse, understand};
pub use head::Request;
pub(crate) use head::read_head;
pub(crate) use server::answer;
pub use server::{Refusal, Upgrade};
