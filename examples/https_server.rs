//! cargo run --release -p examples --features servers --example https_server -- 127.0.0.1:8443 cert.pem key.pem [HUB]
//!
//! A server of HTTP/1.1 and HTTP/2 over TLS. A certificate to play with: `openssl req -x509 -newkey ec -pkeyopt
//! ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -subj /CN=localhost -addext
//! subjectAltName=DNS:localhost`. SIGTERM drains it.

use std::error::Error;
use std::time::Duration;

use green::signal::{SIGINT, SIGTERM};
use green_http::{Response, Server};
use green_tls::{Acceptor, Identity, TlsListener};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (address, certificates, key) = match &*arguments {
        [address, certificates, key] => (address, certificates, key),
        [address, certificates, key, hub] => {
            green::hubs::use_hub(hub)?;
            (address, certificates, key)
        }
        _ => return Err("usage: https_server ADDRESS CERTIFICATES KEY [HUB]".into()),
    };
    let identity = Identity::from_files(certificates, key)?;
    let acceptor = Acceptor::builder(identity)
        .alpn(["h2", "http/1.1"])
        .build()?;
    let server =
        Server::new(|_| Response::new("Hello, World!").with_header("content-type", "text/plain"));
    server
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    let listener = TlsListener::new(green::listen(&**address)?, acceptor);
    println!("listening on {}", listener.get_ref().local_addr()?);
    server.serve(listener)?;
    Ok(())
}
