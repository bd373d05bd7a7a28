//! `http-server KIND [ADDRESS [DIRECTORY]]`: the same two pages on one HTTP server or another, or an echo of WebSocket
//! messages, on one thread.
//!
//! `/` is the 13 bytes `Hello, World!` and `/10k` is 10,240 bytes. A server of TLS takes `cert.pem` and `key.pem` from
//! the directory. Prints `listening ADDRESS` when it is ready and serves
//! until it is killed.

mod on_console;
mod on_green;
mod on_may;
mod on_tokio;
mod over_tls;
mod websocket;

use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;

/// Serves on the listener. The directory has the certificate and its key.
type Serve = fn(TcpListener, &Path) -> std::io::Result<()>;

const KINDS: &[(&str, Serve)] = &[
    ("hyper", |listener, _| on_tokio::hyper(listener)),
    ("axum", |listener, _| on_tokio::axum(listener)),
    ("may", |listener, _| on_may::serve(listener)),
    ("green", |listener, _| on_green::serve(listener)),
    ("green-axum", |listener, _| on_green::axum(listener)),
    ("green-console", |listener, _| on_console::unseen(listener)),
    ("green-always", |listener, _| on_console::always(listener)),
    ("green-recorded", |listener, _| {
        on_console::recorded(listener)
    }),
    ("hyper-tls", over_tls::hyper),
    ("green-tls", over_tls::green),
    ("tungstenite", |listener, _| {
        websocket::tungstenite(listener)
    }),
    ("green-ws", |listener, _| websocket::green(listener)),
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
    let directory = arguments.next().unwrap_or(".".into());
    let Some((_, serve)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
        eprintln!(
            "usage: http-server KIND [ADDRESS [DIRECTORY]], KIND one of {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    };
    let result = TcpListener::bind(&address).and_then(|listener| {
        println!("listening {}", listener.local_addr()?);
        serve(listener, Path::new(&directory))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http-server {kind} on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}
