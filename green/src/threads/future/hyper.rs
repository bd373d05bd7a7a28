//! hyper's I/O traits, its timer and its executor.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{self, Read, ReadBufCursor, Write};

use super::streams::for_streams;
use super::{Sleep, block_on, sleep, sleep_until};
use crate::net::retry::Transfer;
use crate::net::{HasIo, Shutdown};
use crate::runtime::{Runtime, ThreadState};

/// What is read goes through a buffer of this size, one for each thread: hyper lends memory that is not initialised,
/// and safe code cannot read into that.
const SCRATCH: usize = 64 * 1024;

macro_rules! implement {
    ($stream:ty) => {
        impl Read for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                mut buf: ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                let read = |scratch: &mut [u8]| {
                    let wanted = buf.remaining().min(SCRATCH);
                    let into = Transfer::Read(&mut scratch[..wanted]);
                    let read = ready!(self.io().poll_transfer(cx, into))?;
                    buf.put_slice(&scratch[..read]);
                    Poll::Ready(Ok(()))
                };
                with_scratch(read)
            }
        }

        impl Write for $stream {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.io().poll_transfer(cx, Transfer::Write(buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.io().poll_transfer(cx, Transfer::WriteVectored(bufs))
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Shuts the writing half down.
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.shutdown_safe(Shutdown::Write))
            }
        }
    };
}

for_streams!(implement);

/// The buffer of a thread.
#[derive(Default)]
struct Scratch(Cell<Vec<u8>>);

impl ThreadState for Scratch {}

fn with_scratch<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    let buffer = Runtime::with(Runtime::state::<Scratch>);
    let mut scratch = buffer.0.take();
    scratch.resize(SCRATCH, 0);
    let result = f(&mut scratch);
    buffer.0.set(scratch);
    result
}

/// hyper's timer, on this thread's hub: for `http1::Builder::timer`.
///
/// ```
/// use hyper::rt::Timer as _;
///
/// let start = std::time::Instant::now();
/// green::future::block_on(green::future::Timer.sleep(std::time::Duration::from_millis(3)));
/// assert!(start.elapsed().as_millis() >= 3);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl rt::Sleep for Sleep {}

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(sleep(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(sleep_until(deadline))
    }

    fn now(&self) -> Instant {
        crate::time::now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(sleep) => sleep.get_mut().reset(deadline),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

/// hyper's executor: each future gets a greenthread.
///
/// # Panics
/// `execute`, as [`spawn`](crate::spawn).
///
/// ```
/// use hyper::rt::Executor as _;
///
/// green::future::Executor.execute(async { println!("in a greenthread") });
/// green::yield_now();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F: Future + 'static> rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        crate::spawn_n(|| drop(block_on(future)));
    }
}
