//! All cores: OS threads that each have a hub of their own.
//!
//! A greenthread never leaves its thread, so one thread uses one core. [`workers`](crate::workers()) starts several,
//! runs one closure on each, and returns when they have ended:
//!
//! ```
//! use std::io;
//! use green::server::Lifecycle;
//!
//! # fn main() -> io::Result<()> {
//! green::workers(2, |worker| {
//!     let life = Lifecycle::new();
//!     worker.drain_at_stop(&life);
//!     let listener = worker.listen_shared("127.0.0.1:0")?;
//!     # if worker.index() == 0 {
//!     #     let handle = worker.handle().clone();
//!     #     green::spawn_n(move || handle.stop(std::time::Duration::from_secs(1)));
//!     # }
//!     life.serve(&listener, 1000, |_stream, _peer| io::Result::Ok(()))
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! - What may go to another worker is `Send`: closures for [`WorkersHandle::spawn_on`] and
//!   [`WorkersHandle::spawn_anywhere`], what [`sync`](crate::sync) has, and what is put into it. What a worker makes
//!   for itself need not be: `Rc` and `Cell` are as good there as in a program of one thread.
//! - The first worker that fails or panics stops the others, and is what the call gives. By [`OnPanic::Restart`] a
//!   worker that panics is started again.
//! - [`WorkersHandle::stop`] stops all; [`WorkersBuilder::stop_on`] does so by a signal. A stop begins a drain of
//!   what the workers serve, and after a deadline kills what is left.
//! - [`Worker::listen_shared`] lets all of them accept at one address. [`WorkersServer`] is all of this in one piece,
//!   for servers.
//!
//! One more thing to know: a worker never reports a deadlock, since the others may still send it work.

mod builder;
mod drained_socket;
mod error;
mod handle;
mod listen;
mod pin;
mod server;
mod supervise;
mod thread;
mod told;
mod turns;
mod watch;
mod worker;

pub use builder::{OnPanic, WorkersBuilder};
pub use error::{WorkerOutcome, WorkersError};
pub use handle::WorkersHandle;
pub use listen::SharedListener;
pub use server::{RunningServer, WorkersServer};
pub use supervise::Workers;
pub use worker::Worker;

/// Runs `f` on `count` OS threads, each with a hub of its own, and waits for them. Meanwhile the other greenthreads
/// of the calling thread run.
///
/// `count` is a number, `None`, or a [`WorkersBuilder`] with more to say. With `None` there are as many as the
/// environment variable `GREEN_WORKERS` says, or else as the process has cores
/// ([`available_parallelism`](std::thread::available_parallelism)). Their hubs are of the kind that the caller has.
///
/// `f` returns nothing or a `Result`; the values come back in the order of the workers. When `f` has returned, what
/// it has left behind in its thread is killed. A kill or deadline of the caller stops all of them at once, and is
/// raised when they have ended.
///
/// # Errors
/// The first that fails, panics or cannot be started; the others are stopped: see [`WorkersBuilder::grace`].
///
/// # Panics
/// As [`spawn`](crate::spawn).
///
/// ```
/// let squares = green::workers(3, |worker| Ok::<_, ()>(worker.index() * worker.index()));
/// assert_eq!(squares.unwrap(), [0, 1, 4]);
/// ```
///
/// The error of one is that of all:
///
/// ```
/// use std::time::Duration;
///
/// let error = green::workers(2, |worker| match worker.index() {
///     0 => Err("no"),
///     _ => Ok(green::sleep(Duration::from_secs(60))),
/// });
/// assert_eq!(error.unwrap_err().to_string(), "worker 0 failed: no");
/// ```
pub fn workers<R: WorkerOutcome>(
    count: impl Into<WorkersBuilder>,
    f: impl Fn(Worker) -> R + Send + Sync + 'static,
) -> Result<Vec<R::Value>, WorkersError<R::Error>> {
    count.into().launch(f)?.join()
}
