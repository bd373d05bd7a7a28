//! Async Rust inside green, and green inside async Rust.
//!
//! [`block_on`] runs a future in a greenthread, and only that greenthread waits. The other way, a [`GreenThread`] is a
//! future of its value, and [`RemoteGreenThread`] is one for the executors of other threads.
//!
//! ```
//! use std::time::Duration;
//! use green::future::{block_on, sleep};
//!
//! let worker = green::spawn(|| {
//!     green::sleep(Duration::from_millis(1)); // blocks in the green way
//!     "done"
//! });
//! let text = block_on(async {
//!     sleep(Duration::from_millis(1)).await; // waits in the async way, on the same hub
//!     worker.await
//! });
//! assert_eq!(text.unwrap(), "done");
//! ```
//!
//! # Sockets
//!
//! The streams of [`net`](crate::net) have the I/O traits of async libraries, which so run on green's hub unchanged:
//!
//! | feature | traits |
//! |---|---|
//! | `futures-io`, on by default | `futures_io::{AsyncRead, AsyncWrite}`, on [`TcpStream`], [`UnixStream`] and references to them |
//! | `tokio` | `tokio::io::{AsyncRead, AsyncWrite}`: the traits alone, no runtime |
//! | `hyper` | `hyper::rt::{Read, Write}`, and hyper's timer and executor as `Timer` and `Executor` |
//!
//! Where a library asks for streams that are `Send`, as the client of redis and hyper's upgrades do, wrap them in a
//! [`ThreadBound`], which has the traits of what is in it.
//!
//! A stream of your own that lies on one of these gets the traits by `PollIo` and a macro for each library.
//!
//! [`accept`] is the future of a connection. Connecting looks up names and so is a call that blocks:
//! `green::spawn(|| TcpStream::connect("localhost:80")).await`. Any other call on a socket becomes a future with
//! [`std::future::poll_fn`] and [`TcpStream::poll_retry`].
//!
//! One task and one greenthread are not two readers that share a socket. The wakers of a task are replaced by those of
//! the next that polls. A greenthread that blocks in a read takes the place of a waker, whose owner may have lost
//! interest long ago; that one is woken, and a poll gets `ResourceBusy` for as long as the greenthread waits.
//!
//! The timeouts of a socket bound calls that block. For async code there are [`sleep`], and
//! [`Timeout`](crate::Timeout) around the whole `block_on`.
//!
//! # Other executors
//!
//! Sockets and timers wake their tasks when the hub of their thread takes its turn, and that is whenever greenthreads
//! of the thread wait. [`block_on`] does that. An executor that puts the whole thread to sleep does not: run it as a
//! future, in [`block_on`] (`async_executor::LocalExecutor::run`, `FuturesUnordered`, `join!`), or in another thread.
//!
//! Within a task of tokio, tokio's own channels and semaphores give a task a share of work, which it regains when the
//! task returns to tokio. [`block_on`] does not return there, so wrap what it runs in
//! `tokio::task::unconstrained`.
//!
//! [`GreenThread`]: crate::GreenThread
//! [`TcpStream`]: crate::net::TcpStream
//! [`TcpStream::poll_retry`]: crate::net::TcpStream::poll_retry
//! [`UnixStream`]: crate::net::UnixStream

mod accept;
pub(crate) mod block_on;
mod bound;
#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio"))]
mod bound_io;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio"))]
mod io_traits;
#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio"))]
mod poll_io;
mod remote;
pub(crate) mod sleep;

#[cfg(feature = "hyper")]
pub use self::hyper::{Executor, Timer};
pub use accept::{Accept, AsyncListener, accept};
pub use block_on::{block_on, spawn, try_block_on};
pub use bound::ThreadBound;
#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio"))]
pub use poll_io::PollIo;
pub use remote::{RemoteExit, RemoteGreenThread};
pub use sleep::{Sleep, sleep, sleep_until};
