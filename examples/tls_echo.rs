//! cargo run --release -p examples --features servers --example tls_echo -- 127.0.0.1:8443 cert.pem key.pem
//!
//! Sends back what comes, over TLS: try it with `openssl s_client -connect 127.0.0.1:8443 -quiet`. A certificate to
//! play with: `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem
//! -subj /CN=localhost -addext subjectAltName=DNS:localhost`. SIGHUP reads the two files again.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use green::net::TcpStream;
use green::server::StreamServer;
use green::signal::{SIGHUP, SIGINT, SIGTERM, Signals};
use green_tls::{Identity, TlsStream, listen_tls};

fn echo(mut stream: TlsStream<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return stream.shutdown(Shutdown::Write),
            read => stream.write_all(&buffer[..read])?,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, certificates, key] = &*arguments else {
        return Err("usage: tls_echo ADDRESS CERTIFICATES KEY".into());
    };
    let signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let listener = listen_tls(&**address, certificates, key)?;
    let acceptor = listener.acceptor().clone();
    let server = StreamServer::new(listener, |stream, peer| {
        if let Err(error) = echo(stream) {
            eprintln!("{peer}: {error}");
        }
    });
    server.start();
    println!("listening on {}", server.listener().get_ref().local_addr()?);

    while signals.wait()? == SIGHUP {
        match Identity::from_files(certificates, key) {
            Ok(identity) => acceptor.replace([identity])?,
            Err(error) => eprintln!("the certificate stays as it was: {error}"),
        }
    }
    server.stop(Duration::from_secs(5));
    Ok(())
}
