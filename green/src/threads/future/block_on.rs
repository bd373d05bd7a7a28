//! From green to async: a greenthread waits for a future.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::primitives::local_or_shared::Unwinding;
use crate::runtime::{Parker, Runtime, Wake};
use crate::{GreenThread, spawn as spawn_greenthread};

/// Runs a future to its end in the calling greenthread. While it waits, the other greenthreads run.
///
/// It is polled on the greenthread's own stack, so it may wait in both ways: async code awaits, and what it calls may
/// block as any other code of a greenthread does. Calls nest, and so do other runtimes: within a thread of tokio, for
/// one, this blocks that thread, as every call that waits does.
///
/// The waker may be used by any thread, at any time, any number of times. A future that wakes itself goes to the end
/// of the run queue.
///
/// A kill and the deadline of a [`Timeout`](crate::Timeout) arrive where the future waits: they drop it and unwind.
///
/// If the future waits, and nobody has kept its waker, it counts as every other wait that can never end: where there
/// is nothing else that the thread waits for, the thread's own greenthread panics with a report. Who keeps a waker in
/// another thread is trusted to use it.
///
/// # Panics
/// As the future does. And if it would have to wait while the thread unwinds: destructors call [`try_block_on`].
///
/// ```
/// use std::time::Duration;
/// use green::future::{block_on, sleep};
///
/// let other = green::spawn(|| "meanwhile");
/// let value = block_on(async {
///     sleep(Duration::from_millis(1)).await;
///     assert!(other.is_dead());
///     other.await
/// });
/// assert_eq!(value.unwrap(), "meanwhile");
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    match drive(pin!(future)) {
        Ok(value) => value,
        Err(Unwinding) => panic!(
            "block_on: the future is not ready, and {Unwinding}; in a destructor call try_block_on"
        ),
    }
}

/// As [`block_on`], for code that may run while the thread unwinds, such as destructors.
///
/// # Errors
/// [`Unwinding`] if the future would have to wait while the thread unwinds. It has been polled once, and is dropped.
///
/// ```
/// use green::future::try_block_on;
///
/// struct Connection;
/// impl Drop for Connection {
///     fn drop(&mut self) {
///         let parting = async { /* say goodbye, and wait for the answer */ };
///         if let Err(error) = try_block_on(parting) {
///             eprintln!("left without a word: {error}");
///         }
///     }
/// }
/// drop(Connection);
/// ```
pub fn try_block_on<F: Future>(future: F) -> Result<F::Output, Unwinding> {
    drive(pin!(future))
}

fn drive<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, Unwinding> {
    Runtime::with(|runtime| {
        // As a call on a socket: a loop of futures that are always ready must starve nobody.
        runtime.spend();
        let mut parker = Parker::new(runtime);
        loop {
            let mut cx = Context::from_waker(parker.waker(runtime));
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return Ok(value);
            }
            match parker.park(runtime) {
                Wake::Event | Wake::Again | Wake::Expired => {}
                Wake::Unwinding => return Err(Unwinding),
                Wake::Interrupted(interrupt) => interrupt.raise(),
            }
        }
    })
}

/// Runs a future in a new greenthread. The handle is both: a greenthread to join or kill, and a future of its value.
///
/// # Panics
/// As [`spawn`](crate::spawn).
///
/// ```
/// use green::future::{block_on, spawn};
///
/// let one = spawn(async { 1 });
/// let two = spawn(async { 2 });
/// let sum = block_on(async { one.await.unwrap() + two.await.unwrap() });
/// assert_eq!(sum, 3);
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> GreenThread<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_greenthread(|| block_on(future))
}
