//! The client's side.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};

use crate::identity::{add_roots, invalid, provider, read};
use crate::{HANDSHAKE_TIMEOUT, Identity};

/// What a client needs: whom it trusts, and who it is. Cheap to clone; clones share everything, the sessions that can
/// be resumed too.
///
/// Servers are always verified, and no switch turns that off. A program that must do without makes a
/// [`rustls::ClientConfig`] with a verifier of its own, from which a connector can be made.
///
/// ```
/// let connector = green_tls::Connector::new()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    timeout: Duration,
}

impl Connector {
    /// A client that trusts the authorities of the public web (those that Mozilla lists).
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn new() -> io::Result<Connector> {
        Connector::builder().build()
    }

    /// Choices for a client: whom it trusts, its certificate, its protocols.
    ///
    /// ```
    /// use green_tls::Connector;
    /// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let authority = certified.cert.pem();
    ///
    /// let connector = Connector::builder()
    ///     .roots_from_pem(&authority)? // trusts this authority and no other
    ///     .alpn(["http/1.1"])
    ///     .handshake_timeout(std::time::Duration::from_secs(5))
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> ConnectorBuilder {
        ConnectorBuilder {
            roots: None,
            identity: None,
            alpn: Vec::new(),
            timeout: HANDSHAKE_TIMEOUT,
        }
    }

    pub(crate) fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl From<Arc<ClientConfig>> for Connector {
    /// Takes a configuration of rustls, for what the builder does not offer. The handshake may take ten seconds.
    fn from(config: Arc<ClientConfig>) -> Connector {
        Connector {
            config,
            timeout: HANDSHAKE_TIMEOUT,
        }
    }
}

/// Choices for a [`Connector`].
///
/// ```
/// use std::time::Duration;
/// use green_tls::{Connector, Identity};
/// # let certified = rcgen::generate_simple_self_signed(["a client".to_owned()])?;
/// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
/// # let authority = certificate.clone();
///
/// let connector = Connector::builder()
///     .roots_from_pem(&authority)? // Without the next line it trusts this authority alone.
///     .public_roots()
///     .identity(Identity::from_pem(&certificate, &key)?) // for servers that ask for one
///     .alpn(["h2", "http/1.1"])
///     .handshake_timeout(Duration::from_secs(5))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ConnectorBuilder {
    roots: Option<RootCertStore>,
    identity: Option<Identity>,
    alpn: Vec<Vec<u8>>,
    timeout: Duration,
}

impl ConnectorBuilder {
    /// Trusts the authorities of this PEM text, instead of those of the public web. Called again it adds to them.
    ///
    /// # Errors
    /// If the text holds no certificate.
    pub fn roots_from_pem(mut self, text: impl AsRef<[u8]>) -> io::Result<ConnectorBuilder> {
        let roots = self.roots.get_or_insert_with(RootCertStore::empty);
        add_roots(roots, text.as_ref())?;
        Ok(self)
    }

    /// As [`roots_from_pem`](ConnectorBuilder::roots_from_pem), from a file.
    ///
    /// # Errors
    /// If the file cannot be read or holds no certificate.
    pub fn roots_from_file(self, path: impl AsRef<Path>) -> io::Result<ConnectorBuilder> {
        self.roots_from_pem(read(path.as_ref())?)
    }

    /// Trusts the authorities of the public web besides those that were added.
    pub fn public_roots(mut self) -> ConnectorBuilder {
        let roots = self.roots.get_or_insert_with(RootCertStore::empty);
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        self
    }

    /// Sets the certificate to show to servers that ask for one.
    pub fn identity(mut self, identity: Identity) -> ConnectorBuilder {
        self.identity = Some(identity);
        self
    }

    /// Sets the application protocols to offer (ALPN), the favourite first.
    pub fn alpn<P: Into<Vec<u8>>>(
        mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> ConnectorBuilder {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how long a handshake may take, by default ten seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> ConnectorBuilder {
        self.timeout = timeout;
        self
    }

    /// Makes the connector.
    ///
    /// # Errors
    /// If the roots were given and are empty.
    pub fn build(self) -> io::Result<Connector> {
        let this = match self.roots {
            Some(_) => self,
            None => self.public_roots(),
        };
        let roots = this.roots.unwrap_or_else(RootCertStore::empty);
        if roots.is_empty() {
            return Err(invalid(
                "a TLS client needs at least one authority to trust".to_owned(),
            ));
        }
        let builder = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        let mut config = match this.identity {
            Some(identity) => {
                let key = Arc::clone(identity.key());
                builder.with_client_cert_resolver(Arc::new(Own(key)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = this.alpn;
        Ok(Connector {
            config: Arc::new(config),
            timeout: this.timeout,
        })
    }
}

/// The one certificate of a client.
#[derive(Debug)]
struct Own(Arc<CertifiedKey>);

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes)?;
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
