//! cargo run --release -p examples --features servers --example http_server -- 127.0.0.1:8000 [HUB]
//!
//! A server of HTTP/1.1: `/` says hello, `/10k` is ten kilobytes, `/echo` sends back what it gets. SIGTERM drains it.

use std::error::Error;
use std::time::Duration;

use green::signal::{SIGINT, SIGTERM};
use green_http::{Body, Bytes, Content, Request, Response, Server, StatusCode};

fn answer(request: Request<Body>, ten_kilobytes: &Bytes) -> Response {
    match request.uri().path() {
        "/" => Response::new("Hello, World!").with_header("content-type", "text/plain"),
        "/10k" => Response::new(ten_kilobytes.clone()),
        "/echo" => match request.body().remaining() {
            Some(length) => Response::new(Content::sized_reader(request.into_body(), length)),
            None => Response::new(Content::reader(request.into_body())),
        },
        _ => StatusCode::NOT_FOUND.into(),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    if let Some(hub) = std::env::args().nth(2) {
        green::hubs::use_hub(&hub)?;
    }
    let ten_kilobytes = Bytes::from(vec![b'x'; 10 * 1024]);
    let server = Server::new(move |request| answer(request, &ten_kilobytes)).connections(20_000);
    server
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    server.serve(listener)?;
    Ok(())
}
