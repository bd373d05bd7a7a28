//! The contract of readiness backends (hubs), and the reactor built on it.
//!
//! A [`Hub`] watches descriptors with one system call: epoll, poll, select, or one that you write.
//! A [`Reactor`] owns a hub, the table of descriptors and who waits for them, timers, and a waker.
//! Neither knows what waits: a waiter is any value `W` that the reactor keeps and gives back.
//!
//! ```
//! use hub_core::{Direction, NotReady, Reactor};
//! use std::io::{ErrorKind, Read, Write};
//! use std::{os::unix::net::UnixStream, rc::Rc, time::Duration};
//!
//! let mut reactor = Reactor::new(Box::new(hub_poll::Poll::new()?));
//! let (mut near, far) = UnixStream::pair()?;
//! far.set_nonblocking(true)?;
//! let far = Rc::new(far);
//! let token = reactor.add(far.clone())?;
//! reactor.add_timer(reactor.now() + Duration::from_millis(5), "a timer");
//!
//! let mut heard = Vec::new();
//! while heard.len() < 2 {
//!     // Try, and wait if it says that there is nothing.
//!     let mut word = [0; 8];
//!     match (&*far).read(&mut word) {
//!         Ok(count) => heard.push(String::from_utf8_lossy(&word[..count]).into_owned()),
//!         Err(error) if error.kind() == ErrorKind::WouldBlock => {
//!             reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
//!             reactor.unpark(token, Direction::Read, |_| true);
//!             reactor.park(token, Direction::Read, "a reader").expect("it is registered");
//!             let mut woken = Vec::new();
//!             reactor.turn(None, &mut woken)?;
//!             if woken.iter().any(|wakeup| wakeup.waiter == "a timer") {
//!                 heard.push("a timer".into());
//!                 near.write_all(b"word")?;
//!             }
//!         }
//!         Err(error) => return Err(error),
//!     }
//! }
//! assert_eq!(heard, ["a timer", "word"]);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! | part | is |
//! |---|---|
//! | [`Hub`], [`Trigger`], [`Interest`], [`Ready`], [`Event`], [`Token`] | the contract of a backend |
//! | [`Reactor`], [`NotReady`], [`Turn`], [`Wakeup`] | who waits for what, and when they are due |
//! | [`Timers`], [`Waker`] and [`WakeFd`], [`Clock`] | what the reactor is made of, of use alone too |
//! | [`backend`] | what hubs share, to write one of your own |
//! | `conformance` | the contract as tests, for a hub of your own |
//!
//! The hubs themselves are crates beside this one: hub-epoll, hub-poll, hub-select, hub-polling.
//!
//! **Features**: `conformance`, off by default. **Environment**: none is read. **Send**: hubs are, if
//! their type is; a [`Waker`] is `Send` and `Sync`; a [`Reactor`] stays in its thread, since it shares
//! descriptors with their users (`Rc`). **Panics**: none but in a waiter's own code, and where a
//! function says so. **Platforms**: Unix.
#![forbid(unsafe_code)]

pub mod backend;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod hub;
mod parking;
mod reactor;
mod ready;
mod source_state;
mod sources;
mod timers;
mod token;
mod waker;

pub use backend::{AlwaysReady, FdTable};
pub use clock::{Clock, VirtualClock};
pub use hub::{Event, Hub, LONGEST_WAIT, Trigger};
pub use parking::{Cause, NotReady, ParkError, Turn, Wakeup};
pub use reactor::Reactor;
pub use ready::{Direction, Interest, Ready};
pub use sources::Removed;
pub use timers::{TimerKey, Timers};
pub use token::Token;
pub use waker::{WakeFd, Waker};

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
