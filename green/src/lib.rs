//! Green threads, cooperative sockets and time, on hubs you can choose.
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
#![forbid(unsafe_code)]

#[cfg(panic = "abort")]
compile_error!(
    "green needs unwinding: kill and timeouts leave a greenthread by it. Remove panic = \"abort\" from the profile."
);

pub mod debug;
mod greenthread;
mod groups;
pub mod hubs;
mod io;
mod primitives;
mod runtime;
pub mod server;
pub mod sim;
mod threads;

pub use greenthread::{
    AnyGreenThread, Builder, Deadline, Elapsed, Exit, GreenThread, Iwait, LinkId, LocalKey, Panic,
    Scope, ScopedGreenThread, Timeout, current, get_ident, is_timeout, iwait, joinall,
    joinall_timeout, killall, killall_wait, scope, sleep, sleep_until, spawn, spawn_after,
    spawn_after_local, spawn_n, time, try_joinall, wait_any, with_timeout, yield_now,
};
pub use groups::{
    GreenPile, GreenPool, Imap, ImapUnordered, InsidePool, PileResults, Star, dagpool, pools,
};
#[cfg(feature = "ureq")]
pub use io::ureq;
pub use io::{connect, connect_from, dns, fs, listen, net, os, process, select, signal};
pub use primitives::{
    AsyncResult, Barrier, BarrierWaitResult, BoundedSemaphore, CappedSemaphore, Condition, Event,
    Flag, LifoQueue, LightQueue, Lock, Member, Permit, PriorityQueue, Queue, RLock, Semaphore,
    Unwinding, WaitGroup, event, lock, queue, semaphore, sync,
};
pub use runtime::resume_if_control;
pub use server::{StopServe, serve};
pub use threads::{future, tpool};

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

/// The examples of the porting guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/eventlet.md")]
struct Guide;

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
