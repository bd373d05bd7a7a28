//! A look inside a running program on green threads, in a browser.
//!
//! ```no_run
//! let listener = green::listen("127.0.0.1:8001")?;
//! green::spawn_n(move || drop(green_console::serve(listener)));
//! // What the program is for goes on here. Look at http://127.0.0.1:8001.
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The page has counters that move, charts of the last five minutes, and tables: the greenthreads (state, why and how long
//! each waits, run time, age, name, place of spawn), by place of spawn, as a tree, who waits for whom, waits for
//! descriptors, timers, and who has kept the others from running. A click shows a stack.
//!
//! # Parts
//!
//! | part | is |
//! |---|---|
//! | [`serve`] | a console in one line |
//! | [`Console`] | a console with settings: its token, who may look, what it warns of |
//! | `spans` | spans of the crate tracing that belong to greenthreads, with the feature `tracing` |
//!
//! # What is served
//!
//! | path | is |
//! |---|---|
//! | `/` | the page; it uses nothing from other servers |
//! | `/metrics` | counters in the text format of Prometheus |
//! | `/json` | what there is now; `search`, `sort`, `order=descending` and `limit` choose the greenthreads |
//! | `/history` | a point for each of the last 300 seconds |
//! | `/greenthread?id=7` | one of them, with its stack |
//! | `/trace?seconds=5` | every switch, wait and wake-up of the next seconds, for Perfetto or `chrome://tracing`: a row a greenthread |
//! | `/profile?seconds=5` | samples of where time goes, as folded stacks for a flame graph; `by=place` adds up those of one place |
//! | `POST /kill?id=7` | ends one of them; needs the token |
//!
//! # Who may look, and who may kill
//!
//! A console at a loopback address shows itself to every user of this machine. Elsewhere it is refused, unless
//! [`Console::open_to_others`] says so, and then everything needs the [token](Console::token). A kill always needs it, in
//! the field `X-Green-Token` of a `POST`. The token never stands in an address.
//!
//! A request whose `Host` field names anything but the address that is listened at is refused, so that no page of another
//! site can read the console by a name that leads here: [`Console::host`] adds names.
//!
//! # What it costs
//!
//! While nobody looks: one look at the counters a second. Accounts of run time are kept from the first request of the page
//! on, and for 15 seconds after the last. `/metrics` asks for none. [`Console::always`] keeps them always.
//!
//! Everything is about the OS thread that serves the console, and its hub. While a greenthread of it keeps the others from
//! running, the console does not answer either; it names that one afterwards.
//!
//! # Spans
//!
//! With the feature `tracing` a greenthread has its own spans of the crate of that name, and log lines name it:
//! `spans`. This is the only feature, and it is off by default.
//!
//! # Threads, panics, platforms
//!
//! A [`Console`] stays on its OS thread. [`Console::new`] panics if the system has no random numbers. There are no
//! environment variables. Platforms are those of green; the memory and the descriptors of the process are known on
//! Linux alone.
#![forbid(unsafe_code)]

mod access;
mod console;
mod history;
mod inside;
mod metrics;
mod parameters;
mod profile;

mod routes;
mod snapshot;
#[cfg(feature = "tracing")]
pub mod spans;
mod trace;

pub use console::{Console, serve};

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The examples of the guide.
#[cfg(all(doctest, feature = "tracing"))]
#[doc = include_str!("../../docs/console.md")]
struct Guide;
