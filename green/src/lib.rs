//! Green threads, cooperative sockets and time, on an event loop that you choose.
//!
//! A program is written in plain blocking style. Every call that would wait parks one greenthread and lets another
//! run; the event loop underneath, the hub, is chosen at run time. There is no `async` and no `run()`: `fn main` is
//! a greenthread already.
//!
//! ```
//! use std::io::{Read, Write};
//! use green::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! green::spawn_n(move || {
//!     let (mut stream, _) = listener.accept().unwrap();
//!     stream.write_all(b"hello").unwrap();
//! });
//! let mut stream = TcpStream::connect(address)?;
//! let mut text = String::new();
//! stream.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What is in it
//!
//! | for | look at |
//! |---|---|
//! | greenthreads | [`spawn`], [`scope`], [`GreenThread`], [`Builder`], [`joinall`], [`killall`], [`corolocal!`] |
//! | many of them | [`GreenPool`], [`GreenPile`], [`dagpool`]; [`pools`] of resources |
//! | what they wait for each other with | [`queue`], [`event`], [`semaphore`], [`lock`], [`Barrier`], [`WaitGroup`]; [`sync`] for all OS threads |
//! | time | [`sleep`], [`Timeout`], [`time`] |
//! | sockets | [`net`], [`connect`], [`listen`], [`serve_forever`], [`serve`], [`server`], [`select`] |
//! | the rest of the world | [`dns`], [`fs`], [`os`], [`process`], [`signal`] |
//! | blocking code and other threads | [`tpool`], [`hubs::handle`] |
//! | all cores | [`workers()`], the module [`workers`](mod@workers); [`fork`] |
//! | async code | [`future`] |
//! | the event loop | [`hubs`] |
//! | a look inside, and tests | [`debug`], [`sim`] |
//!
//! # Features
//!
//! | feature | gives |
//! |---|---|
//! | `futures-io` (on) | the I/O traits of the crate futures-io on sockets |
//! | `hyper`, `tokio` | those of hyper (with its timer and executor) and of tokio |
//! | `thread-locals` | `own_thread_locals`: every `thread_local!` for each greenthread alone |
//! | `dns` | a resolver of green's own beside the system's: [`dns::use_resolver`] |
//! | `ureq`, `ureq-tls` | an HTTP client: `green::ureq` |
//! | `layer` | `green::layer`: waits that unwind nothing, for crates that have the calls of others wait here |
//!
//! # Environment variables
//!
//! | variable | sets |
//! |---|---|
//! | `GREEN_HUB` | the hub of threads that have not chosen one: see [`hubs`] |
//! | `GREEN_DNS` | the resolver of threads that have not chosen one: see [`dns`] |
//! | `GREEN_THREADPOOL_SIZE` (or eventlet's `EVENTLET_THREADPOOL_SIZE`) | the number of threads of [`tpool`] |
//! | `GREEN_WORKERS` | the number of [`workers()`] where the program does not say it |
//! | `GREEN_SEED` | the one run that [`sim::check`] replays |
//! | `GREENLET_STACK_SIZE` | the size of stacks in bytes, of which only touched pages cost memory |
//! | `RUST_BACKTRACE` | has the report of a deadlock show stacks |
//! | `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` | the proxies of `green::ureq` |
//!
//! # Threads
//!
//! A greenthread lives and dies on the OS thread that spawned it, so its closure need not be `Send`, and `Rc` and `Cell`
//! are shared freely. Each OS thread has a hub of its own. These are `Send`: [`hubs::ThreadHandle`], which spawns into another
//! thread, everything in [`sync`], the handles of [`future`] and of [`workers`](mod@workers), [`Exit`]. Sockets are not;
//! they convert to std's and back.
//!
//! A value of `thread_local!` is shared by all greenthreads of its thread. Its initialiser, and what runs in
//! [`LocalKey::with`](std::thread::LocalKey::with), must not wait: std does not expect that another greenthread comes there
//! meanwhile. [`corolocal!`] declares values that each greenthread has for itself, and has no such rule. With the feature
//! `thread-locals`, `own_thread_locals` gives each greenthread all of them for itself.
//!
//! # Panics
//!
//! A panic ends its greenthread; [`GreenThread::join`] gives it as [`Exit::Panicked`]. Kills and timeouts travel by unwinding
//! as well, so code that catches panics around blocking calls hands the payload to [`resume_interrupt`] first, and a
//! profile with `panic = "abort"` is refused. While a thread unwinds nothing switches: each call says what it does instead.
//!
//! # Platforms
//!
//! Linux on x86-64 is tested in every respect; on aarch64 the switch of stacks was run in an emulator. Other Unix systems,
//! which have not been tried, have the hubs poll, select and polling (kqueue, event ports); other processors switch by the
//! crate `context`. Rust 1.91 or later is needed.
#![forbid(unsafe_code)]

#[cfg(panic = "abort")]
compile_error!(
    "green needs unwinding: kill and timeouts leave a greenthread by it. Remove panic = \"abort\" from the profile."
);

pub mod debug;
mod error;
mod greenthread;
mod groups;
pub mod hubs;
mod io;
#[cfg(feature = "layer")]
pub mod layer;
mod primitives;
mod registry;
mod runtime;
pub mod server;
pub mod sim;
mod threads;
pub mod workers;

pub use error::{OsError, raw_os_error};
pub use greenthread::{
    AnyGreenThread, Builder, Deadline, Elapsed, EndOrder, Exit, GreenThread, KillOnDrop, LinkId,
    LocalKey, Panic, Scope, ScopedGreenThread, Timeout, current, current_id, exit, is_timeout,
    iwait, joinall, joinall_timeout, killall, killall_wait, scope, sleep, sleep_until, spawn,
    spawn_after, spawn_after_local, spawn_n, time, try_joinall, wait_any, with_timeout, yield_now,
};
pub use groups::{
    CallWith, GreenPile, GreenPool, Imap, ImapUnordered, PileResults, WaitsForItself, dagpool,
    pools,
};
pub use hubs::fork;
#[cfg(feature = "ureq")]
pub use io::ureq;
pub use io::{connect, connect_from, dns, fs, listen, net, os, process, select, signal};
pub use primitives::{
    AsyncResult, Barrier, BarrierWaitResult, BoundedSemaphore, CappedSemaphore, Condition, Event,
    Flag, LifoQueue, LightQueue, Lock, Permit, PriorityQueue, Queue, RLock, Semaphore, Unwinding,
    WaitGroup, WaitGroupGuard, event, lock, queue, semaphore, sync,
};
#[cfg(feature = "thread-locals")]
pub use runtime::own_thread_locals;
pub use runtime::resume_interrupt;
pub use server::{StopServe, serve, serve_forever};
pub use threads::{future, tpool};
pub use workers::workers;
/// The names that these had before.
#[doc(hidden)]
pub use {
    greenthread::{EndOrder as Iwait, current_id as get_ident},
    groups::{CallWith as Star, WaitsForItself as InsidePool},
    primitives::WaitGroupGuard as Member,
    runtime::resume_interrupt as resume_if_control,
};

/// Runs `f` with kills and deadlines held back: they arrive at the first wait after it.
///
/// It is for the few lines that must not be left half done. Waits inside work as ever.
///
/// ```
/// let done = green::spawn(|| {
///     green::mask(|| {
///         green::yield_now();
///         1
///     })
/// });
/// green::yield_now();
/// done.kill();
/// assert_eq!(done.join().unwrap(), 1);
/// ```
pub fn mask<T>(f: impl FnOnce() -> T) -> T {
    runtime::Runtime::with(|runtime| runtime.mask(f))
}

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
