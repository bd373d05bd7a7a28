//! Messages, pings and limits on an open connection.

use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use green::debug::counters;
use green_ws::{Deflate, Error, Message, Options};

use crate::common::{bounded, frame, noise, pair, pair_with, raw_client, read_frame, settle};

#[test]
fn messages_of_all_lengths_go_both_ways() {
    bounded(|| {
        for deflate in [
            None,
            Some(Deflate::new()),
            Some(Deflate::new().context_takeover(false)),
        ] {
            let mut options = Options::new();
            if let Some(deflate) = deflate {
                options = options.deflate(deflate);
            }
            let (near, far) = pair_with(&options, &options);
            green::scope(|scope| {
                let far = &far;
                scope.spawn(move || {
                    while let Some(message) = far.receive().unwrap() {
                        far.send(message).unwrap();
                    }
                });
                for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
                    let bytes = Message::from(noise(len, len as u32));
                    let text = Message::from("\u{e4}b".repeat(len / 3));
                    for message in [bytes, text] {
                        near.send(message.clone()).unwrap();
                        let back = near.receive().unwrap();
                        assert!(back == Some(message), "{len} bytes");
                    }
                }
                near.close(1000, "").unwrap();
            })
            .unwrap();
        }
    });
}

#[test]
fn an_empty_text_is_a_message() {
    let (near, far) = pair();
    near.send("").unwrap();
    near.send(Vec::new()).unwrap();
    assert_eq!(far.receive().unwrap(), Some(Message::from("")));
    assert_eq!(far.receive().unwrap(), Some(Message::from(Vec::new())));
}

#[test]
fn many_send_and_nothing_mixes() {
    bounded(|| {
        for deflate in [false, true] {
            let options = match deflate {
                true => Options::new().deflate(Deflate::new()),
                false => Options::new(),
            };
            let (near, far) = pair_with(&options, &options);
            const SENDERS: usize = 8;
            const EACH: usize = 20;
            green::scope(|scope| {
                for sender in 0..SENDERS {
                    let near = near.clone();
                    scope.spawn(move || {
                        for n in 0..EACH {
                            near.send(noise(20_000 * (n % 3) + 10, (sender * EACH + n) as u32))
                                .unwrap();
                            near.ping(b"in between").unwrap();
                        }
                    });
                }
                let mut seen = [0; SENDERS];
                for _ in 0..SENDERS * EACH {
                    let bytes = far.receive().unwrap().unwrap().into_bytes();
                    // Whose it is, is known by trying: each sender's messages come in their order.
                    let sender = (0..SENDERS).find(|&sender| {
                        let n = seen[sender];
                        let seed = (sender * EACH + n) as u32;
                        n < EACH && bytes == noise(20_000 * (n % 3) + 10, seed)
                    });
                    seen[sender.expect("a message of none")] += 1;
                }
                assert_eq!(seen, [EACH; SENDERS]);
            })
            .unwrap();
        }
    });
}

#[test]
fn pings_are_answered_while_one_receives() {
    let (mut near, far) = raw_client(&Options::new());
    let reader = far.clone();
    let reader = green::spawn(move || reader.receive().unwrap());
    near.write_all(&frame(0x89, b"are you there?")).unwrap();
    assert_eq!(read_frame(&mut near), (0x8a, b"are you there?".to_vec()));
    // A pong that nobody has asked for is none of a message.
    near.write_all(&frame(0x8a, b"yes")).unwrap();
    // Within a message of fragments.
    near.write_all(&frame(0x01, b"hel")).unwrap();
    near.write_all(&frame(0x89, b"")).unwrap();
    assert_eq!(read_frame(&mut near), (0x8a, Vec::new()));
    near.write_all(&frame(0x80, b"lo")).unwrap();
    assert_eq!(reader.join().unwrap(), Some(Message::from("hello")));
}

#[test]
fn a_flood_of_pings_costs_no_memory() {
    bounded(|| {
        let (near, far) = raw_client(&Options::new());
        let reader = far.clone();
        let reader = green::spawn(move || reader.receive().unwrap());
        let flood: Vec<u8> = (0..2_000).flat_map(|_| frame(0x89, &[7; 125])).collect();
        // Nobody reads the answers: they soon have no room, and only the last is kept.
        let greenthreads = counters().greenthreads;
        for _ in 0..100 {
            (&near).write_all(&flood).unwrap();
            assert!(
                counters().greenthreads <= greenthreads + 1,
                "one helper for each ping"
            );
        }
        (&near).write_all(&frame(0x81, b"after the flood")).unwrap();
        assert_eq!(
            reader.join().unwrap(),
            Some(Message::from("after the flood"))
        );
        // The last answer comes, however many are missing.
        (&near).write_all(&frame(0x89, b"last")).unwrap();
        let reader = far.clone();
        let reader = green::spawn(move || reader.receive());
        let mut answers = 0;
        loop {
            let (first, payload) = read_frame(&mut &near);
            assert_eq!(first, 0x8a);
            if payload == b"last" {
                break;
            }
            answers += 1;
        }
        assert!(answers < 200_000);
        reader.kill();
    });
}

#[test]
fn the_limit_is_told_and_the_connection_closed() {
    bounded(|| {
        let limited = Options::new().max_message(1_000).deflate(Deflate::new());
        for (deflate, message) in [
            (false, Message::from(noise(1_001, 1))),
            // Short on its way.
            (true, Message::from(vec![0; 1 << 20])),
        ] {
            let ours = match deflate {
                true => Options::new().deflate(Deflate::new()),
                false => Options::new(),
            };
            let (near, far) = pair_with(&ours, &limited);
            let server = green::spawn(move || {
                assert_eq!(far.receive().unwrap(), Some(Message::from(vec![5; 1_000])));
                let error = far.receive().unwrap_err();
                assert!(
                    matches!(error, Error::Protocol { code: 1009, .. }),
                    "{error}"
                );
                assert!(matches!(far.receive(), Err(Error::Closed)));
                assert!(matches!(far.send("x"), Err(Error::Closed)));
            });
            near.send(vec![5; 1_000]).unwrap();
            near.send(message).unwrap();
            assert_eq!(near.receive().unwrap(), None);
            assert_eq!(near.close_frame().unwrap().code, 1009);
            server.join().unwrap();
        }
    });
}

#[test]
fn rules_that_are_broken_are_named() {
    bounded(|| {
        for (bytes, code) in [
            (frame(0x83, b""), 1002),
            (frame(0xc1, b"x"), 1002),
            (vec![0x81, 0x01, b'x'], 1002),
            (frame(0x81, &[0xff]), 1007),
            (frame(0x01, &[0xff]), 1007),
        ] {
            let (mut near, far) = raw_client(&Options::new());
            near.write_all(&bytes).unwrap();
            let server = green::spawn(move || far.receive().unwrap_err());
            let (first, payload) = read_frame(&mut near);
            assert_eq!((first, &payload[..2]), (0x88, &u16::to_be_bytes(code)[..]));
            assert!(payload.len() > 2, "no reason is given");
            near.shutdown(std::net::Shutdown::Both).unwrap();
            let error = server.join().unwrap();
            assert!(
                matches!(error, Error::Protocol { code: told, .. } if told == code),
                "{error}"
            );
        }
    });
}

#[test]
fn several_receivers_take_turns() {
    let (near, far) = pair();
    let far = Rc::new(far);
    let receivers: Vec<_> = (0..3)
        .map(|_| {
            let far = Rc::clone(&far);
            let receiver = green::spawn(move || far.receive().unwrap().unwrap());
            // It takes its place before the next.
            settle();
            receiver
        })
        .collect();
    for text in ["first", "second", "third"] {
        near.send(text).unwrap();
    }
    let got: Vec<_> = receivers
        .into_iter()
        .map(|receiver| receiver.join().unwrap())
        .collect();
    assert_eq!(got, ["first", "second", "third"].map(Message::from));
}

#[test]
fn nobody_runs_while_all_wait() {
    bounded(|| {
        let (near, far) = pair();
        let reader = far.clone();
        let reader = green::spawn(move || reader.receive());
        let flooder = far.clone();
        let flooder = green::spawn(move || while flooder.send(vec![0; 1 << 20]).is_ok() {});
        // The system takes what it takes first.
        let idle = || {
            let before = counters();
            green::sleep(Duration::from_millis(30));
            let after = counters();
            after.turns - before.turns <= 2 && after.switches == before.switches
        };
        assert!(
            (0..200).any(|_| idle()),
            "somebody always runs while all wait"
        );
        assert!(idle() && idle(), "somebody runs while all wait");
        reader.kill();
        flooder.kill();
        drop(near);
    });
}

#[test]
fn what_cannot_be_sent_is_refused_here() {
    let (near, _far) = pair();
    assert!(near.ping(&[0; 126]).is_err());
    for code in [0, 999, 1004, 1005, 1006, 1015, 2000, 5000] {
        assert!(near.close(code, "").is_err(), "{code}");
    }
    assert!(near.close(1000, &"x".repeat(124)).is_err());
    near.send("still open").unwrap();
}
