//! HTTP over TLS.

use std::any::Any;
use std::io;
use std::rc::Rc;

use green_tls::rustls::ProtocolVersion;
use green_tls::rustls::pki_types::CertificateDer;
use green_tls::{PollStream, TlsStream};

use crate::Transport;

/// What a handler may know of the encryption: [`RequestExt::security`](crate::RequestExt::security) gives it for a server
/// that listens by a [`TlsListener`](green_tls::TlsListener).
///
/// ```
/// use green_http::{Body, Request, RequestExt, Response, Server, TlsFacts};
///
/// # use green::server::Drained;
/// # fn serve(listener: green_tls::TlsListener<green::net::TcpListener>) -> std::io::Result<Drained> {
/// Server::new(|request: Request<Body>| {
///     let facts = request.security().and_then(|facts| facts.downcast::<TlsFacts>().ok());
///     let name = facts.and_then(|facts| facts.server_name.clone());
///     Response::new(format!("you have asked for {name:?}"))
/// })
/// .serve(listener)
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsFacts {
    /// The name that the client has asked for (SNI).
    pub server_name: Option<String>,
    /// The version that was agreed upon.
    pub version: Option<ProtocolVersion>,
    /// The client's certificates, its own first, if it was asked for them and has sent any.
    pub peer_certificates: Option<Vec<CertificateDer<'static>>>,
    /// True if the client has gone on with an earlier session.
    pub resumed: bool,
}

impl<S: Transport + PollStream + Unpin> Transport for TlsStream<S> {
    fn handshake(&mut self) -> io::Result<()> {
        TlsStream::handshake(self)
    }

    fn protocol(&self) -> Option<Vec<u8>> {
        self.alpn_protocol()
    }

    fn security(&self) -> Option<Rc<dyn Any>> {
        Some(Rc::new(TlsFacts {
            server_name: self.server_name(),
            version: self.protocol_version(),
            peer_certificates: self.peer_certificates(),
            resumed: self.is_resumed(),
        }))
    }

    fn prepare(&self) {
        self.get_ref().prepare();
    }
}
