//! `http-server KIND [ADDRESS]`: the same two pages on one HTTP server or another, on one thread.
//!
//! `/` is the 13 bytes `Hello, World!` and `/10k` is 10,240 bytes. Prints `listening ADDRESS` when it is ready and serves
//! until it is killed.

mod on_console;
mod on_green;
mod on_may;
mod on_tokio;

use std::net::TcpListener;
use std::process::ExitCode;

type Serve = fn(TcpListener) -> std::io::Result<()>;

const KINDS: &[(&str, Serve)] = &[
    ("hyper", on_tokio::hyper),
    ("axum", on_tokio::axum),
    ("may", on_may::serve),
    ("green", on_green::serve),
    ("green-axum", on_green::axum),
    ("green-console", on_console::unseen),
    ("green-always", on_console::always),
    ("green-recorded", on_console::recorded),
];

/// What `/10k` is.
fn ten_kilobytes() -> bytes::Bytes {
    bytes::Bytes::from(vec![b'x'; 10 * 1024])
}

/// The two pages as axum has them.
fn router() -> axum::Router {
    let page = ten_kilobytes();
    axum::Router::new()
        .route("/", axum::routing::get(|| async { "Hello, World!" }))
        .route("/10k", axum::routing::get(move || async move { page }))
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let address = arguments.next().unwrap_or("127.0.0.1:0".into());
    let Some((_, serve)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
        eprintln!(
            "usage: http-server KIND [ADDRESS], KIND one of {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    };
    let result = TcpListener::bind(&address).and_then(|listener| {
        println!("listening {}", listener.local_addr()?);
        serve(listener)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http-server {kind} on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}
