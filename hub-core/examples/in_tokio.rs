//! cargo run -p hub-core --example in_tokio [epoll|polling]
//!
//! A reactor nested in tokio: one of its tasks, `drive`, waits for the hub's descriptor and gives
//! the reactor its turns. Other tasks wait for the reactor's descriptors and deadlines and are
//! tokio's in all else. poll and select have no descriptor and cannot be nested.

mod hubs;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use hub_core::{Direction, NotReady, Reactor};
use tokio::io::unix::AsyncFd;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout_at};

type Shared = Rc<RefCell<Reactor<Waker>>>;

/// Runs the reactor for as long as it is polled.
async fn drive(reactor: Shared) -> io::Result<()> {
    let descriptor = match reactor.borrow_mut().as_fd() {
        Some(descriptor) => descriptor.try_clone_to_owned()?,
        None => return Err(ErrorKind::Unsupported.into()),
    };
    // SAFETY: an `OwnedFd` has an open descriptor, and the same one for as long as it lives.
    let descriptor = unsafe { AsyncFd::register(descriptor)? };
    let mut woken = Vec::new();
    loop {
        let turn = reactor
            .borrow_mut()
            .turn(Some(Duration::ZERO), &mut woken)?;
        if woken.is_empty() && turn.reports == 0 {
            // Only now: tokio hears of news, not of what the hub has told only in part. A deadline
            // that another task adds meanwhile is news too.
            let deadline = reactor.borrow().next_deadline();
            let readable = descriptor.readable();
            match deadline {
                None => readable.await?.clear_ready(),
                Some(deadline) => match timeout_at(deadline.into(), readable).await {
                    Ok(guard) => guard?.clear_ready(),
                    Err(_elapsed) => {}
                },
            }
        }
        woken.drain(..).for_each(|wakeup| wakeup.waiter.wake());
        tokio::task::yield_now().await;
    }
}

/// Reads one word through the reactor.
async fn read(reactor: &Shared, stream: Rc<UnixStream>) -> io::Result<String> {
    stream.set_nonblocking(true)?;
    let token = reactor.borrow_mut().add(stream.clone())?;
    let mut buffer = [0; 64];
    let count = poll_fn(|context| {
        match (&*stream).read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
        let (mut reactor, read) = (reactor.borrow_mut(), Direction::Read);
        reactor.clear_ready(token, read, NotReady::WouldBlock);
        reactor.unpark(token, read, |_| true);
        let parked = reactor.park(token, read, context.waker().clone());
        parked.expect("it is registered, and nobody waits");
        Poll::Pending
    });
    let count = count.await?;
    reactor.borrow_mut().remove(token);
    Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

/// Sleeps by a timer of the reactor.
async fn pause(reactor: &Shared, duration: Duration) {
    let deadline = Instant::now() + duration;
    poll_fn(|context| {
        if deadline <= Instant::now() {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        reactor.borrow_mut().add_timer(deadline, waker);
        Poll::Pending
    })
    .await;
}

async fn program(reactor: Shared) -> io::Result<()> {
    let driver = spawn_local(drive(reactor.clone()));
    let mut readers = Vec::new();
    for number in 0..20 {
        let (mut near, far) = UnixStream::pair()?;
        let reactor = reactor.clone();
        readers.push(spawn_local(
            async move { read(&reactor, Rc::new(far)).await },
        ));
        spawn_local(async move {
            sleep(Duration::from_millis(number % 5)).await; // tokio's timer.
            write!(near, "word {number}")
        });
    }
    for (number, reader) in readers.into_iter().enumerate() {
        assert_eq!(reader.await??, format!("word {number}"));
    }
    sleep(Duration::from_millis(50)).await; // The driver sleeps too, and nothing is due.
    let (start, duration) = (Instant::now(), Duration::from_millis(20));
    pause(&reactor, duration).await;
    assert!(start.elapsed() >= duration);
    assert!(!driver.is_finished());
    Ok(())
}

fn main() -> io::Result<()> {
    let hub = hubs::argument(1, "polling")?;
    let name = hub.name();
    if hub.as_fd().is_none() {
        println!("{name} has no descriptor and cannot be nested in tokio");
        return Ok(());
    }
    let tokio = tokio::runtime::Builder::new_current_thread();
    let tokio = { tokio }.enable_all().build()?;
    let reactor = Rc::new(RefCell::new(Reactor::new(hub)));
    LocalSet::new().block_on(&tokio, program(reactor))?;
    println!("{name} in tokio: 20 words and a deadline");
    Ok(())
}
