//! The hosts file, resolv.conf, the services file.

use std::net::SocketAddr;

use green::dns::{ErrorKind, Hints, NameFlags, Resolver, SockType};

use super::server::{PTR, Record, SERVFAIL, Server};
use super::{SECOND, TempFile, asking, failure, ip, kind, texts};
use crate::common::bounded;

#[test]
fn the_hosts_file_comes_first_in_any_case_and_without_network() {
    bounded(|| {
        let hosts = TempFile::new(
            "# a comment\n192.0.2.1 Printer.Example printer # laser\n2001:db8::1 six.example\n",
        );
        let broken = Server::start(|asked| vec![asked.code(SERVFAIL)]);
        let resolver = asking(&[&broken]).hosts_file(&hosts.path).build();
        for name in ["printer.example", "PRINTER", "Printer.", "printer"] {
            assert_eq!(texts(&resolver, name), ["192.0.2.1"]);
        }
        assert_eq!(texts(&resolver, "six.example"), ["2001:db8::1"]);
        let entry = resolver.gethostbyname_ex("printer").unwrap();
        assert_eq!(entry.name, "Printer.Example");
        assert_eq!(entry.aliases, ["printer"]);
        assert_eq!(entry.addresses, [ip("192.0.2.1")]);
        assert_eq!(broken.count(), 0);
        // What is not in it is asked for, and so is a family that is not.
        assert_eq!(kind(&resolver, "laser"), ErrorKind::TryAgain);
        assert!(broken.count() > 0);
        let before = broken.count();
        let error = resolver.gethostbyname("six.example").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TryAgain);
        assert!(broken.count() > before);
    });
}

#[test]
fn scopes_of_the_hosts_file_are_kept() {
    bounded(|| {
        let hosts = TempFile::new("fe80::1%1 link.example\n");
        let silent = Server::silent();
        let resolver = asking(&[&silent]).hosts_file(&hosts.path).build();
        let found = resolver.lookup("link.example", 80).unwrap();
        let expected: SocketAddr = "[fe80::1%1]:80".parse().unwrap();
        assert_eq!(found, [expected]);
        assert_eq!(resolver.lookup("fe80::1%1", 80).unwrap(), [expected]);
        assert_eq!(silent.count(), 0);
    });
}

#[test]
fn a_changed_hosts_file_is_read_again_after_ten_seconds() {
    bounded(|| {
        green::sim::run_in_order(|| {
            let hosts = TempFile::new("192.0.2.1 a.example\n");
            let server = Server::of(&["192.0.2.99"], 0);
            let resolver = asking(&[&server]).hosts_file(&hosts.path).build();
            assert_eq!(texts(&resolver, "a.example"), ["192.0.2.1"]);
            hosts.write("192.0.2.2 a.example\n");
            green::sleep(9 * SECOND);
            assert_eq!(texts(&resolver, "a.example"), ["192.0.2.1"]);
            green::sleep(2 * SECOND);
            assert_eq!(texts(&resolver, "a.example"), ["192.0.2.2"]);
            std::fs::remove_file(&hosts.path).unwrap();
            green::sleep(11 * SECOND);
            assert_eq!(texts(&resolver, "a.example"), ["192.0.2.99"]);
            hosts.write("192.0.2.3 a.example\n");
            green::sleep(11 * SECOND);
            assert_eq!(texts(&resolver, "a.example"), ["192.0.2.3"]);
        });
    });
}

#[test]
fn a_changed_resolv_conf_is_read_again() {
    bounded(|| {
        green::sim::run_in_order(|| {
            let conf = TempFile::new("search one.example\n");
            let server = Server::of(&["192.0.2.1"], 0);
            let resolver = Resolver::green()
                .hosts_file("/nonexistent/hosts")
                .resolv_conf(&conf.path)
                .nameservers([server.address])
                .build();
            texts(&resolver, "www");
            assert_eq!(server.names(), ["www.one.example"]);
            conf.write("search two.example\noptions ndots:2\n");
            green::sleep(11 * SECOND);
            texts(&resolver, "www.sub");
            assert_eq!(server.names(), ["www.sub.two.example"]);
        });
    });
}

#[test]
fn localhost_is_never_asked_for() {
    bounded(|| {
        let silent = Server::silent();
        let resolver = asking(&[&silent]).build();
        for name in ["localhost", "LOCALHOST.", "app.localhost"] {
            let found = resolver.lookup(name, 80).unwrap();
            assert_eq!(found.len(), 2);
            assert!(found.iter().all(|address| address.ip().is_loopback()));
        }
        assert_eq!(silent.count(), 0);
    });
}

#[test]
fn services_by_name_and_by_port() {
    bounded(|| {
        let services = TempFile::new("http 80/tcp www\ndomain 53/tcp\ndomain 53/udp\n");
        let silent = Server::silent();
        let resolver = asking(&[&silent]).services_file(&services.path).build();
        let infos = |service: &str, hints| {
            let infos = resolver.getaddrinfo("192.0.2.1", service, hints);
            infos.map(|infos| {
                let infos = infos.iter();
                let infos = infos.map(|info| (info.address.port(), info.socktype, info.protocol));
                infos.collect::<Vec<_>>()
            })
        };
        let hints = Hints::new();
        let (stream, datagram) = (SockType::Stream, SockType::Datagram);
        assert_eq!(infos("www", hints).unwrap(), [(80, stream, 6)]);
        assert_eq!(
            infos("domain", hints).unwrap(),
            [(53, stream, 6), (53, datagram, 17)]
        );
        assert_eq!(
            infos("7", hints).unwrap(),
            [(7, stream, 6), (7, datagram, 17), (7, SockType::Raw, 0)]
        );
        assert_eq!(
            infos("7", hints.socktype(datagram)).unwrap(),
            [(7, datagram, 17)]
        );
        for (service, hints, kind) in [
            ("gopher", hints, ErrorKind::NoService),
            ("http", hints.socktype(datagram), ErrorKind::NoService),
            ("http", hints.numeric_service(true), ErrorKind::NotFound),
            ("65536", hints, ErrorKind::NoService),
            ("-1", hints, ErrorKind::NoService),
            ("", hints, ErrorKind::NoService),
        ] {
            let error = infos(service, hints).unwrap_err();
            assert_eq!((error.kind(), error.asked()), (kind, service));
        }
        let flags = NameFlags::new().numeric_host(true);
        let name = |port: u16, flags| {
            let address = SocketAddr::from(([192, 0, 2, 1], port));
            resolver.getnameinfo(&address, flags).unwrap().1
        };
        assert_eq!(name(80, flags), "http");
        assert_eq!(name(80, flags.datagram(true)), "80");
        assert_eq!(name(80, flags.numeric_service(true)), "80");
        assert_eq!(name(81, flags), "81");
        assert_eq!(silent.count(), 0);
    });
}

#[test]
fn names_of_addresses() {
    bounded(|| {
        let hosts = TempFile::new("192.0.2.1 Printer.Example printer\n");
        let server = Server::start(|asked| {
            assert_eq!(asked.kind, PTR);
            vec![match &*asked.name {
                "9.2.0.192.in-addr.arpa" => asked.answer(|answer| {
                    let names = ["bad name.example", "Nine.example", "neuf.example"];
                    let records = names.map(|name| Record::name(&asked.name, PTR, name, 60));
                    answer.answers.extend(records);
                }),
                name if name.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa") => asked.answer(|answer| {
                    let name = Record::name(&asked.name, PTR, "six.example", 60);
                    answer.answers.push(name);
                }),
                "7.2.0.192.in-addr.arpa" => asked.code(SERVFAIL),
                _ => asked.code(super::server::NXDOMAIN),
            }]
        });
        let resolver = asking(&[&server]).hosts_file(&hosts.path).build();
        let flags = NameFlags::new();
        let name = |address: &str, flags| {
            let address: SocketAddr = address.parse().unwrap();
            resolver.getnameinfo(&address, flags).map(|found| found.0)
        };
        assert_eq!(name("192.0.2.1:1", flags).unwrap(), "Printer.Example");
        assert_eq!(
            name("192.0.2.9:1", flags.numeric_host(true)).unwrap(),
            "192.0.2.9"
        );
        assert_eq!(
            name("[fe80::1%1]:1", flags.numeric_host(true)).unwrap(),
            "fe80::1%1"
        );
        assert_eq!(server.count(), 0);
        assert_eq!(name("192.0.2.9:1", flags).unwrap(), "nine.example");
        assert_eq!(name("[::ffff:192.0.2.9]:1", flags).unwrap(), "nine.example");
        assert_eq!(server.count(), 1, "the second time from the cache");
        assert_eq!(name("[2001:db8::5]:1", flags).unwrap(), "six.example");
        assert_eq!(name("192.0.2.8:1", flags).unwrap(), "192.0.2.8");
        let required = flags.name_required(true);
        let kind = |address, flags| name(address, flags).unwrap_err().kind();
        assert_eq!(kind("192.0.2.8:1", required), ErrorKind::NotFound);
        assert_eq!(kind("192.0.2.7:1", flags), ErrorKind::TryAgain);
        assert_eq!(
            kind("192.0.2.1:1", required.numeric_host(true)),
            ErrorKind::NotFound
        );
    });
}

#[test]
fn nothing_of_the_system_is_needed() {
    bounded(|| {
        let server = Server::of(&["192.0.2.1"], 60);
        let directory = std::env::temp_dir();
        let resolver = asking(&[&server]).hosts_file(directory).build();
        assert_eq!(texts(&resolver, "a.example"), ["192.0.2.1"]);
        let (kind, text) = failure(&resolver, "a b");
        assert_eq!(kind, ErrorKind::NotFound);
        assert!(text.contains("a b"), "{text}");
    });
}
