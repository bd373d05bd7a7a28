//! `echo-server KIND [ADDRESS]`: the same echo server on one runtime or another, on one thread.
//!
//! Prints `listening ADDRESS` when it is ready and serves until it is killed.

mod on_green;
mod on_may;
mod on_smol;
mod on_std;
mod on_tokio;
mod raw;
mod raw_epoll;
mod raw_poll;
mod raw_select;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use socket2::{Domain, Socket, Type};

/// What each server reads at once.
const BUFFER: usize = 32 * 1024;

type Serve = fn(TcpListener) -> io::Result<()>;

const KINDS: &[(&str, Serve)] = &[
    ("raw-epoll", raw_epoll::serve),
    ("raw-poll", raw_poll::serve),
    ("raw-select", raw_select::serve),
    ("tokio", on_tokio::serve),
    ("may", on_may::serve),
    ("smol", on_smol::serve),
    ("green", on_green::serve),
    ("green-shared", on_green::serve_sharing),
    ("std", on_std::serve),
    ("std-shared", on_std::serve_without_locals),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let address = arguments.next().unwrap_or("127.0.0.1:0".into());
    let Some((_, serve)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
        eprintln!(
            "usage: echo-server KIND [ADDRESS], KIND one of {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    };
    let result = listen(&address).and_then(|listener| {
        println!("listening {}", listener.local_addr()?);
        serve(listener)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-server {kind} on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A non-blocking listener with room for every connection of a benchmark to arrive at once.
fn listen(address: &str) -> io::Result<TcpListener> {
    peers::sys::raise_fd_limit()?;
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
