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

mod barrier;
pub mod dagpool;
pub mod debug;
pub mod dns;
pub mod event;
mod fork;
pub mod fs;
pub mod future;
mod greenpile;
mod greenpool;
mod greenthread;
pub mod hubs;
mod imap;
mod local;
pub mod lock;
pub mod net;
pub mod os;
pub mod pools;
pub mod process;
pub mod queue;
mod runtime;
pub mod select;
pub mod semaphore;
pub mod server;
mod sharing;
pub mod signal;
pub mod sim;
pub mod sync;
pub mod time;
mod timeout;
pub mod tpool;
mod trampoline;
#[cfg(feature = "ureq")]
pub mod ureq;
mod waitgroup;

pub use barrier::{Barrier, BarrierWaitResult};
pub use event::{AsyncResult, Event, Flag};
pub use greenpile::{GreenPile, PileResults};
pub use greenpool::{GreenPool, InsidePool};
pub use greenthread::{
    AnyGreenThread, Builder, Exit, GreenThread, Iwait, LinkId, Panic, Scope, ScopedGreenThread,
    current, iwait, joinall, joinall_timeout, killall, killall_wait, scope, spawn, spawn_after,
    spawn_after_local, spawn_n, try_joinall, wait_any,
};
pub use imap::{Imap, ImapUnordered, Star};
pub use local::{LocalKey, get_ident};
pub use lock::{Condition, Lock, RLock};
pub use net::{connect, connect_from, listen};
pub use queue::{LifoQueue, LightQueue, PriorityQueue, Queue};
pub use runtime::resume_if_control;
pub use semaphore::{BoundedSemaphore, CappedSemaphore, Permit, Semaphore};
pub use server::{StopServe, serve};
pub use sharing::Unwinding;
pub use time::{sleep, sleep_until, yield_now};
pub use timeout::{Deadline, Elapsed, Timeout, is_timeout, with_timeout};
pub use waitgroup::{Member, WaitGroup};

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
