//! `std-server KIND [ADDRESS]`: plain std under green-patch, on the hub that GREEN_HUB names: what a server for threads is,
//! but for `green::spawn`.
//!
//! It is a package of its own, since every server in a program with green-patch calls libc through it, and greenlets that
//! can have thread-locals of their own find the thread's state by one step more.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

use peers::server::{BUFFER, Kind, run};

const KINDS: &[Kind] = &[("std", serve), ("std-shared", serve_without_locals)];

fn main() -> ExitCode {
    run("std-server", KINDS)
}

fn serve(listener: TcpListener) -> io::Result<()> {
    green_patch::monkey_patch().map_err(io::Error::from)?;
    serve_patched(listener)
}

/// As `serve`, with the thread-locals of the thread for all: nothing but descriptors and time is patched.
fn serve_without_locals(listener: TcpListener) -> io::Result<()> {
    let flags = green_patch::Flags {
        thread: false,
        ..green_patch::Flags::ALL
    };
    green_patch::monkey_patch_with(flags).map_err(io::Error::from)?;
    serve_patched(listener)
}

fn serve_patched(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    loop {
        let (stream, _) = listener.accept()?;
        green::spawn_n(|| drop(echo(stream)));
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let received = stream.read(&mut buffer)?;
        if received == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..received])?;
    }
}
