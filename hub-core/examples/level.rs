//! cargo run -p hub-core --example level [epoll|poll|select|polling]
//!
//! A level-triggered user: a pump from one socket into another, with one small buffer. It waits for
//! what it can do next, reading while the buffer is empty and writing while it is not, so that a
//! slow receiver holds back a fast sender. It makes one system call for each report: what is still
//! ready comes again.

mod hubs;

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use hub_core::{Hub, Interest, Token, Trigger};

const SOURCE: Token = Token::from_raw(0);
const SINK: Token = Token::from_raw(1);

/// Copies until the stream ends; says how much.
fn pump(hub: &mut dyn Hub, mut source: &UnixStream, mut sink: &UnixStream) -> io::Result<usize> {
    source.set_nonblocking(true)?;
    sink.set_nonblocking(true)?;
    hub.add(source.as_fd(), SOURCE, Trigger::Level)?;
    hub.add(sink.as_fd(), SINK, Trigger::Level)?;
    hub.arm(source.as_fd(), SOURCE, Interest::READ)?;
    let (mut buffer, mut pending, mut total) = ([0; 4096], 0..0, 0);
    let mut events = Vec::new();
    'copying: loop {
        hub.wait(None, &mut events)?;
        for event in events.drain(..) {
            match event.token {
                SOURCE => match source.read(&mut buffer)? {
                    0 => break 'copying,
                    count => pending = 0..count,
                },
                _ => {
                    let count = sink.write(&buffer[pending.clone()])?;
                    pending.start += count;
                    total += count;
                }
            }
            // `arm` replaces what was armed, and NONE is silent.
            let (reads, writes) = match pending.is_empty() {
                true => (Interest::READ, Interest::NONE),
                false => (Interest::NONE, Interest::WRITE),
            };
            hub.arm(source.as_fd(), SOURCE, reads)?;
            hub.arm(sink.as_fd(), SINK, writes)?;
        }
    }
    hub.remove(source.as_fd(), SOURCE)?;
    hub.remove(sink.as_fd(), SINK)?;
    Ok(total)
}

fn main() -> io::Result<()> {
    let mut hub = hubs::argument(1, "poll")?;
    let (mut sender, source) = UnixStream::pair()?;
    let (sink, mut receiver) = UnixStream::pair()?;
    let sending = thread::spawn(move || sender.write_all(&[7; 1_000_000]));
    let receiving = thread::spawn(move || {
        let mut bytes = Vec::new();
        receiver.read_to_end(&mut bytes).map(|_| bytes)
    });
    let total = pump(&mut *hub, &source, &sink)?;
    drop(sink);
    sending.join().expect("no panic")?;
    let bytes = receiving.join().expect("no panic")?;
    assert!(bytes.len() == total && bytes.iter().all(|&byte| byte == 7));
    println!("{}: {total} bytes", hub.name());
    Ok(())
}
