//! Servers that answer after a while: plain std::net, but for `green::spawn`, and plain threads in a program that is not
//! patched.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::sleep;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::OPERATION;

/// Serves each connection by `answer` in a greenthread of its own.
fn serve(
    answer: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // A client that breaks off is its own affair.
            spawn(move || drop(answer(stream)));
        }
    });
    Ok(address)
}

fn spawn(f: impl FnOnce() + Send + 'static) {
    match green_patch::is_monkey_patched("socket") {
        true => drop(green::spawn(f)),
        false => drop(std::thread::spawn(f)),
    }
}

/// Gives back four bytes.
pub(crate) fn echo() -> io::Result<SocketAddr> {
    serve(|mut stream| {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        sleep(OPERATION);
        stream.write_all(&bytes)
    })
}

/// A page that takes a while.
pub(crate) fn http() -> io::Result<SocketAddr> {
    serve(|mut stream| {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        while lines
            .next()
            .transpose()?
            .is_some_and(|line| !line.is_empty())
        {}
        sleep(OPERATION);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
    })
}

/// Gives back four bytes, under TLS; and what a client trusts.
pub(crate) fn tls() -> Result<(SocketAddr, rustls::RootCertStore), Box<dyn std::error::Error>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der())?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(own.cert.der().clone())?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)?;
    let config = Arc::new(config);
    let address = serve(move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, stream);
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        sleep(OPERATION);
        stream.write_all(&bytes)?;
        stream.flush()
    })?;
    Ok((address, roots))
}

/// Gives back one message.
pub(crate) fn websocket() -> io::Result<SocketAddr> {
    serve(|stream| {
        let mut socket = tungstenite::accept(stream).map_err(io::Error::other)?;
        let message = socket.read().map_err(io::Error::other)?;
        sleep(OPERATION);
        socket.send(message).map_err(io::Error::other)
    })
}
