//! What the programs have in common that serve an echo.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use socket2::{Domain, Socket, Type};

/// What each server reads at once.
pub const BUFFER: usize = 32 * 1024;

/// A kind of server: its name, and what serves until the process is killed.
pub type Kind = (&'static str, fn(TcpListener) -> io::Result<()>);

/// Serves as the arguments of the process say: `KIND [ADDRESS]`.
pub fn run(program: &str, kinds: &[Kind]) -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let address = arguments.next().unwrap_or("127.0.0.1:0".into());
    let Some((_, serve)) = kinds.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<_> = kinds.iter().map(|(name, _)| *name).collect();
        eprintln!(
            "usage: {program} KIND [ADDRESS], KIND one of {}",
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
            eprintln!("{program} {kind} on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A non-blocking listener with room for every connection of a benchmark to arrive at once.
fn listen(address: &str) -> io::Result<TcpListener> {
    crate::sys::raise_fd_limit()?;
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
