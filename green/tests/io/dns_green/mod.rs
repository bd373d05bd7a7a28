//! The resolver of this crate, against a name server of the tests' own. Nobody else is asked.

mod cache;
mod dropped;
mod files;
mod names;
mod rubbish;
mod server;
mod transport;

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use green::dns::{self, ErrorKind, Resolver, ResolverBuilder};

use server::Server;

/// A file that goes with this value.
pub(crate) struct TempFile {
    path: PathBuf,
}

impl TempFile {
    pub(crate) fn new(text: &str) -> TempFile {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "green-dns-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        TempFile { path }
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(&self.path, text).unwrap();
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Asks these servers only, and looks at no file of the system.
pub(crate) fn asking(servers: &[&Server]) -> ResolverBuilder {
    let servers = servers.iter().map(|server| server.address);
    Resolver::green()
        .hosts_file("/nonexistent/hosts")
        .resolv_conf("/nonexistent/resolv.conf")
        .services_file("/nonexistent/services")
        .nameservers(servers)
        .search::<&str>([])
}

/// The addresses of a host, as texts.
pub(crate) fn texts(resolver: &Resolver, host: &str) -> Vec<String> {
    let found = resolver.lookup(host, 80).unwrap();
    assert!(found.iter().all(|address| address.port() == 80));
    found.iter().map(|found| found.ip().to_string()).collect()
}

/// Why there is none.
pub(crate) fn failure(resolver: &Resolver, host: &str) -> (ErrorKind, String) {
    let error = resolver.lookup(host, 80).expect_err(host);
    let inner: &dns::Error = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(inner.asked(), host);
    (inner.kind(), inner.to_string())
}

pub(crate) fn kind(resolver: &Resolver, host: &str) -> ErrorKind {
    failure(resolver, host).0
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);

#[test]
fn everything_in_net_uses_the_chosen_resolver() {
    crate::common::bounded(|| {
        let hosts = TempFile::new("127.0.0.1 here.example\n");
        let silent = Server::silent();
        let resolver = asking(&[&silent]).hosts_file(&hosts.path).build();
        dns::use_resolver_with(resolver);
        assert_eq!(dns::get_resolver().unwrap().name(), "green");
        let listener = green::listen("here.example:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        green::connect(("here.example", port)).unwrap();
        green::connect(format!("HERE.example:{port}")).unwrap();
        assert_eq!(
            dns::lookup("here.example", 7).unwrap(),
            [SocketAddr::from(([127, 0, 0, 1], 7))]
        );
        assert_eq!(dns::gethostbyname("here.example").unwrap(), ip("127.0.0.1"));
        // Another thread has not chosen it.
        let other = std::thread::spawn(|| dns::get_resolver().unwrap().name());
        assert_eq!(other.join().unwrap(), "system");
        dns::use_resolver("system").unwrap();
        assert!(dns::lookup("here.example", 7).is_err());
        assert_eq!(silent.count(), 0);
    });
}

#[test]
fn others_run_meanwhile() {
    crate::common::bounded(|| {
        let server = Server::start(|asked| {
            green::sleep(Duration::from_millis(30));
            vec![asked.addresses(&["192.0.2.1"], 60)]
        });
        let ticks = std::rc::Rc::new(Cell::new(0));
        let count = std::rc::Rc::clone(&ticks);
        green::spawn_n(move || {
            loop {
                green::sleep(Duration::from_millis(1));
                count.set(count.get() + 1);
            }
        });
        assert_eq!(
            texts(&asking(&[&server]).build(), "a.example"),
            ["192.0.2.1"]
        );
        assert!(ticks.get() >= 5, "{} ticks", ticks.get());
    });
}
