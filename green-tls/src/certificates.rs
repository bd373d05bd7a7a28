//! Which of several certificates a server shows, and how they are replaced while it runs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::Identity;

/// The certificates of a server.
///
/// The lock is held for a look-up or an exchange only, so an OS thread may replace what the greenthreads of another
/// use.
#[derive(Debug)]
pub(crate) struct Certificates {
    current: RwLock<ByName>,
}

#[derive(Debug, Default)]
struct ByName {
    /// Several of one name differ in the kind of their keys.
    names: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// For a client that asks for no name, or for one that is not here: in the order in which they were given.
    all: Vec<Arc<CertifiedKey>>,
}

impl ByName {
    fn new(identities: Vec<Identity>) -> ByName {
        let mut new = ByName::default();
        for identity in identities {
            for name in identity.names() {
                let keys = new.names.entry(name.clone()).or_default();
                keys.push(Arc::clone(identity.key()));
            }
            new.all.push(Arc::clone(identity.key()));
        }
        new
    }

    /// Those for a name: by the name itself, by the wildcard above it, else all.
    fn candidates(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        let Some(name) = name.map(str::to_ascii_lowercase) else {
            return &self.all;
        };
        let wildcard = name.split_once('.').map(|(_, above)| format!("*.{above}"));
        let found = self.names.get(&name).or_else(|| self.names.get(&wildcard?));
        found.unwrap_or(&self.all)
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let candidates = self.candidates(name);
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        candidates.iter().find(fits).cloned()
    }
}

impl Certificates {
    pub(crate) fn new(identities: Vec<Identity>) -> Certificates {
        Certificates {
            current: RwLock::new(ByName::new(identities)),
        }
    }

    pub(crate) fn replace(&self, identities: Vec<Identity>) {
        let new = ByName::new(identities);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.choose(hello.server_name(), hello.signature_schemes())
    }
}
