//! cargo run --release -p examples --features servers --example http2_server -- 127.0.0.1:8000 [HUB]
//!
//! HTTP/2 with prior knowledge, and HTTP/1.1, on one port; each stream is a greenthread, which may wait:
//!
//!     curl --http2-prior-knowledge http://127.0.0.1:8000/sleep/500

use std::error::Error;
use std::time::Duration;

use green::signal::{SIGINT, SIGTERM};
use green_http::{Body, Request, Response, Server, StatusCode};

fn answer(request: Request<Body>) -> Result<Response, Box<dyn Error>> {
    let path = request.uri().path().to_owned();
    if let Some(millis) = path.strip_prefix("/sleep/") {
        green::sleep(Duration::from_millis(millis.parse()?));
        return Ok(Response::new(format!("after {millis} ms\n")));
    }
    Ok(match path.as_str() {
        "/" => Response::new("Hello, World!").with_header("content-type", "text/plain"),
        "/version" => Response::new(format!("{:?}\n", request.version())),
        "/echo" => Response::new(request.into_body().into_bytes()?),
        _ => StatusCode::NOT_FOUND.into(),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    if let Some(hub) = std::env::args().nth(2) {
        green::hubs::use_hub(&hub)?;
    }
    let server = Server::new(answer);
    server
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    server.serve(listener)?;
    Ok(())
}
