//! Who is asked, how, and which answers count.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::Timeout;
use green::dns::{ErrorKind, Resolver};
use green::net::UdpSocket;

use super::server::{A, AAAA, REFUSED, SERVFAIL, Server};
use super::{SECOND, asking, failure, kind, texts};
use crate::common::{SHORT, bounded, settle};

#[test]
fn both_families_are_asked_for_at_once() {
    bounded(|| {
        let first = RefCell::new(None);
        // Says nothing before both questions are there.
        let server = Server::start_with(move |asked, socket| {
            let all = ["192.0.2.1", "2001:db8::1"];
            let Some((address, message)) = first.borrow_mut().take() else {
                *first.borrow_mut() = Some((asked.from, asked.addresses(&all, 60)));
                return Vec::new();
            };
            let address: SocketAddr = address;
            let message: Vec<u8> = message;
            socket.send_to(&message, address).unwrap();
            vec![asked.addresses(&all, 60)]
        });
        let resolver = asking(&[&server]).timeout(60 * SECOND).build();
        let mut found = texts(&resolver, "a.example");
        found.sort();
        assert_eq!(found, ["192.0.2.1", "2001:db8::1"]);
        let asked = server.asked();
        assert_eq!(asked.len(), 2);
        assert_ne!(asked[0].from, asked[1].from, "a socket for each question");
    });
}

#[test]
fn numbers_and_ports_are_drawn_anew() {
    bounded(|| {
        let server = Server::of(&["192.0.2.1"], 0);
        let resolver = asking(&[&server]).build();
        for _ in 0..20 {
            resolver.gethostbyname("a.example").unwrap();
        }
        let mut ids: Vec<_> = server.asked().iter().map(|asked| asked.id).collect();
        let mut ports: Vec<_> = server.asked().iter().map(|asked| asked.from).collect();
        ids.sort_unstable();
        ids.dedup();
        ports.sort_unstable();
        ports.dedup();
        assert!(ids.len() > 15 && ports.len() > 1, "{ids:?} {ports:?}");
        let steps: Vec<_> = server
            .asked()
            .windows(2)
            .map(|pair| pair[1].id.wrapping_sub(pair[0].id))
            .collect();
        assert!(steps.iter().any(|step| *step != steps[0]), "{steps:?}");
    });
}

#[test]
fn an_answer_from_elsewhere_is_passed_over() {
    bounded(|| {
        let server = Server::start(|asked| {
            let other = UdpSocket::bind("127.0.0.1:0").unwrap();
            let forged = asked.addresses(&["192.0.2.66"], 60);
            other.send_to(&forged, asked.from).unwrap();
            let other = UdpSocket::bind("127.0.0.2:0").unwrap();
            other.send_to(&forged, asked.from).unwrap();
            green::sleep(SHORT);
            vec![asked.addresses(&["192.0.2.1"], 60)]
        });
        let resolver = asking(&[&server]).build();
        assert_eq!(texts(&resolver, "a.example"), ["192.0.2.1"]);
        assert_eq!(server.count(), 2, "it has gone on waiting");
    });
}

#[test]
fn what_is_no_answer_to_the_question_is_passed_over() {
    bounded(|| {
        let server = Server::start(|asked| {
            let forged = asked.addresses(&["192.0.2.66"], 60);
            let changed = |at: usize, to: u8| {
                let mut message = forged.clone();
                message[at] = to;
                message
            };
            let kind_at = 12 + asked.name.len() + 2;
            vec![
                changed(0, !forged[0]),   // another number
                changed(2, 0x01),         // a question
                changed(2, 0x28 | 0x80),  // another operation
                changed(13, b'z'),        // another name
                changed(kind_at + 1, 16), // another type
                changed(kind_at + 3, 3),  // another class
                changed(5, 0),            // no question
                changed(5, 2),            // two
                asked.answer(|answer| answer.question.clear()),
                forged[..11].to_vec(),
                Vec::new(),
                asked.addresses(&["192.0.2.1"], 60),
            ]
        });
        let resolver = asking(&[&server]).build();
        assert_eq!(texts(&resolver, "a.example"), ["192.0.2.1"]);
        assert_eq!(server.count(), 2, "it has gone on waiting");
    });
}

#[test]
fn the_case_of_an_answer_does_not_matter() {
    bounded(|| {
        let server = Server::start(|asked| {
            let mut message = asked.addresses(&["192.0.2.1"], 60);
            message[13..].make_ascii_uppercase();
            vec![message]
        });
        assert_eq!(
            texts(&asking(&[&server]).build(), "a.example"),
            ["192.0.2.1"]
        );
    });
}

#[test]
fn only_wrong_answers_are_none() {
    bounded(|| {
        let server = Server::start(|asked| {
            let id = !asked.id;
            vec![asked.answer(|answer| answer.id = id)]
        });
        let resolver = asking(&[&server]).attempts(1).timeout(SHORT).build();
        let start = Instant::now();
        assert_eq!(kind(&resolver, "a.example"), ErrorKind::TryAgain);
        assert!(start.elapsed() >= SHORT);
    });
}

#[test]
fn a_flood_of_wrong_answers_ends_with_the_time_and_starves_nobody() {
    bounded(|| {
        let server = Server::start_with(|asked, socket| {
            let (socket, from, id) = (Rc::clone(socket), asked.from, !asked.id);
            let wrong = asked.answer(|answer| answer.id = id);
            green::spawn_n(move || {
                // More at a time than the other side reads; what does not fit is lost.
                loop {
                    for _ in 0..500 {
                        let _ = socket.try_send_to(&wrong, from);
                    }
                    green::yield_now();
                }
            });
            Vec::new()
        });
        let turns = Rc::new(Cell::new(0));
        let count = Rc::clone(&turns);
        green::spawn_n(move || {
            loop {
                count.set(count.get() + 1);
                green::yield_now();
            }
        });
        let resolver = asking(&[&server]).attempts(1).timeout(8 * SHORT);
        let resolver = resolver.lookup_timeout(None).build();
        assert_eq!(kind(&resolver, "a.example"), ErrorKind::TryAgain);
        assert!(turns.get() > 2, "{} turns", turns.get());
    });
}

#[test]
fn a_truncated_answer_is_fetched_over_tcp() {
    bounded(|| {
        let many: Vec<_> = (0..250).map(|n| format!("192.0.2.{n}")).collect();
        let answer = many.clone();
        let server = Server::start(move |asked| {
            let addresses: Vec<_> = answer.iter().map(String::as_str).collect();
            vec![if asked.tcp || asked.kind == AAAA {
                asked.addresses(&addresses, 60)
            } else {
                // Cut off in the middle of a record.
                let mut message = asked.addresses(&addresses, 60);
                message.truncate(500);
                message[2] |= 2;
                message
            }]
        });
        let resolver = asking(&[&server]).build();
        assert_eq!(texts(&resolver, "a.example"), many);
        assert_eq!(server.names(), ["a.example", "a.example/tcp"]);
    });
}

/// Truncates over UDP and over TCP says what `say` says.
fn over_tcp(say: impl Fn(&super::server::Asked) -> Vec<Vec<u8>> + 'static) -> Server {
    Server::start(move |asked| {
        if asked.tcp {
            say(asked)
        } else {
            vec![asked.answer(|answer| answer.truncated = true)]
        }
    })
}

#[test]
fn rubbish_over_tcp_is_an_error_and_the_next_server_is_asked() {
    bounded(|| {
        let good = Server::of(&["192.0.2.1"], 60);
        let other = over_tcp(|asked| {
            let id = !asked.id;
            vec![asked.answer(|answer| answer.id = id)]
        });
        let short = over_tcp(|asked| vec![asked.addresses(&["192.0.2.66"], 60)[..30].to_vec()]);
        let empty = over_tcp(|_| vec![Vec::new()]);
        let gone = over_tcp(|_| Vec::new());
        let again = over_tcp(|asked| vec![asked.answer(|answer| answer.truncated = true)]);
        for bad in [&other, &short, &empty, &gone, &again] {
            let resolver = asking(&[bad, &good]).cache_size(0).build();
            assert_eq!(texts(&resolver, "a.example"), ["192.0.2.1"]);
            let alone = asking(&[bad]).attempts(1).build();
            let (kind, text) = failure(&alone, "a.example");
            let expected = [ErrorKind::Failed, ErrorKind::TryAgain];
            assert!(expected.contains(&kind), "{text}");
        }
        let stalling = over_tcp(|_| {
            green::sleep(60 * SECOND);
            Vec::new()
        });
        let resolver = asking(&[&stalling]).attempts(1).timeout(SHORT).build();
        let error = resolver.lookup("a.example", 80).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_silent_server_is_followed_by_the_next() {
    bounded(|| {
        let silent = Server::silent();
        let good = Server::of(&["192.0.2.1"], 60);
        let resolver = asking(&[&silent, &good]).timeout(SHORT).build();
        let start = Instant::now();
        assert_eq!(texts(&resolver, "a.example"), ["192.0.2.1"]);
        assert!(start.elapsed() >= SHORT);
        assert_eq!((silent.count(), good.count()), (2, 2));
    });
}

#[test]
fn all_servers_are_asked_as_often_as_it_says() {
    bounded(|| {
        let (one, two) = (Server::silent(), Server::silent());
        let resolver = asking(&[&one, &two]).attempts(3).timeout(SHORT).build();
        let start = Instant::now();
        let error = resolver.lookup("a.example", 80).unwrap_err();
        assert!(start.elapsed() >= 6 * SHORT);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(green::is_timeout(&error));
        assert_eq!((one.count(), two.count()), (6, 6));
        let text = error.to_string();
        for server in [&one, &two] {
            assert!(text.contains(&server.address.to_string()), "{text}");
        }
    });
}

#[test]
fn a_server_that_fails_is_followed_by_the_next_at_once() {
    bounded(|| {
        let good = Server::of(&["192.0.2.1"], 60);
        let broken = Server::start(|asked| vec![asked.code(SERVFAIL)]);
        let unwilling = Server::start(|asked| vec![asked.code(REFUSED)]);
        let garbled = Server::start(|asked| {
            let message = asked.addresses(&["192.0.2.66", "2001:db8::66"], 60);
            vec![message[..message.len() - 3].to_vec()]
        });
        let absent = {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.local_addr().unwrap()
        };
        for (bad, why) in [
            (broken.address, ErrorKind::TryAgain),
            (unwilling.address, ErrorKind::Failed),
            (garbled.address, ErrorKind::Failed),
            (absent, ErrorKind::TryAgain),
        ] {
            // So long that the test would hang.
            let builder = asking(&[]).timeout(600 * SECOND).lookup_timeout(None);
            let resolver = builder.clone().nameservers([bad, good.address]).build();
            assert_eq!(texts(&resolver, "a.example"), ["192.0.2.1"]);
            let alone = builder.nameservers([bad]).build();
            let (kind, text) = failure(&alone, "a.example");
            assert_eq!(kind, why, "{text}");
        }
    });
}

#[test]
fn servers_take_turns_if_they_shall() {
    bounded(|| {
        let servers = [1, 2].map(|_| Server::of(&["192.0.2.1"], 0));
        let first: Vec<_> = servers.iter().collect();
        let ask = |resolver: Resolver| {
            for _ in 0..4 {
                resolver.gethostbyname("a.example").unwrap();
            }
            [servers[0].names().len(), servers[1].names().len()]
        };
        assert_eq!(ask(asking(&first).build()), [4, 0]);
        assert_eq!(ask(asking(&first).rotate(true).build()), [2, 2]);
    });
}

#[test]
fn a_whole_lookup_has_a_deadline() {
    bounded(|| {
        let silent = Server::silent();
        let builder = asking(&[&silent]).timeout(60 * SECOND);
        let resolver = builder.lookup_timeout(SHORT).build();
        let start = Instant::now();
        let error = resolver.lookup("a.example", 80).unwrap_err();
        assert!(start.elapsed() >= SHORT);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(kind(&resolver, "a.example"), ErrorKind::TryAgain);
        green::sim::run_in_order(|| {
            let silent = Server::silent();
            let resolver = asking(&[&silent]).attempts(100).build();
            let start = green::time::now();
            assert_eq!(kind(&resolver, "a.example"), ErrorKind::TryAgain);
            assert_eq!(green::time::now() - start, 10 * SECOND);
        });
    });
}

#[test]
fn the_default_timeout_of_sockets_is_for_others() {
    bounded(|| {
        let server = Server::start(|asked| {
            green::sleep(3 * SHORT);
            vec![if asked.tcp {
                asked.addresses(&["192.0.2.1"], 60)
            } else {
                asked.answer(|answer| answer.truncated = true)
            }]
        });
        green::net::set_default_timeout(Some(Duration::from_millis(1))).unwrap();
        let resolver = asking(&[&server]).build();
        let found = resolver.gethostbyname("a.example");
        green::net::set_default_timeout(None).unwrap();
        assert_eq!(found.unwrap(), super::ip("192.0.2.1"));
        assert_eq!(server.count(), 2);
    });
}

#[test]
fn a_kill_or_a_deadline_closes_the_sockets_at_once() {
    bounded(|| {
        let silent = Server::silent();
        settle();
        let before = green::debug::counters().descriptors;
        let stalling = over_tcp(|_| {
            green::sleep(600 * SECOND);
            Vec::new()
        });
        settle();
        for (server, questions) in [(&silent, 2), (&stalling, 3)] {
            let resolver = Rc::new(asking(&[server]).timeout(600 * SECOND).build());
            let asker = {
                let resolver = Rc::clone(&resolver);
                green::spawn(move || resolver.lookup("a.example", 80))
            };
            while server.count() < questions {
                green::sleep(Duration::from_millis(1));
            }
            let open = green::debug::counters().descriptors;
            asker.kill();
            assert!(asker.is_dead());
            let closed = green::debug::counters().descriptors;
            assert!(closed < open, "{before}, {open}, {closed}");
            let asked = server.count();
            let late = Timeout::new(SHORT).run(|| resolver.lookup("a.example", 80));
            assert!(late.is_err());
            assert!(server.count() > asked);
            assert_eq!(green::debug::counters().descriptors, closed);
        }
    });
}

#[test]
fn one_question_for_many_askers() {
    bounded(|| {
        let server = Server::start(|asked| {
            green::sleep(SHORT);
            // Not to be kept, so only the waiting ones can have it.
            vec![asked.addresses(&["192.0.2.1"], 0)]
        });
        let resolver = asking(&[&server]).build();
        let askers: Vec<_> = (0..50)
            .map(|_| {
                let resolver = resolver.clone();
                green::spawn(move || texts(&resolver, "a.example"))
            })
            .collect();
        for asker in askers {
            assert_eq!(asker.join().unwrap(), ["192.0.2.1"]);
        }
        let kinds: Vec<_> = server.asked().iter().map(|asked| asked.kind).collect();
        assert_eq!(kinds, [AAAA, A]);
        // They share failures, too.
        let broken = Server::start(|asked| {
            green::sleep(SHORT);
            vec![asked.code(SERVFAIL)]
        });
        let resolver = asking(&[&broken]).attempts(1).build();
        let askers: Vec<_> = (0..50)
            .map(|_| {
                let resolver = resolver.clone();
                green::spawn(move || kind(&resolver, "a.example"))
            })
            .collect();
        for asker in askers {
            assert_eq!(asker.join().unwrap(), ErrorKind::TryAgain);
        }
        assert_eq!(broken.count(), 2);
    });
}

#[test]
fn a_killed_asker_does_not_fail_the_others() {
    bounded(|| {
        // The first asker's questions are never answered.
        let asked_before = Cell::new(0);
        let server = Server::start(move |asked| {
            asked_before.set(asked_before.get() + 1);
            if asked_before.get() <= 2 {
                return Vec::new();
            }
            vec![asked.addresses(&["192.0.2.1"], 60)]
        });
        for impatient in [false, true] {
            let server = if impatient {
                &Server::start({
                    let count = Cell::new(0);
                    move |asked| {
                        count.set(count.get() + 1);
                        let late = count.get() > 2;
                        late.then(|| asked.addresses(&["192.0.2.1"], 60))
                            .into_iter()
                            .collect()
                    }
                })
            } else {
                &server
            };
            let resolver = asking(&[server])
                .timeout(600 * SECOND)
                .lookup_timeout(None)
                .build();
            let ask = || {
                let resolver = resolver.clone();
                move || resolver.gethostbyname("a.example")
            };
            let both = || {
                let resolver = resolver.clone();
                move || resolver.lookup("a.example", 80)
            };
            let leader = {
                let both = both();
                green::spawn(move || {
                    let limit = impatient.then_some(4 * SHORT);
                    Timeout::new(limit).run(both).is_err()
                })
            };
            green::yield_now();
            let followers = [green::spawn(ask()), green::spawn(ask())];
            let follower = green::spawn(both());
            while server.count() < 2 {
                green::sleep(Duration::from_millis(1));
            }
            if impatient {
                assert!(leader.join().unwrap());
            } else {
                leader.kill();
            }
            for follower in followers {
                assert_eq!(follower.join().unwrap().unwrap(), super::ip("192.0.2.1"));
            }
            assert_eq!(follower.join().unwrap().unwrap().len(), 1);
            assert_eq!(server.count(), 4, "each question once more");
        }
    });
}

#[test]
fn a_lookup_while_the_thread_unwinds_is_an_error() {
    struct Asks(Resolver);
    impl Drop for Asks {
        fn drop(&mut self) {
            let error = self.0.lookup("a.example", 80).unwrap_err();
            assert_ne!(error.kind(), io::ErrorKind::TimedOut);
        }
    }
    bounded(|| {
        let server = Server::of(&["192.0.2.1"], 60);
        let resolver = asking(&[&server]).timeout(600 * SECOND).build();
        let asks = Asks(resolver.clone());
        let panicking = green::spawn(move || {
            let _asks = asks;
            std::panic::resume_unwind(Box::new("over"));
        });
        assert!(panicking.join().is_err());
        assert_eq!(texts(&resolver, "a.example"), ["192.0.2.1"]);
    });
}
