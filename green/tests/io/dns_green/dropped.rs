//! Name servers that drop some of the questions: what has come is the answer.

use std::time::{Duration, Instant};

use green::Timeout;
use green::dns::{ErrorKind, Family, Hints, ResolverBuilder};

use super::server::{A, AAAA, Asked, CNAME, NXDOMAIN, Record, Server};
use super::{SECOND, asking, kind, texts};
use crate::common::{SHORT, bounded, settle};

/// What is waited for at least when one family has come.
const GRACE: Duration = Duration::from_millis(50);

const BOTH: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// A server that drops the questions of this kind.
fn dropping(kind: u16) -> Server {
    Server::start(move |asked| match asked.kind == kind {
        true => Vec::new(),
        false => vec![asked.addresses(&BOTH, 60)],
    })
}

/// A resolver that nothing but the grace stops in the time of a test.
fn patient(servers: &[&Server]) -> ResolverBuilder {
    asking(servers).timeout(600 * SECOND).lookup_timeout(None)
}

#[test]
fn one_family_is_given_after_a_grace() {
    bounded(|| {
        for (dropped, came) in [(AAAA, BOTH[0]), (A, BOTH[1])] {
            let server = dropping(dropped);
            let resolver = patient(&[&server]).build();
            for _ in 0..2 {
                let start = Instant::now();
                assert_eq!(texts(&resolver, "a.example"), [came]);
                assert!(start.elapsed() >= GRACE);
            }
            // The answer that has come is kept, and the other is asked for again.
            let kinds: Vec<_> = server.asked().iter().map(|asked| asked.kind).collect();
            assert_eq!(kinds.iter().filter(|kind| **kind == dropped).count(), 2);
            assert_eq!(kinds.len(), 3);
            // The other has time of its own where it alone is wanted.
            let hints = Hints::new().family(match dropped {
                A => Family::V4,
                _ => Family::V6,
            });
            let late =
                Timeout::new(2 * GRACE).run(|| resolver.getaddrinfo("a.example", None, hints));
            assert!(late.is_err());
        }
    });
}

#[test]
fn a_slow_family_has_as_long_again_as_the_first_took() {
    bounded(|| {
        // Each is late by more than the least grace, and both are wanted.
        let server = Server::start_with(|asked, socket| {
            let wait = match asked.kind {
                A => 2 * GRACE,
                _ => 3 * GRACE,
            };
            let (asked, socket) = (asked.clone(), std::rc::Rc::clone(socket));
            green::spawn_n(move || {
                green::sleep(wait);
                socket
                    .send_to(&asked.addresses(&BOTH, 60), asked.from)
                    .unwrap();
            });
            Vec::new()
        });
        let mut found = texts(&patient(&[&server]).build(), "a.example");
        found.sort();
        assert_eq!(found, BOTH);
    });
}

#[test]
fn other_ways_of_asking_are_given_it_too() {
    bounded(|| {
        let server = dropping(AAAA);
        let resolver = patient(&[&server]).build();
        let found = resolver
            .getaddrinfo("a.example", "80", Hints::new())
            .unwrap();
        assert!(found.iter().all(|info| info.address.is_ipv4()));
        assert_eq!(
            resolver.gethostbyname("b.example").unwrap(),
            super::ip(BOTH[0])
        );
        // Everybody who asks at the same time.
        let askers: Vec<_> = (0..20)
            .map(|_| {
                let resolver = resolver.clone();
                green::spawn(move || texts(&resolver, "c.example"))
            })
            .collect();
        for asker in askers {
            assert_eq!(asker.join().unwrap(), [BOTH[0]]);
        }
    });
}

#[test]
fn an_answer_that_comes_over_tcp_or_by_another_name_counts() {
    bounded(|| {
        let truncating = Server::start(|asked| match (asked.kind, asked.tcp) {
            (AAAA, _) => Vec::new(),
            (_, false) => vec![asked.answer(|answer| answer.truncated = true)],
            (_, true) => vec![asked.addresses(&BOTH, 60)],
        });
        assert_eq!(
            texts(&patient(&[&truncating]).build(), "a.example"),
            [BOTH[0]]
        );
        let elsewhere = Server::start(|asked| match (asked.kind, &*asked.name) {
            (AAAA, _) => Vec::new(),
            (_, "a.example") => vec![asked.answer(|answer| {
                let alias = Record::name("a.example", CNAME, "b.example", 60);
                answer.answers.push(alias);
            })],
            _ => vec![asked.addresses(&BOTH, 60)],
        });
        assert_eq!(
            texts(&patient(&[&elsewhere]).build(), "a.example"),
            [BOTH[0]]
        );
        // A family whose connection leads to nothing is one that is dropped.
        let hanging = Server::start(|asked| match (asked.kind, asked.tcp) {
            (AAAA, false) => vec![asked.answer(|answer| answer.truncated = true)],
            (AAAA, true) => Vec::new(),
            _ => vec![asked.addresses(&BOTH, 60)],
        });
        assert_eq!(texts(&patient(&[&hanging]).build(), "a.example"), [BOTH[0]]);
    });
}

#[test]
fn one_of_several_servers_drops() {
    bounded(|| {
        let (silent, drops) = (Server::silent(), dropping(AAAA));
        let resolver = asking(&[&silent, &drops])
            .timeout(SHORT)
            .lookup_timeout(None);
        assert_eq!(texts(&resolver.build(), "a.example"), [BOTH[0]]);
        // Each question goes its own way: the second server has what the first drops.
        let (first, second) = (dropping(AAAA), dropping(A));
        let resolver = asking(&[&first, &second]).timeout(SHORT).build();
        let mut found = texts(&resolver, "a.example");
        found.sort();
        assert_eq!(found, BOTH);
    });
}

#[test]
fn a_name_that_does_not_exist_ends_its_search() {
    bounded(|| {
        let nothing = |asked: &Asked| match &*asked.name {
            "www.two.example" => vec![asked.addresses(&BOTH, 60)],
            _ => vec![asked.code(NXDOMAIN)],
        };
        // The answer for IPv4 is believed at once,
        let server = Server::start(move |asked| match (asked.kind, &*asked.name) {
            (AAAA, "www.one.example" | "none") => Vec::new(),
            _ => nothing(asked),
        });
        let search = ["one.example", "two.example"];
        let resolver = patient(&[&server]).search(search).build();
        let mut found = texts(&resolver, "www");
        found.sort();
        assert_eq!(found, BOTH);
        assert_eq!(kind(&resolver, "none."), ErrorKind::NotFound);
        // that for IPv6 is not: some servers say so of every name.
        let server = Server::start(|asked| match asked.kind {
            A => {
                green::sleep(2 * GRACE);
                vec![asked.addresses(&BOTH, 60)]
            }
            _ => vec![asked.code(NXDOMAIN)],
        });
        assert_eq!(texts(&patient(&[&server]).build(), "a.example"), [BOTH[0]]);
    });
}

#[test]
fn a_name_without_an_address_of_one_family_is_asked_for_to_the_end() {
    bounded(|| {
        // It has no IPv4 address, so that it has no IPv6 address either must be heard.
        let server = Server::start(|asked| match asked.kind {
            AAAA => Vec::new(),
            _ => vec![asked.addresses(&[], 60)],
        });
        let resolver = asking(&[&server]).timeout(SHORT).attempts(3).build();
        assert_eq!(kind(&resolver, "a.example"), ErrorKind::TryAgain);
        let asked = server.asked();
        assert_eq!(asked.iter().filter(|asked| asked.kind == AAAA).count(), 3);
    });
}

#[test]
fn the_end_of_the_lookup_gives_what_has_come() {
    bounded(|| {
        let server = dropping(AAAA);
        let resolver = asking(&[&server]).timeout(600 * SECOND);
        let resolver = resolver.lookup_timeout(GRACE / 2).build();
        assert_eq!(texts(&resolver, "a.example"), [BOTH[0]]);
        // With nothing to give it is an error.
        let silent = Server::silent();
        let resolver = asking(&[&silent]).lookup_timeout(GRACE / 2).build();
        assert_eq!(kind(&resolver, "a.example"), ErrorKind::TryAgain);
    });
}

#[test]
fn a_kill_or_a_deadline_in_the_grace_closes_the_sockets() {
    bounded(|| {
        let server = dropping(AAAA);
        settle();
        let before = green::debug::counters();
        let resolver = patient(&[&server]).build();
        let asker = {
            let resolver = resolver.clone();
            green::spawn(move || resolver.lookup("a.example", 80))
        };
        while server.count() < 2 {
            green::yield_now();
        }
        settle();
        asker.kill();
        assert!(asker.is_dead());
        assert_eq!(green::debug::counters().descriptors, before.descriptors);
        assert_eq!(green::debug::counters().timers, before.timers);
        let late = Timeout::new(SHORT).run(|| resolver.lookup("a.example", 80));
        assert!(late.is_err());
        assert_eq!(green::debug::counters().descriptors, before.descriptors);
        // Nobody is left behind, and the next is served.
        assert_eq!(texts(&resolver, "a.example"), [BOTH[0]]);
        assert_eq!(green::debug::counters().greenthreads, before.greenthreads);
    });
}
