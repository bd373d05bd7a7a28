//! cargo run -p examples --features integrations --example with_rustls
//!
//! rustls' own blocking streams over green sockets. What green-tls adds: reads and writes at once, deadlines, listeners.

use std::error::Error;
use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls::{Stream, StreamOwned};

fn main() -> Result<(), Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let chain = vec![made.cert.der().clone()];
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone())?;
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let listener = green::listen("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving = green::spawn(move || -> Result<(), Box<dyn Error + Send + Sync>> {
        let (mut stream, _peer) = listener.accept()?;
        let mut tls = ServerConnection::new(Arc::new(server))?;
        Stream::new(&mut tls, &mut stream).write_all(b"hello over TLS")?;
        Ok(())
    });
    let tls = ClientConnection::new(Arc::new(client), ServerName::try_from("localhost")?)?;
    let mut text = [0; 14];
    StreamOwned::new(tls, green::connect(address)?).read_exact(&mut text)?;
    println!("{}", std::str::from_utf8(&text)?);
    serving.join()?.map_err(|error| error as Box<dyn Error>)
}
