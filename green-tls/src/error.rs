//! What goes wrong, and what to do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

/// The other side of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// A client, of which nothing is known.
    Client,
    /// The server of this name.
    Server(String),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Client => f.write_str("a client"),
            Peer::Server(name) => f.write_str(name),
        }
    }
}

/// Why a TLS connection has failed: one of these is inside the [`io::Error`] that a call returns.
///
/// Its text says what to do. rustls' own error is its [`source`](Error::source).
///
/// ```
/// use std::io::Write;
/// use green_tls::{Connector, TlsFailure, TlsError, wrap};
///
/// let (near, mut far) = green::net::UnixStream::pair()?;
/// far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
/// let error = wrap(near, (&Connector::new()?, "localhost"))?.handshake().unwrap_err();
/// let error = TlsError::of(&error).expect("it is about TLS");
/// assert_eq!(error.failure(), TlsFailure::PlainHttp);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsError {
    peer: Peer,
    failure: TlsFailure,
    source: rustls::Error,
}

/// What kind of failure a [`TlsError`] is.
///
/// ```
/// use std::io;
/// use green_tls::{TlsError, TlsFailure};
///
/// /// True if a user may hear of it: the administrator of the server has something to do.
/// fn is_about_the_certificate(error: &io::Error) -> bool {
///     TlsError::of(error).is_some_and(|error| {
///         matches!(error.failure(), TlsFailure::Expired | TlsFailure::WrongName)
///     })
/// }
/// assert!(!is_about_the_certificate(&io::ErrorKind::ConnectionRefused.into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The peer speaks HTTP without TLS.
    PlainHttp,
    /// The peer speaks something else that is no TLS.
    NotTls,
    /// The peer's certificate has expired.
    Expired,
    /// The peer's certificate is not valid yet.
    NotYetValid,
    /// The server's certificate is for other names.
    WrongName,
    /// The peer's certificate comes from an authority that is not trusted here.
    UnknownAuthority,
    /// The peer's certificate is bad in another way.
    BadCertificate,
    /// The client shows no certificate although it must.
    CertificateRequired,
    /// The two sides have no application protocol in common (ALPN).
    NoCommonProtocol,
    /// The two sides have no version of TLS or no cipher in common.
    NothingInCommon,
    /// The peer has refused the connection, for the reason that it names.
    Refused,
    /// The peer breaks the rules of TLS, or the data was changed on its way.
    Broken,
}

impl TlsError {
    pub(crate) fn new(peer: &Peer, opening: &[u8], source: rustls::Error) -> TlsError {
        TlsError {
            peer: peer.clone(),
            failure: TlsFailure::of(opening, &source),
            source,
        }
    }

    /// What kind of failure it is.
    pub fn failure(&self) -> TlsFailure {
        self.failure
    }

    /// The `TlsError` inside an error of a [`TlsStream`](crate::TlsStream), if that is about TLS.
    pub fn of(error: &io::Error) -> Option<&TlsError> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

impl TlsFailure {
    fn of(opening: &[u8], error: &rustls::Error) -> TlsFailure {
        match error {
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::InvalidEmptyPayload,
            ) => TlsFailure::of_no_tls(opening),
            rustls::Error::InvalidCertificate(error) => TlsFailure::of_certificate(error),
            rustls::Error::NoCertificatesPresented => TlsFailure::CertificateRequired,
            rustls::Error::NoApplicationProtocol => TlsFailure::NoCommonProtocol,
            rustls::Error::PeerIncompatible(_) => TlsFailure::NothingInCommon,
            rustls::Error::AlertReceived(alert) => match alert {
                AlertDescription::NoApplicationProtocol => TlsFailure::NoCommonProtocol,
                AlertDescription::CertificateRequired => TlsFailure::CertificateRequired,
                _ => TlsFailure::Refused,
            },
            _ => TlsFailure::Broken,
        }
    }

    /// A record's head that is none. All methods of HTTP, and its answers, begin with a capital letter; no record does.
    fn of_no_tls(opening: &[u8]) -> TlsFailure {
        const STARTS: [&[u8]; 10] = [
            b"GET ",
            b"POST ",
            b"HEAD ",
            b"PUT ",
            b"DELETE ",
            b"OPTIONS ",
            b"PATCH ",
            b"CONNECT ",
            b"TRACE ",
            b"HTTP/",
        ];
        let http = |start: &&[u8]| {
            let shared = start.len().min(opening.len());
            shared > 2 && start[..shared] == opening[..shared]
        };
        match opening {
            [] => TlsFailure::Broken,
            // The first record was one, a later one is not.
            [20..=23, 3, ..] => TlsFailure::Broken,
            _ if STARTS.iter().any(http) => TlsFailure::PlainHttp,
            _ => TlsFailure::NotTls,
        }
    }

    fn of_certificate(error: &CertificateError) -> TlsFailure {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                TlsFailure::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsFailure::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFailure::WrongName
            }
            CertificateError::UnknownIssuer => TlsFailure::UnknownAuthority,
            _ => TlsFailure::BadCertificate,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the TLS connection with {} failed: ", self.peer)?;
        let is_server = matches!(self.peer, Peer::Client);
        let source = &self.source;
        match self.failure {
            TlsFailure::PlainHttp if is_server => f.write_str(
                "it sent plain HTTP to a TLS port; it must use an address that begins with https://",
            ),
            TlsFailure::PlainHttp => f.write_str(
                "it answered in plain HTTP, so this port is not for TLS; use http:// or another port",
            ),
            TlsFailure::NotTls => f.write_str(
                "its first bytes are no TLS; check that the port is right and that both sides use TLS",
            ),
            TlsFailure::Expired => write!(
                f,
                "{source}; its certificate must be renewed, unless the clock of this machine is wrong"
            ),
            TlsFailure::NotYetValid => {
                write!(f, "{source}; check the clocks of both machines")
            }
            TlsFailure::WrongName => write!(
                f,
                "{source}; connect by one of the names that its certificate is for, or have one issued for this name"
            ),
            TlsFailure::UnknownAuthority => write!(
                f,
                "{source}: its certificate comes from an authority that is not trusted here; add that authority's \
                 certificate to the roots, or have the peer send its intermediate certificates too"
            ),
            TlsFailure::BadCertificate => write!(f, "{source}"),
            TlsFailure::CertificateRequired if is_server => f.write_str(
                "it shows no certificate although this server requires one; give the client an identity",
            ),
            TlsFailure::CertificateRequired => f.write_str(
                "the server requires a certificate of its clients; give the connector an identity",
            ),
            TlsFailure::NoCommonProtocol => f.write_str(
                "the two sides have no application protocol in common; compare their lists for ALPN",
            ),
            TlsFailure::NothingInCommon => write!(f, "{source}; {}", incompatible(source)),
            TlsFailure::Refused => write!(f, "{source}; {}", refused(source, is_server)),
            TlsFailure::Broken => write!(f, "{source}"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

fn incompatible(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::PeerIncompatible(
            PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon,
        ) => "add a certificate with a key of a kind that the peer knows",
        _ => "TLS 1.2 and 1.3 are spoken here, with modern ciphers; update the peer",
    }
}

/// What a peer's alert asks for.
fn refused(error: &rustls::Error, is_server: bool) -> &'static str {
    let rustls::Error::AlertReceived(alert) = error else {
        return "the peer has refused the connection";
    };
    match (alert, is_server) {
        (AlertDescription::UnknownCA, true) => {
            "the client does not trust the authority of our certificate: send the intermediate certificates too, or \
             have the client add that authority to its roots"
        }
        (AlertDescription::CertificateExpired, true) => {
            "our certificate has expired: renew it and replace it here"
        }
        (AlertDescription::BadCertificate | AlertDescription::CertificateUnknown, true) => {
            "the client does not accept our certificate: its name and its dates must fit"
        }
        (AlertDescription::UnknownCA, false) => {
            "the server does not trust the authority of our client certificate"
        }
        (AlertDescription::UnrecognisedName, false) => {
            "the server has no certificate for the name that was asked for"
        }
        (AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion, _) => {
            "the two sides have no version or cipher of TLS in common"
        }
        _ => "the peer has refused the connection",
    }
}

/// The end of a connection that nobody has announced.
pub(crate) fn truncated() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the TLS connection ended without close_notify: what came before may have been cut off",
    )
}

pub(crate) fn interrupted_handshake(peer: &Peer) -> io::Error {
    let text = format!("{peer} closed the connection during the TLS handshake");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

pub(crate) fn late_handshake(peer: &Peer, timeout: Duration) -> io::Error {
    let text = format!("the TLS handshake with {peer} took longer than {timeout:?}");
    io::Error::new(io::ErrorKind::TimedOut, text)
}

pub(crate) fn unwinding(what: &str) -> io::Error {
    let text = format!("cannot {what} while the thread unwinds: another greenthread is doing it");
    io::Error::new(io::ErrorKind::WouldBlock, text)
}
