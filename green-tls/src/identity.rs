//! Certificates and keys, and where they are read from.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use webpki::EndEntityCert;

/// A certificate with the chain of those that vouch for it, and its private key.
///
/// It is checked when it is made: a key that does not belong to the certificate is refused then, not when the first
/// client comes.
///
/// ```
/// use green_tls::Identity;
///
/// let mine = rcgen::generate_simple_self_signed(["example.com".to_owned()])?;
/// let other = rcgen::generate_simple_self_signed(["example.com".to_owned()])?;
/// let identity = Identity::from_pem(mine.cert.pem(), mine.signing_key.serialize_pem())?;
/// assert_eq!(identity.names(), ["example.com"]);
/// let error = Identity::from_pem(mine.cert.pem(), other.signing_key.serialize_pem()).unwrap_err();
/// assert!(error.to_string().contains("does not belong"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
}

impl Identity {
    /// Reads the certificates and the key from two PEM files, which may be the same. The certificate itself comes
    /// first, then those that vouch for it, each for the one before.
    ///
    /// # Errors
    /// If a file cannot be read or holds nothing of what it should, or if the key does not belong to the certificate.
    /// The error names the file.
    ///
    /// ```
    /// use green_tls::Identity;
    ///
    /// let error = Identity::from_files("no/such/file.pem", "key.pem").unwrap_err();
    /// assert!(error.to_string().contains("no/such/file.pem"));
    /// ```
    pub fn from_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> io::Result<Identity> {
        let (certificates, key) = (certificates.as_ref(), key.as_ref());
        let chain = parse_certificates(&read(certificates)?, &certificates.display())?;
        let private = parse_key(&read(key)?, &key.display())?;
        Identity::new(chain, private, &certificates.display(), &key.display())
    }

    /// Reads the certificates and the key from PEM texts.
    ///
    /// # Errors
    /// As [`from_files`](Identity::from_files).
    pub fn from_pem(certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> io::Result<Identity> {
        let chain = parse_certificates(certificates.as_ref(), &"the text given")?;
        let private = parse_key(key.as_ref(), &"the text given")?;
        Identity::from_der(chain, private)
    }

    /// Takes certificates and a key in rustls' types.
    ///
    /// # Errors
    /// If there is no certificate, the key cannot be used, or does not belong to the first certificate.
    ///
    /// ```
    /// use green_tls::Identity;
    /// use green_tls::rustls::pki_types::PrivatePkcs8KeyDer;
    ///
    /// let made = rcgen::generate_simple_self_signed(["example.com".to_owned()])?;
    /// let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    /// let identity = Identity::from_der(vec![made.cert.der().clone()], key.into())?;
    /// assert_eq!(identity.names(), ["example.com"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> io::Result<Identity> {
        Identity::new(chain, key, &"the one given", &"the one given")
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        chain_from: &dyn fmt::Display,
        key_from: &dyn fmt::Display,
    ) -> io::Result<Identity> {
        let Some(own) = chain.first() else {
            return Err(invalid(format!("no certificate in {chain_from}")));
        };
        let unusable = |error: &dyn fmt::Display| {
            invalid(format!(
                "cannot use the certificate of {chain_from}: {error}"
            ))
        };
        let names = match EndEntityCert::try_from(own) {
            Ok(parsed) => parsed
                .valid_dns_names()
                .map(str::to_ascii_lowercase)
                .collect(),
            Err(error) => return Err(unusable(&error)),
        };
        let key = CertifiedKey::from_der(chain, key, provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => invalid(format!(
                "the private key ({key_from}) does not belong to the first certificate ({chain_from}): the \
                 certificate itself must come first, and the key must be the one that it was made for"
            )),
            error => invalid(format!("cannot use the private key ({key_from}): {error}")),
        })?;
        Ok(Identity {
            key: Arc::new(key),
            names,
        })
    }

    /// The names that the certificate is for, in lower case; `*.example.com` stands for all names right below. Those
    /// that a server chooses its certificate by.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// What all connections here compute with.
pub(crate) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
}

/// Adds the certificates of a PEM text to those that are trusted.
pub(crate) fn add_roots(roots: &mut RootCertStore, text: &[u8]) -> io::Result<()> {
    for certificate in parse_certificates(text, &"the roots given")? {
        let added = roots.add(certificate);
        added.map_err(|error| {
            invalid(format!("cannot trust a certificate of the roots: {error}"))
        })?;
    }
    Ok(())
}

pub(crate) fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    green::fs::read(path).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot read {}: {error}", path.display()),
        )
    })
}

fn parse_certificates(
    text: &[u8],
    from: &dyn fmt::Display,
) -> io::Result<Vec<CertificateDer<'static>>> {
    let parsed: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    match parsed {
        Ok(chain) if chain.is_empty() => Err(invalid(format!(
            "no certificate in {from}: PEM with a line -----BEGIN CERTIFICATE----- is expected"
        ))),
        Ok(chain) => Ok(chain),
        Err(error) => Err(invalid(format!(
            "cannot read the certificates of {from}: {error}"
        ))),
    }
}

fn parse_key(text: &[u8], from: &dyn fmt::Display) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => invalid(format!(
            "no private key in {from}: PEM with a line -----BEGIN PRIVATE KEY----- is expected; an encrypted key \
             must be decrypted first"
        )),
        error => invalid(format!("cannot read the private key of {from}: {error}")),
    })
}
