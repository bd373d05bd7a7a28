//! cargo run -p hub-core --example oneshot [epoll|poll|select|polling]
//!
//! A one-shot user: one thread waits, others work. A connection that has something to say is
//! reported once and is then silent, so that no two workers get it; the worker hands it back, and
//! the hub is armed again. If more has arrived meanwhile that is a report at once.

mod hubs;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use hub_core::{Interest, Token, Trigger, WakeFd};

const CLIENTS: usize = 20;
const WORDS: usize = 50;
const WORKERS: usize = 4;

/// The bell of the workers; the tokens of the connections are their numbers.
const BELL: Token = Token::from_raw(u64::MAX);

/// Answers what is there now. False at the end of the stream.
fn work(mut stream: &UnixStream) -> io::Result<bool> {
    let mut buffer = [0; 64];
    let count = stream.read(&mut buffer)?;
    stream.write_all(&buffer[..count])?;
    Ok(count > 0)
}

fn main() -> io::Result<()> {
    let mut hub = hubs::argument(1, "poll")?;
    let wake_fd = WakeFd::new()?;
    hub.add(wake_fd.as_fd(), BELL, Trigger::Level)?;
    hub.arm(wake_fd.as_fd(), BELL, Interest::READ)?;

    let (give, jobs) = mpsc::channel::<(usize, UnixStream)>();
    let jobs = Arc::new(Mutex::new(jobs));
    let (hand_back, done) = mpsc::channel();
    for _ in 0..WORKERS {
        let (jobs, hand_back, waker) = (jobs.clone(), hand_back.clone(), wake_fd.waker());
        thread::spawn(move || {
            let next = || jobs.lock().ok()?.recv().ok();
            while let Some((number, stream)) = next() {
                let goes_on = work(&stream);
                let _ = hand_back.send((number, stream, goes_on));
                waker.wake(); // After the message: who hears the bell finds it.
            }
        });
    }

    let mut idle = Vec::new(); // Connections that no worker has.
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let (near, far) = UnixStream::pair()?;
        let token = Token::from_raw(number as u64);
        hub.add(near.as_fd(), token, Trigger::Oneshot)?;
        hub.arm(near.as_fd(), token, Interest::READ)?;
        idle.push(Some(near));
        clients.push(thread::spawn(move || talk(far, number)));
    }

    let (mut open, mut reports, mut events) = (CLIENTS, 0, Vec::new());
    while open > 0 {
        hub.wait(None, &mut events)?;
        for event in events.drain(..) {
            if event.token == BELL {
                wake_fd.reset();
                continue;
            }
            let number = event.token.into_raw() as usize;
            let stream = idle[number]
                .take()
                .expect("reported once for each time armed");
            reports += 1;
            give.send((number, stream)).expect("workers wait for more");
        }
        for (number, stream, goes_on) in done.try_iter() {
            let token = Token::from_raw(number as u64);
            match goes_on? {
                true => {
                    hub.arm(stream.as_fd(), token, Interest::READ)?;
                    idle[number] = Some(stream);
                }
                false => {
                    hub.remove(stream.as_fd(), token)?;
                    open -= 1;
                }
            }
        }
    }
    for client in clients {
        client.join().expect("no panic")?;
    }
    assert!(reports >= CLIENTS * (WORDS + 1), "each word, and the end");
    println!("{}: {CLIENTS} clients, {WORDS} words each", hub.name());
    Ok(())
}

fn talk(mut stream: UnixStream, client: usize) -> io::Result<()> {
    let mut answers = BufReader::new(stream.try_clone()?).lines();
    for number in 0..WORDS {
        let word = format!("{client} says {number}");
        writeln!(stream, "{word}")?;
        assert_eq!(answers.next().transpose()?, Some(word));
    }
    Ok(())
}
