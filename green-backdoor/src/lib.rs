//! A console into a running program on green threads: eventlet's `backdoor`.
//!
//! ```
//! use std::io::{BufRead, BufReader, Read, Write};
//! use green_backdoor as backdoor;
//!
//! let commands = backdoor::Commands::new().add("funca", "prints abc, gives 123", |_args, out| {
//!     writeln!(out, "abc")?;
//!     Ok(Some("123".to_owned()))
//! });
//! let listener = green::listen("127.0.0.1:0")?;
//! let mut client = green::connect(listener.local_addr()?)?;
//! green::spawn_n(move || drop(backdoor::serve(listener, commands)));
//!
//! client.write_all(b"funca\nexit\n")?;
//! let mut shown = String::new();
//! client.read_to_string(&mut shown)?;
//! assert!(shown.ends_with(">>> abc\n'123'\n>>> "));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Parts
//!
//! | part | is |
//! |---|---|
//! | [`serve`] | consoles for the clients of a listener, in one line |
//! | [`Server`] | the same with a banner, limits, scripts and a drain; [`Server::console`] on any pair of streams |
//! | [`Commands`] | the commands that a client can call |
//! | [`listen_unix`], [`Endpoint`] | a Unix socket for this user alone; the listeners that can be served |
//!
//! # Who can connect
//!
//! There is no password: **whoever connects can do everything that the commands can**, as this user. So [`serve`]
//! refuses a TCP address that is not loopback, and makes a Unix socket one of mode 0600; [`Server::open_to_others`] lifts
//! both. At a loopback address every user of the machine can connect: where there are several, [`listen_unix`] is the
//! better choice. A web page can send requests to loopback addresses: a client whose first line is that of an HTTP
//! request is cut off.
//!
//! # Commands
//!
//! A line is the name of a command and its words. Beside the program's own [`Commands`] there are
//!
//! | command | shows or does |
//! |---|---|
//! | `help` | the commands |
//! | `greenthreads`, `tree` | every greenthread of this thread: what it waits for, and which has spawned which |
//! | `dump ID` | one of them, with its stack |
//! | `kill ID` | ends it |
//! | `listeners`, `timers` | who waits for which descriptor, and until when |
//! | `counters` | what the scheduler and the hub have done and hold |
//! | `hub`, `use_hub NAME` | the hub; goes on with another |
//! | `exit`, `quit`, Ctrl-D | closes the connection |
//!
//! The program may replace each of them: an `exit` of its own that does nothing, for example.
//!
//! What a command prints goes to the client who called it, and what it gives is shown in quotes. An error or a panic is
//! shown as a text, and the session goes on.
//!
//! # Scripts
//!
//! With the feature `rhai` a line is a script of [rhai](https://rhai.rs): the commands are functions of it (`funca()`,
//! `kill(3)`), and [`Server::script`] adds functions and variables of the program. Each client has a scope of its own;
//! what it begins goes on in the next line, after the prompt `... `, until it is complete or a line is blank. A script
//! that runs lets the others run, and ends with an error after [a number of operations](Server::operations). A line such
//! as `kill 3` still works.
//!
//! # Clients
//!
//! `nc`, `socat` and `telnet` all do: ends of lines and telnet's commands are understood, Ctrl-C forgets what was begun. A
//! line has at most 64 KiB. A client that does not read, or leaves in the middle of something, stops nobody but itself.
#![forbid(unsafe_code)]

mod builtin;
mod commands;
mod endpoint;
mod input;
mod output;
#[cfg(feature = "rhai")]
mod script;
mod server;
mod session;
mod words;

pub use commands::Commands;
pub use endpoint::{Endpoint, listen_unix};
#[cfg(feature = "rhai")]
pub use rhai;
pub use server::{Server, serve};

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/backdoor.md")]
struct Guide;
