//! What is kept, and for how long.

use super::server::{NXDOMAIN, Record, SERVFAIL, Server};
use super::{SECOND, asking, failure, texts};
use crate::common::bounded;

#[test]
fn answers_are_kept_as_long_as_they_say() {
    bounded(|| {
        green::sim::run_in_order(|| {
            let server = Server::of(&["192.0.2.1"], 30);
            let resolver = asking(&[&server]).build();
            let other = resolver.clone();
            texts(&resolver, "a.example");
            green::sleep(29 * SECOND);
            texts(&other, "A.example.");
            assert_eq!(server.names(), ["a.example"]);
            green::sleep(2 * SECOND);
            texts(&resolver, "a.example");
            assert_eq!(server.names(), ["a.example"]);
            // Another resolver has a cache of its own, and one may have none.
            let none = asking(&[&server]).cache_size(0).build();
            texts(&none, "a.example");
            texts(&none, "a.example");
            assert_eq!(server.names(), ["a.example", "a.example"]);
        });
    });
}

#[test]
fn the_shortest_time_of_a_chain_counts() {
    bounded(|| {
        green::sim::run_in_order(|| {
            let server = Server::start(|asked| {
                vec![asked.answer(|answer| {
                    let (a, b) = ("a.example", "b.example");
                    let alias = Record::name(a, super::server::CNAME, b, 10);
                    let address = Record::address(b, super::ip("192.0.2.1"), 1000);
                    answer.answers.extend([alias, address]);
                })]
            });
            let resolver = asking(&[&server]).build();
            resolver.gethostbyname("a.example").unwrap();
            green::sleep(9 * SECOND);
            resolver.gethostbyname("a.example").unwrap();
            assert_eq!(server.names().len(), 1);
            green::sleep(2 * SECOND);
            resolver.gethostbyname("a.example").unwrap();
            assert_eq!(server.names().len(), 1);
        });
    });
}

#[test]
fn an_answer_without_time_is_not_kept() {
    bounded(|| {
        for ttl in [0, u32::MAX] {
            let server = Server::start(move |asked| vec![asked.addresses(&["192.0.2.1"], ttl)]);
            let resolver = asking(&[&server]).build();
            texts(&resolver, "a.example");
            texts(&resolver, "a.example");
            assert_eq!(server.names().len(), 2);
        }
    });
}

#[test]
fn that_there_is_nothing_is_kept_as_its_zone_says() {
    bounded(|| {
        green::sim::run_in_order(|| {
            let server = Server::start(|asked| {
                vec![asked.answer(|answer| {
                    let soa = match &*asked.name {
                        "minimum.example" => Some(Record::soa("example", 1000, 30)),
                        "ttl.example" => Some(Record::soa("example", 30, 1000)),
                        "nodata.example" => Some(Record::soa("example", 30, 30)),
                        "soaless.example" => None,
                        _ => {
                            answer.code = SERVFAIL;
                            return;
                        }
                    };
                    if asked.name != "nodata.example" {
                        answer.code = NXDOMAIN;
                    }
                    answer.authorities.extend(soa);
                })]
            });
            let resolver = asking(&[&server]).attempts(1).build();
            for name in ["minimum.example", "ttl.example", "nodata.example"] {
                let (first, _) = failure(&resolver, name);
                green::sleep(29 * SECOND);
                assert_eq!(failure(&resolver, name).0, first);
                assert_eq!(server.names(), [name]);
                green::sleep(2 * SECOND);
                failure(&resolver, name);
                assert_eq!(server.names(), [name]);
            }
            for name in ["soaless.example", "broken.example"] {
                failure(&resolver, name);
                failure(&resolver, name);
                assert_eq!(server.names(), [name, name]);
            }
        });
    });
}
