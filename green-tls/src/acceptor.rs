//! The server's side.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::Ticketer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::certificates::Certificates;
use crate::identity::{add_roots, invalid, provider, read};
use crate::{HANDSHAKE_TIMEOUT, Identity};

/// What a server needs: its certificates, and what it asks of its clients. Cheap to clone; clones share everything.
///
/// ```
/// use green_tls::{Acceptor, Identity};
/// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
///
/// let acceptor = Acceptor::builder(Identity::from_pem(&certificate, &key)?)
///     .alpn(["h2", "http/1.1"])
///     .handshake_timeout(std::time::Duration::from_secs(5))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    /// `None` for a configuration made elsewhere.
    certificates: Option<Arc<Certificates>>,
    timeout: Duration,
}

impl Acceptor {
    /// A server with one certificate, which lets every client in and agrees on no protocol.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn new(identity: Identity) -> io::Result<Acceptor> {
        Acceptor::builder(identity).build()
    }

    /// Choices for a server that has this certificate. The first certificate is the one for clients that ask for no
    /// name, or for one that no certificate is for.
    pub fn builder(identity: Identity) -> AcceptorBuilder {
        AcceptorBuilder {
            identities: vec![identity],
            alpn: Vec::new(),
            timeout: HANDSHAKE_TIMEOUT,
            client_roots: None,
            optional: false,
        }
    }

    /// Replaces all certificates while the server runs: connections from now on get these, and those that are open
    /// stay as they are. It may be called in any OS thread.
    ///
    /// # Errors
    /// If there are none, or the acceptor was made from a configuration of rustls, which has its own.
    ///
    /// ```
    /// use green_tls::{Acceptor, Identity};
    /// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    ///
    /// let acceptor = Acceptor::new(Identity::from_pem(&certificate, &key)?)?;
    /// // Later, when the certificate was renewed:
    /// acceptor.replace([Identity::from_pem(&certificate, &key)?])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace(&self, identities: impl IntoIterator<Item = Identity>) -> io::Result<()> {
        let identities: Vec<_> = identities.into_iter().collect();
        if identities.is_empty() {
            return Err(invalid(
                "a TLS server needs at least one certificate".to_owned(),
            ));
        }
        let Some(certificates) = &self.certificates else {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this acceptor was made from a rustls::ServerConfig: replace what its certificate resolver gives",
            ));
        };
        certificates.replace(identities);
        Ok(())
    }

    pub(crate) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl From<Arc<ServerConfig>> for Acceptor {
    /// Takes a configuration of rustls, for what the builder does not offer. The handshake may take ten seconds.
    fn from(config: Arc<ServerConfig>) -> Acceptor {
        Acceptor {
            config,
            certificates: None,
            timeout: HANDSHAKE_TIMEOUT,
        }
    }
}

/// Choices for an [`Acceptor`].
///
/// ```
/// use std::time::Duration;
/// use green_tls::{Acceptor, Identity};
/// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
/// # let authorities = std::env::temp_dir().join(format!("green-tls-doc-{}", std::process::id()));
/// # std::fs::write(&authorities, &certificate)?;
///
/// let shop = Identity::from_pem(&certificate, &key)?;
/// # let other = shop.clone();
/// let acceptor = Acceptor::builder(shop)
///     .identity(other) // for clients that ask for one of its names
///     .alpn(["http/1.1"])
///     .handshake_timeout(Duration::from_secs(5))
///     .require_client_certificates_of_file(&authorities)?
///     .client_certificates_are_optional()
///     .build()?;
/// # std::fs::remove_file(authorities)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct AcceptorBuilder {
    identities: Vec<Identity>,
    alpn: Vec<Vec<u8>>,
    timeout: Duration,
    client_roots: Option<RootCertStore>,
    optional: bool,
}

impl AcceptorBuilder {
    /// Adds a certificate for other names. A client gets the one for the name that it asks for (SNI): a name counts
    /// before a wildcard, and of several for one name the first whose key the client understands.
    pub fn identity(mut self, identity: Identity) -> AcceptorBuilder {
        self.identities.push(identity);
        self
    }

    /// Sets the application protocols (ALPN), the favourite first. A client that offers some, but none of these, is
    /// refused.
    pub fn alpn<P: Into<Vec<u8>>>(
        mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> AcceptorBuilder {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how long a handshake may take, by default ten seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> AcceptorBuilder {
        self.timeout = timeout;
        self
    }

    /// Requires of every client a certificate that one of these authorities (PEM) has issued.
    ///
    /// # Errors
    /// If the text holds no certificate.
    ///
    /// ```
    /// use green_tls::{Acceptor, Connector, Identity, wrap};
    /// # let server = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let client = rcgen::generate_simple_self_signed(["a client".to_owned()])?;
    /// # let pair = |certified: &rcgen::CertifiedKey<rcgen::KeyPair>| {
    /// #     (certified.cert.pem(), certified.signing_key.serialize_pem())
    /// # };
    /// # let ((certificate, key), (client_certificate, client_key)) = (pair(&server), pair(&client));
    ///
    /// let acceptor = Acceptor::builder(Identity::from_pem(&certificate, &key)?)
    ///     .require_client_certificates(&client_certificate)?
    ///     .build()?;
    /// let connector = Connector::builder()
    ///     .roots_from_pem(&certificate)?
    ///     .identity(Identity::from_pem(&client_certificate, &client_key)?)
    ///     .build()?;
    /// let (near, far) = green::net::UnixStream::pair()?;
    /// let client = green::spawn(move || wrap(near, (&connector, "localhost")).unwrap().handshake());
    /// let far = wrap(far, &acceptor)?;
    /// far.handshake()?;
    /// assert_eq!(far.peer_certificates().unwrap().len(), 1);
    /// # client.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn require_client_certificates(
        mut self,
        authorities: impl AsRef<[u8]>,
    ) -> io::Result<AcceptorBuilder> {
        let roots = self.client_roots.get_or_insert_with(RootCertStore::empty);
        add_roots(roots, authorities.as_ref())?;
        Ok(self)
    }

    /// As [`require_client_certificates`](AcceptorBuilder::require_client_certificates), from a PEM file.
    ///
    /// # Errors
    /// If the file cannot be read or holds no certificate.
    pub fn require_client_certificates_of_file(
        self,
        authorities: impl AsRef<Path>,
    ) -> io::Result<AcceptorBuilder> {
        self.require_client_certificates(read(authorities.as_ref())?)
    }

    /// Lets clients without a certificate in too: a certificate that they do show is checked.
    pub fn client_certificates_are_optional(mut self) -> AcceptorBuilder {
        self.optional = true;
        self
    }

    /// Makes the acceptor.
    ///
    /// # Errors
    /// If the system gives no random numbers, or client certificates are optional and no authority was named.
    pub fn build(self) -> io::Result<Acceptor> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = match self.client_roots {
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(
                    Arc::new(roots),
                    Arc::clone(provider()),
                );
                let verifier = match self.optional {
                    true => verifier.allow_unauthenticated(),
                    false => verifier,
                };
                let verifier = verifier
                    .build()
                    .map_err(|error| invalid(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
            None if self.optional => {
                return Err(invalid(
                    "optional client certificates need the authorities that may issue them: call \
                     require_client_certificates too"
                        .to_owned(),
                ));
            }
            None => builder.with_no_client_auth(),
        };
        let certificates = Arc::new(Certificates::new(self.identities));
        let mut config = builder.with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = self.alpn;
        // What a session needs to be resumed is kept by the client: nothing grows here.
        config.ticketer = Ticketer::new().map_err(io::Error::other)?;
        Ok(Acceptor {
            config: Arc::new(config),
            certificates: Some(certificates),
            timeout: self.timeout,
        })
    }
}
