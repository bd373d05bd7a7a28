//! Which names are asked for, and what the answers come to.

use std::io;
use std::net::SocketAddr;

use green::dns::{ErrorKind, Family, Hints, SockType};

use super::server::{A, AAAA, Asked, CNAME, NXDOMAIN, Record, SERVFAIL, Server};
use super::{TempFile, asking, failure, ip, kind, texts};
use crate::common::bounded;

/// Knows the addresses of these names only.
fn knowing(names: &'static [&'static str]) -> Server {
    Server::start(move |asked| {
        vec![if names.contains(&&*asked.name) {
            asked.addresses(&["192.0.2.1"], 60)
        } else {
            asked.code(NXDOMAIN)
        }]
    })
}

#[test]
fn unqualified_names_are_searched_for() {
    bounded(|| {
        let server = knowing(&["www.two.example", "a.b", "c.d.one.example"]);
        let builder = asking(&[&server])
            .search(["one.example", "Two.Example."])
            .cache_size(0);
        let resolver = builder.clone().build();
        texts(&resolver, "WWW");
        assert_eq!(server.names(), ["www.one.example", "www.two.example"]);
        texts(&resolver, "a.b");
        assert_eq!(server.names(), ["a.b"]);
        texts(&resolver, "c.d");
        assert_eq!(server.names(), ["c.d", "c.d.one.example"]);
        assert_eq!(kind(&resolver, "www."), ErrorKind::NotFound);
        assert_eq!(server.names(), ["www"]);
        assert_eq!(kind(&resolver, "zzz"), ErrorKind::NotFound);
        assert_eq!(server.names(), ["zzz.one.example", "zzz.two.example"]);
        let patient = builder.ndots(2).build();
        texts(&patient, "a.b");
        assert_eq!(
            server.names(),
            ["a.b.one.example", "a.b.two.example", "a.b"]
        );
    });
}

#[test]
fn resolv_conf_says_where_to_search() {
    bounded(|| {
        let server = knowing(&["www.deep.two.example"]);
        let conf = TempFile::new("search one.example two.example\noptions ndots:3\n");
        let resolver = green::dns::Resolver::green()
            .hosts_file("/nonexistent/hosts")
            .resolv_conf(&conf.path)
            .nameservers([server.address])
            .build();
        texts(&resolver, "www.deep");
        assert_eq!(
            server.names(),
            ["www.deep.one.example", "www.deep.two.example"]
        );
    });
}

#[test]
fn impossible_names_are_refused_without_network() {
    bounded(|| {
        let server = Server::of(&["192.0.2.1"], 60);
        let resolver = asking(&[&server]).search(["example"]).build();
        let long_label = "a".repeat(64);
        let long = ["a23456789"; 26].join(".");
        for name in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            "a\0b",
            "-a",
            "a/b",
            "\u{fdd0}",
            &long_label,
            &long,
        ] {
            assert_eq!(kind(&resolver, name), ErrorKind::NotFound, "{name:?}");
            assert!(resolver.getaddrinfo(name, None, Hints::new()).is_err());
            assert!(resolver.gethostbyname(name).is_err());
        }
        assert_eq!(server.count(), 0);
        let longest = &long[..253];
        texts(&resolver, longest);
        assert_eq!(server.names(), [longest]);
    });
}

#[test]
fn addresses_are_never_asked_for() {
    bounded(|| {
        let server = Server::of(&["192.0.2.1"], 60);
        let resolver = asking(&[&server]).search(["example"]).build();
        assert_eq!(texts(&resolver, "192.0.2.7"), ["192.0.2.7"]);
        assert_eq!(texts(&resolver, "127.1"), ["127.0.0.1"]);
        assert_eq!(texts(&resolver, "2001:db8::7"), ["2001:db8::7"]);
        assert_eq!(
            resolver.gethostbyname("192.0.2.7").unwrap(),
            ip("192.0.2.7")
        );
        let error = resolver.gethostbyname("2001:db8::7").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoData);
        let hints = Hints::new().numeric_host(true);
        let error = resolver.getaddrinfo("www", "80", hints).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(server.count(), 0);
    });
}

#[test]
fn names_beyond_ascii_are_converted() {
    bounded(|| {
        let server = Server::of(&["192.0.2.1"], 60);
        let resolver = asking(&[&server]).cache_size(0).build();
        for name in [
            "b\u{fc}cher.example",
            "B\u{dc}CHER\u{3002}example",
            "xn--bcher-kva.example",
        ] {
            texts(&resolver, name);
            assert_eq!(server.names(), ["xn--bcher-kva.example"], "{name}");
        }
    });
}

#[test]
fn no_name_is_told_from_no_data() {
    bounded(|| {
        let server = Server::start(|asked| {
            vec![match &*asked.name {
                "empty.example" => asked.addresses(&[], 60),
                "six.example" => asked.addresses(&["2001:db8::1"], 60),
                "half.example" if asked.kind == AAAA => asked.code(SERVFAIL),
                "half.example" => asked.addresses(&["192.0.2.1"], 60),
                "torn.example" if asked.kind == AAAA => asked.code(SERVFAIL),
                "torn.example" => asked.addresses(&[], 60),
                _ => asked.code(NXDOMAIN),
            }]
        });
        let resolver = asking(&[&server]).build();
        assert_eq!(kind(&resolver, "none.example"), ErrorKind::NotFound);
        assert_eq!(kind(&resolver, "empty.example"), ErrorKind::NoData);
        assert_eq!(texts(&resolver, "six.example"), ["2001:db8::1"]);
        let error = resolver.gethostbyname("six.example").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoData);
        assert_eq!(error.kind().eai(), "EAI_NODATA");
        // One family that is known is enough; one that is not known leaves it open.
        assert_eq!(texts(&resolver, "half.example"), ["192.0.2.1"]);
        assert_eq!(kind(&resolver, "torn.example"), ErrorKind::TryAgain);
        let error = resolver.lookup("none.example", 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        // With a list of domains, a name that exists somewhere exists.
        let searching = asking(&[&server])
            .search(["nowhere", "example", "nowhere.too"])
            .build();
        assert_eq!(kind(&searching, "empty"), ErrorKind::NoData);
        assert_eq!(kind(&searching, "torn"), ErrorKind::TryAgain);
    });
}

fn alias(asked: &Asked, links: &[(&str, &str)], last: Option<&str>) -> Vec<u8> {
    asked.answer(|answer| {
        for (name, target) in links {
            answer.answers.push(Record::name(name, CNAME, target, 60));
        }
        if let Some(last) = last.filter(|_| asked.kind == A) {
            let record = Record::address(last, ip("192.0.2.1"), 60);
            answer.answers.push(record);
        }
    })
}

#[test]
fn other_names_lead_to_the_canonical_one() {
    bounded(|| {
        let server = Server::start(|asked| {
            let long: Vec<_> = (0..40).map(|n| format!("n{n}.example")).collect();
            let long: Vec<_> = long.windows(2).map(|pair| (&*pair[0], &*pair[1])).collect();
            vec![match &*asked.name {
                "www.example" => alias(
                    asked,
                    &[("B.example", "c.example"), ("www.EXAMPLE", "b.example")],
                    Some("C.example"),
                ),
                "part.example" => alias(asked, &[("part.example", "rest.example")], None),
                "rest.example" => alias(
                    asked,
                    &[("rest.example", "end.example")],
                    Some("end.example"),
                ),
                "loop.example" => alias(
                    asked,
                    &[
                        ("loop.example", "pool.example"),
                        ("pool.example", "loop.example"),
                    ],
                    None,
                ),
                "ring.example" => alias(asked, &[("ring.example", "gnir.example")], None),
                "gnir.example" => alias(asked, &[("gnir.example", "ring.example")], None),
                "n0.example" => alias(asked, &long, Some("n39.example")),
                "odd.example" => alias(
                    asked,
                    &[("odd.example", "a b.example")],
                    Some("a b.example"),
                ),
                "other.example" => alias(asked, &[], Some("elsewhere.example")),
                name => panic!("{name} was asked for"),
            }]
        });
        let resolver = asking(&[&server]).build();
        let entry = resolver.gethostbyname_ex("www.example").unwrap();
        assert_eq!(entry.name, "c.example");
        assert_eq!(entry.aliases, ["www.example", "b.example"]);
        assert_eq!(entry.addresses, [ip("192.0.2.1")]);
        let entry = resolver.gethostbyname_ex("part.example").unwrap();
        assert_eq!(entry.name, "end.example");
        assert_eq!(entry.aliases, ["part.example", "rest.example"]);
        let hints = Hints::new().canonical_name(true).family(Family::V4);
        let infos = resolver.getaddrinfo("www.example", "80", hints).unwrap();
        assert_eq!(infos.len(), 3);
        assert_eq!(infos[0].canonical_name.as_deref(), Some("c.example"));
        assert_eq!(infos[1].canonical_name, None);
        // An answer about something else is none.
        let error = resolver.gethostbyname("other.example").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoData);
        for endless in ["loop.example", "ring.example", "n0.example", "odd.example"] {
            let before = server.count();
            let error = resolver.gethostbyname(endless).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Failed, "{endless}");
            assert!(server.count() - before <= 20, "{endless}");
        }
    });
}

#[test]
fn hints_of_getaddrinfo() {
    bounded(|| {
        let server = Server::start(|asked| {
            vec![match &*asked.name {
                "both.example" => asked.addresses(&["192.0.2.1", "2001:db8::1"], 60),
                "four.example" => asked.addresses(&["192.0.2.4"], 60),
                _ => asked.code(NXDOMAIN),
            }]
        });
        let resolver = asking(&[&server]).build();
        let stream = Hints::new().socktype(SockType::Stream);
        let get = |host: Option<&str>, hints| -> Result<Vec<SocketAddr>, ErrorKind> {
            let infos = resolver.getaddrinfo(host, "80", hints);
            let infos = infos.map_err(|error| error.kind())?;
            Ok(infos.iter().map(|info| info.address).collect())
        };
        let addresses = |texts: &[&str]| -> Result<Vec<SocketAddr>, ErrorKind> {
            Ok(texts
                .iter()
                .map(|text| SocketAddr::new(ip(text), 80))
                .collect())
        };
        let six = stream.family(Family::V6);
        let four = stream.family(Family::V4);
        assert_eq!(get(Some("both.example"), four), addresses(&["192.0.2.1"]));
        assert_eq!(get(Some("both.example"), six), addresses(&["2001:db8::1"]));
        assert_eq!(get(Some("both.example"), stream).unwrap().len(), 2);
        assert_eq!(get(Some("four.example"), six), Err(ErrorKind::NoData));
        let mapped = six.v4mapped(true);
        assert_eq!(
            get(Some("both.example"), mapped),
            addresses(&["2001:db8::1"])
        );
        assert_eq!(
            get(Some("four.example"), mapped),
            addresses(&["::ffff:192.0.2.4"])
        );
        assert_eq!(
            get(Some("both.example"), mapped.all(true)),
            addresses(&["2001:db8::1", "::ffff:192.0.2.1"])
        );
        assert_eq!(
            get(Some("four.example"), mapped.all(true)),
            addresses(&["::ffff:192.0.2.4"])
        );
        assert_eq!(get(Some("no.example"), mapped), Err(ErrorKind::NotFound));
        assert_eq!(
            get(Some("four.example"), four.v4mapped(true)),
            addresses(&["192.0.2.4"])
        );
        assert_eq!(get(Some("192.0.2.7"), six), Err(ErrorKind::NoData));
        assert_eq!(
            get(Some("192.0.2.7"), mapped),
            addresses(&["::ffff:192.0.2.7"])
        );
        assert_eq!(get(Some("2001:db8::7"), four), Err(ErrorKind::NoData));
        assert_eq!(get(None, stream), addresses(&["::1", "127.0.0.1"]));
        assert_eq!(
            get(None, stream.passive(true)),
            addresses(&["0.0.0.0", "::"])
        );
        assert_eq!(get(None, six.passive(true)), addresses(&["::"]));
        assert_eq!(
            get(None, stream.canonical_name(true)),
            Err(ErrorKind::Invalid)
        );
        let neither = resolver.getaddrinfo(None, None, stream).unwrap_err();
        assert_eq!(neither.kind(), ErrorKind::NotFound);
        // Whatever families this machine has, the host has addresses in both.
        let configured = get(Some("both.example"), stream.addrconfig(true)).unwrap();
        assert!(!configured.is_empty());
    });
}

#[test]
fn errors_are_made_afresh() {
    bounded(|| {
        let server = knowing(&[]);
        let resolver = asking(&[&server]).build();
        let (_, first) = failure(&resolver, "a.example");
        let (_, second) = failure(&resolver, "a.example");
        assert_eq!(first, second);
        let (_, other) = failure(&resolver, "A.EXAMPLE");
        assert!(other.contains("A.EXAMPLE"), "{other}");
    });
}
