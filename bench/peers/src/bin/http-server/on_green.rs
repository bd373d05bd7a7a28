//! green-http as it comes: its limits, its deadlines and its guard are on.

use std::io;
use std::net::TcpListener;

use green_http::{Response, Server};

pub fn pages() -> Server {
    let page = super::ten_kilobytes();
    let server = Server::new(move |request| match request.uri().path() {
        "/10k" => Response::new(page.clone()),
        _ => Response::new("Hello, World!"),
    });
    server.connections(20_000)
}

pub fn serve(listener: TcpListener) -> io::Result<()> {
    run(pages(), listener)
}

pub fn axum(listener: TcpListener) -> io::Result<()> {
    run(Server::tower(super::router()), listener)
}

fn run(server: Server, listener: TcpListener) -> io::Result<()> {
    let listener = green::net::TcpListener::from(listener);
    server.connections(20_000).serve(listener).map(drop)
}
