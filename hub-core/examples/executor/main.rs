//! cargo run -p hub-core --example executor [epoll|poll|select|polling]
//!
//! An executor of futures whose reactor is a hub, in two files: `executor.rs` runs futures and has
//! timers, `adapter.rs` gives any descriptor futures-io's `AsyncRead` and `AsyncWrite`. What is
//! written for these traits runs on any hub then, here the combinators of futures-lite.

mod adapter;
mod executor;
#[path = "../hubs/mod.rs"]
mod hubs;

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt, future, io::copy};

use adapter::Async;
use executor::Executor;

const CLIENTS: usize = 20;
const LENGTH: usize = 300_000;

fn main() -> io::Result<()> {
    let executor = Executor::new(hubs::argument(1, "poll")?)?;
    let program = async {
        sockets(&executor).await?;
        pipes(&executor).await?;
        timeouts(&executor).await?;
        threads().await;
        io::Result::Ok(())
    };
    executor.block_on(program)??;
    let hub = executor.hub_name();
    println!("{hub}: {CLIENTS} clients, a pipe, a timeout, a thread");
    Ok(())
}

/// An echo server and its clients, each connection a task.
async fn sockets(executor: &Executor) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let listener = Async::new(executor, listener)?;
    let mut ends = Vec::new();
    for number in 0..CLIENTS {
        let client = Async::new(executor, TcpStream::connect(address)?)?;
        let (stream, _) = listener.read_with(|listener| listener.accept()).await?;
        let stream = Async::new(executor, stream)?;
        drop(executor.spawn(async move { copy(&stream, &stream).await }));
        ends.push(executor.spawn(async move {
            let words = vec![number as u8; LENGTH];
            let mut answer = vec![0; LENGTH];
            let write = async { (&client).write_all(&words).await };
            let read = async { (&client).read_exact(&mut answer).await };
            future::try_zip(write, read).await?;
            client.shutdown(Shutdown::Write)?;
            assert!(answer == words);
            io::Result::Ok(())
        }));
    }
    for end in ends {
        end.await?;
    }
    Ok(())
}

/// What is no socket: the two ends of a pipe.
async fn pipes(executor: &Executor) -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    let reader = Async::new(executor, reader)?;
    let writer = Async::new(executor, writer)?;
    let writes = executor.spawn(async move { (&writer).write_all(&[7; LENGTH]).await });
    let mut bytes = Vec::new();
    (&reader).read_to_end(&mut bytes).await?;
    writes.await?;
    assert!(bytes == [7; LENGTH]);
    Ok(())
}

/// A read that gives up: the loser of the two is dropped, which is all there is to do.
async fn timeouts(executor: &Executor) -> io::Result<()> {
    let (reader, _writer) = io::pipe()?;
    let reader = Async::new(executor, reader)?;
    let (start, timeout) = (Instant::now(), Duration::from_millis(20));
    let read = async { (&reader).read(&mut [0; 1]).await.map(Some) };
    let elapsed = async {
        executor.sleep_until(start + timeout).await;
        Ok(None)
    };
    assert_eq!(future::or(read, elapsed).await?, None);
    assert!(start.elapsed() >= timeout);
    Ok(())
}

/// A future that another thread completes while this one waits in the hub.
async fn threads() {
    let (tell, told) = mpsc::channel();
    let mut tell = Some(tell);
    let word = future::poll_fn(|context| {
        if let Some(tell) = tell.take() {
            let waker = context.waker().clone();
            thread::spawn(move || {
                let _ = tell.send("word");
                waker.wake();
            });
        }
        told.try_recv().map_or(Poll::Pending, Poll::Ready)
    });
    assert_eq!(word.await, "word");
}
