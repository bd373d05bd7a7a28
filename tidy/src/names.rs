//! A type name has one meaning among the crates that are published, if it is public in one of them or visible beyond its
//! module twice in one.

use std::collections::BTreeMap;

use crate::source::Source;
use crate::unneeded;

/// Names with several meanings that stay, each with the reason.
pub const ALLOWED: &[(&str, &str)] = &[
    (
        "Builder",
        "as in std::thread: each makes what its module is named after",
    ),
    (
        "Body",
        "of an HTTP request, as the field has it; in greenlet what a greenlet runs",
    ),
    (
        "Connection",
        "one of a server, and one of the system's as `sim` sees it",
    ),
    (
        "Error",
        "as in std::io and std::fmt: each is that of its crate or module",
    ),
    (
        "Event",
        "what greenthreads wait for, the same between threads, and what a hub reports",
    ),
    (
        "Hub",
        "hub-c's is the `struct hub` of hub.h: the name of C for the same thing",
    ),
    (
        "Identity",
        "what TLS calls a certificate with its key; hub-c's nobody sees",
    ),
    ("LifoQueue", "in `sync` it is the same between threads"),
    (
        "Message",
        "RFC 6455's word for what a WebSocket carries; the others nobody sees",
    ),
    (
        "Poll",
        "`select.poll` of Python, and the hub that is named after the system call",
    ),
    ("PriorityQueue", "in `sync` it is the same between threads"),
    ("Queue", "in `sync` it is the same between threads"),
    ("Semaphore", "in `sync` it is the same between threads"),
    (
        "Sealed",
        "the usual name of a trait that keeps others from implementing one; nobody else sees it",
    ),
    (
        "Server",
        "each crate that serves a protocol has one: a set of limits, and a life",
    ),
    (
        "Transport",
        "what HTTP is spoken over; of names, the one of TCP and UDP that a query goes by",
    ),
    (
        "Acceptor",
        "what takes TLS handshakes, as rustls has it; in green's server nobody sees it",
    ),
    (
        "Answer",
        "of a name server, as the field has it; in green-ws nobody sees it",
    ),
    (
        "Change",
        "what a watched file has undergone; of a registration, for authors of hubs only",
    ),
    ("Config", "as rustls has it; green-http's nobody sees"),
    (
        "Host",
        "where a name leads to, and whose name a certificate bears",
    ),
    (
        "Peer",
        "who is at the other end; in green-tls what its certificates say",
    ),
    (
        "Question",
        "to a name server, as the field has it; in green-ws nobody sees it",
    ),
    (
        "Refusal",
        "why a handshake is refused; green-http's nobody sees",
    ),
    (
        "Turn",
        "of the reactor; in green-ws one sender's, which nobody sees",
    ),
];

/// Crates that nobody builds on: what their names mean is their own affair.
pub(crate) const APART: &[&str] = &["bench", "bench/peers", "examples", "tidy"];

/// Findings in the libraries that are published.
pub fn check(sources: &[Source]) -> Vec<String> {
    check_with(sources, ALLOWED)
}

/// Where a type is declared.
struct Place<'a> {
    package: &'a str,
    path: &'a str,
    public: bool,
}

fn check_with(sources: &[Source], allowed: &[(&str, &str)]) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<Place<'_>>> = BTreeMap::new();
    for source in sources {
        if source.is_library() && !APART.contains(&source.package()) {
            for (name, public) in declared(&source.code()) {
                places.entry(name).or_default().push(Place {
                    package: source.package(),
                    path: &source.path,
                    public,
                });
            }
        }
    }
    let known: Vec<_> = allowed.iter().map(|(name, _)| *name).collect();
    let doubled: Vec<_> = places.iter().filter(|(_, places)| meet(places)).collect();
    let mut findings: Vec<_> = doubled
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, places)| {
            let paths: Vec<_> = places.iter().map(|place| place.path).collect();
            format!("{name} is declared in {}", paths.join(", "))
        })
        .collect();
    let used: Vec<_> = doubled.iter().map(|(name, _)| name.as_str()).collect();
    findings.extend(unneeded("names", known, &used));
    findings
}

/// True if two of the places can be seen from one.
fn meet(places: &[Place<'_>]) -> bool {
    places.iter().enumerate().any(|(at, one)| {
        let others = &places[at + 1..];
        others.iter().any(|other| {
            one.path != other.path && (one.package == other.package || one.public || other.public)
        })
    })
}

/// Types that are visible beyond the module of this file, and whether they are public.
fn declared(code: &str) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    for line in code.lines() {
        // Indented: what a macro declares, or an inner module.
        let Some(rest) = line.trim_start().strip_prefix("pub") else {
            continue;
        };
        let (public, rest) = match rest.strip_prefix('(') {
            Some(rest) => (false, rest.split_once(')').map_or("", |(_, rest)| rest)),
            None => (true, rest),
        };
        let mut words = rest.split_whitespace().filter(|word| *word != "unsafe");
        if let (Some("struct" | "enum" | "trait" | "type" | "union"), Some(name)) =
            (words.next(), words.next())
            && !name.starts_with('$')
        {
            let end = name
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(name.len());
            names.push((name[..end].to_owned(), public));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files
            .iter()
            .map(|(path, text)| Source::new(path, text))
            .collect();
        check_with(&sources, &[("Builder", "as in std")])
            .into_iter()
            .filter(|finding| !finding.contains("Builder is not needed"))
            .collect()
    }

    #[test]
    fn a_name_of_two_meanings_is_found() {
        for (one, other) in [
            (
                ("a/src/x.rs", "pub struct Token(u64);"),
                ("b/src/y.rs", "pub enum Token {}"),
            ),
            (
                ("a/src/x.rs", "pub(crate) struct State<T> {}"),
                ("a/src/y.rs", "pub(super) type State = u8;"),
            ),
            (
                (
                    "a/src/x.rs",
                    "queue! {\n    pub struct Queue<T>(Fifo<T>);\n}",
                ),
                ("a/src/y.rs", "pub struct Queue<T>(T);"),
            ),
            (
                ("a/src/x.rs", "pub unsafe trait Part: Sized {}"),
                ("a/src/y.rs", "pub(crate) union Part {}"),
            ),
        ] {
            assert_eq!(findings(&[one, other]).len(), 1, "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_cannot_meet_is_fine() {
        let fine = [
            (
                "a/src/x.rs",
                "pub struct Token;\nstruct State;\n// pub struct Other;\npub(crate) struct Pool;",
            ),
            (
                "b/src/y.rs",
                "struct Token;\nstruct State;\npub struct Other;\npub(crate) struct Pool;",
            ),
            ("bench/src/z.rs", "pub struct Other;"),
            ("b/tests/z.rs", "pub struct Token;"),
        ];
        assert_eq!(findings(&fine), [""; 0]);
        let listed = [
            ("a/src/x.rs", "pub struct Builder;"),
            ("b/src/y.rs", "pub struct Builder;"),
        ];
        assert_eq!(findings(&listed), [""; 0]);
    }

    #[test]
    fn an_entry_that_nothing_needs_is_found() {
        let found = check_with(&[], &[("Builder", "as in std")]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn every_reason_is_one() {
        for (name, reason) in ALLOWED {
            assert!(reason.len() > 10, "{name}: {reason:?} is no reason");
        }
    }
}
