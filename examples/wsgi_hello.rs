//! cargo run --release -p examples --features servers --example wsgi_hello -- 127.0.0.1:8090 [HUB]
//!
//! eventlet's wsgi.py: anything but `/` is not found.

use std::error::Error;
use std::time::Duration;

use green::signal::{SIGINT, SIGTERM};
use green_http::{Body, Request, Response, Server, StatusCode};

fn hello_world(request: Request<Body>) -> Response {
    if request.uri().path() != "/" {
        return (StatusCode::NOT_FOUND, "Not Found\r\n").into();
    }
    Response::new("Hello, World!\r\n")
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8090".into());
    if let Some(hub) = std::env::args().nth(2) {
        green::hubs::use_hub(&hub)?;
    }
    let server = Server::new(hello_world).log(|record| println!("{}", record.common_log(true)));
    server
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    server.serve(listener)?;
    Ok(())
}
