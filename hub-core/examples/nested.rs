//! cargo run -p hub-core --example nested [OUTER [INNER]]
//!
//! A hub in a hub: the outer one watches the descriptor of the inner one, which is readable while
//! the inner one has something to report. epoll and polling can be the inner one, all can be the
//! outer one.

mod hubs;

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hub_core::{Hub, Interest, Token, Trigger};

const INNER: Token = Token::from_raw(100);

fn watch(hub: &mut dyn Hub, stream: &UnixStream, number: u64) -> io::Result<()> {
    let token = Token::from_raw(number);
    hub.add(stream.as_fd(), token, Trigger::Level)?;
    hub.arm(stream.as_fd(), token, Interest::READ)
}

fn main() -> io::Result<()> {
    let (mut outer, mut inner) = (hubs::argument(1, "poll")?, hubs::argument(2, "polling")?);
    let Some(descriptor) = inner.as_fd() else {
        let (inner, outer) = (inner.name(), outer.name());
        println!("{inner} in {outer}: {inner} has no descriptor and cannot be nested");
        return Ok(());
    };
    outer.add(descriptor, INNER, Trigger::Level)?;
    outer.arm(descriptor, INNER, Interest::READ)?;

    // The first pair is watched by the outer hub, the others by the inner one.
    let pairs = [
        UnixStream::pair()?,
        UnixStream::pair()?,
        UnixStream::pair()?,
    ];
    watch(&mut *outer, &pairs[0].1, 0)?;
    watch(&mut *inner, &pairs[1].1, 1)?;
    watch(&mut *inner, &pairs[2].1, 2)?;

    let mut heard = Vec::new();
    let (mut reports, mut ready) = (Vec::new(), Vec::new());
    for number in [2, 0, 1, 1] {
        (&pairs[number].0).write_all(b"x")?;
        outer.wait(None, &mut reports)?;
        for report in reports.drain(..) {
            match report.token {
                INNER => inner.wait(Some(Duration::ZERO), &mut ready)?,
                _ => ready.push(report),
            }
        }
        for event in ready.drain(..) {
            let number = event.token.into_raw() as usize;
            (&pairs[number].1).read_exact(&mut [0])?;
            heard.push(number);
        }
    }
    assert_eq!(heard, [2, 0, 1, 1]);
    outer.wait(Some(Duration::ZERO), &mut reports)?;
    assert_eq!(reports, [], "both have nothing more");
    println!("{} in {}: heard from {heard:?}", inner.name(), outer.name());
    Ok(())
}
