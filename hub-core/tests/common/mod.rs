//! The hubs of this workspace, for tests that run on each of them

#![allow(dead_code)] // Not every test needs everything.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use hub_core::Hub;

pub(crate) type Make = fn() -> io::Result<Box<dyn Hub>>;

pub(crate) const HUBS: [(&str, Make); 4] = [
    ("epoll", || Ok(Box::new(hub_epoll::Epoll::new()?))),
    ("poll", || Ok(Box::new(hub_poll::Poll::new()?))),
    ("select", || Ok(Box::new(hub_select::Select::new()?))),
    ("polling", || Ok(Box::new(hub_polling::Polling::new()?))),
];

/// Runs a test on each hub; a failure names it.
pub(crate) fn on_each_hub(test: fn(Make)) {
    for (name, make) in HUBS {
        println!("on {name}:");
        test(make);
    }
}

pub(crate) fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

pub(crate) fn write(mut socket: &UnixStream, text: &str) {
    socket.write_all(text.as_bytes()).unwrap();
}

/// Reads until it would block or the stream ends; says how much there was.
pub(crate) fn drain(mut socket: &UnixStream) -> usize {
    let (mut total, mut buffer) = (0, [0; 4096]);
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return total,
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return total,
            Err(error) => panic!("reading: {error}"),
        }
    }
}
