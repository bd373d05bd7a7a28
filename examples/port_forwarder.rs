//! cargo run --release -p examples --example port_forwarder -- 127.0.0.1:7000 127.0.0.1:6000
//!
//! Every connection to the first address is joined to a new one to the second. When one side has said all, the other
//! is told so and may still answer.

use std::error::Error;
use std::io;
use std::net::Shutdown;

use green::net::TcpStream;

fn forward(mut from: TcpStream, mut to: TcpStream) {
    if let Err(error) = io::copy(&mut from, &mut to) {
        eprintln!("forwarding: {error}");
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Write);
}

fn join(near: TcpStream, target: &str) -> io::Result<()> {
    let far = TcpStream::connect(target)?;
    let (near_too, far_too) = (near.try_clone()?, far.try_clone()?);
    // Both have a stack, or neither has: what is given up is closed.
    let there = green::Builder::new().spawn_n(move || forward(near, far))?;
    if let Err(error) = green::Builder::new().spawn_n(move || forward(far_too, near_too)) {
        there.kill();
        return Err(error);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("usage: port_forwarder LISTEN TARGET".into());
    };
    let listener = green::listen(address)?;
    println!("forwarding {} to {target}", listener.local_addr()?);
    for near in listener.incoming() {
        let near = near?;
        let target = target.clone();
        let joining = move || {
            let peer = near.peer_addr();
            if let Err(error) = join(near, &target) {
                eprintln!("{peer:?} to {target}: {error}");
            }
        };
        if let Err(error) = green::Builder::new().spawn_n(joining) {
            eprintln!("a connection is given up: {error}");
        }
    }
    Ok(())
}
