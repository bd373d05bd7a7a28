//! The contract of readiness backends (hubs), and the reactor built on it
//!
//! A [`Hub`] watches descriptors with one system call: epoll, poll, select, or one that you write.
//! A [`Reactor`] owns a hub, the table of descriptors and who waits for them, timers, and a waker.
//! Neither knows what waits: a waiter is any value `W` that the reactor keeps and gives back.
#![forbid(unsafe_code)]

mod always;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod hub;
mod parking;
mod reactor;
mod ready;
mod sources;
mod table;
mod timers;
mod token;
mod waker;

pub use always::AlwaysReady;
pub use clock::{Clock, VirtualClock};
pub use hub::{Event, Hub, LONGEST_WAIT, Trigger};
pub use parking::{Cause, NotReady, ParkError, Turn, Wakeup};
pub use reactor::Reactor;
pub use ready::{Direction, Interest, Ready};
pub use sources::Removed;
pub use table::FdTable;
pub use timers::{TimerKey, Timers};
pub use token::Token;
pub use waker::{Ear, Waker};

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
