//! The same pages over TLS: green-tls, and tokio-rustls under hyper. Both on rustls with ring, with tickets that the
//! client keeps.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::{on_green, on_tokio};

pub fn green(listener: TcpListener, secrets: &Path) -> io::Result<()> {
    let identity =
        green_tls::Identity::from_files(secrets.join("cert.pem"), secrets.join("key.pem"))?;
    let acceptor = green_tls::Acceptor::new(identity)?;
    let listener = green::net::TcpListener::from(listener);
    let listener = green_tls::TlsListener::new(listener, acceptor);
    on_green::pages().serve(listener).map(drop)
}

fn config(secrets: &Path) -> io::Result<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(secrets.join("cert.pem"));
    let key = PrivateKeyDer::from_pem_file(secrets.join("key.pem")).map_err(io::Error::other)?;
    let certificates = vec![certificate.map_err(io::Error::other)?];
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(io::Error::other)?;
    config.ticketer = Ticketer::new().map_err(io::Error::other)?;
    Ok(config)
}

pub fn hyper(listener: TcpListener, secrets: &Path) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(config(secrets)?));
    on_tokio::block_on(async move {
        let listener = on_tokio::listening(listener)?;
        let page = super::ten_kilobytes();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (acceptor, page) = (acceptor.clone(), page.clone());
            tokio::task::spawn_local(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    on_tokio::pages(stream, page).await;
                }
            });
        }
    })
}
