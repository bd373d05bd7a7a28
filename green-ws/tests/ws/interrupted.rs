//! Kills and deadlines at every wait.

use std::time::Duration;

use green::Timeout;
use green::debug::counters;
use green::net::UnixStream;
use green_ws::{Deflate, Message, Options, accept, client};

use crate::common::{bounded, noise, pair_with, raw_client, settle};

const MS: Duration = Duration::from_millis(1);

fn options() -> [Options; 2] {
    [Options::new(), Options::new().deflate(Deflate::new())]
}

#[test]
fn a_receive_that_is_cut_short_goes_on() {
    bounded(|| {
        for options in options() {
            let (near, far) = pair_with(&options, &options);
            let sender = green::spawn(move || {
                for n in 0..20 {
                    near.send(noise(100_000, n)).unwrap();
                    green::sleep(MS);
                }
                near
            });
            let (mut cuts, mut n) = (0, 0);
            while n < 20 {
                match Timeout::new(MS / 5).run(|| far.receive()) {
                    Err(_) => cuts += 1,
                    Ok(message) => {
                        assert!(message.unwrap() == Some(Message::from(noise(100_000, n))));
                        n += 1;
                    }
                }
            }
            assert!(cuts > 0, "no wait was cut short");
            sender.join().unwrap();
        }
    });
}

/// A message that tells its seed, and whether it is whole.
struct Messages(Vec<u8>);

impl Messages {
    fn new() -> Messages {
        Messages(noise(100_000, 7))
    }

    fn of(&self, seed: u32) -> Vec<u8> {
        let at = seed as usize * 10;
        [&seed.to_be_bytes(), &self.0[at..at + 80_000]].concat()
    }

    fn seed(&self, bytes: &[u8]) -> u32 {
        let seed = u32::from_be_bytes(*bytes.first_chunk().unwrap());
        assert!(bytes == self.of(seed), "a message was torn");
        seed
    }
}

/// Senders are killed or run out of time wherever they wait, while the other side reads slowly: what comes is whole
/// messages, each at most once, and all of those whose `send` has returned.
#[test]
fn a_send_that_is_cut_short_leaves_no_half_frame() {
    bounded(|| {
        for options in options() {
            // Unix sockets have little room.
            let (near, far) = UnixStream::pair().unwrap();
            let theirs = options.clone();
            let reader = green::spawn(move || {
                let (far, messages) = (accept(far, &theirs).unwrap(), Messages::new());
                let mut got = Vec::new();
                while let Some(message) = far.receive().unwrap() {
                    got.push(messages.seed(message.as_bytes()));
                    green::sleep(MS / 2);
                }
                got
            });
            let near = client(near, "ws://localhost/", &options).unwrap();
            let messages = Messages::new();
            let (mut sent, mut cuts) = (Vec::new(), 0);
            for seed in 0..150 {
                let limit = MS * (seed % 5) / 3 + Duration::from_micros(50);
                let bytes = messages.of(seed);
                let sending = if seed % 3 == 0 {
                    let socket = near.clone();
                    let sender = green::spawn(move || socket.send(bytes));
                    green::sleep(limit);
                    sender.kill();
                    sender.join().ok()
                } else {
                    Timeout::new(limit).run(|| near.send(bytes)).ok()
                };
                match sending {
                    Some(done) => done.map(|()| sent.push(seed)).unwrap(),
                    None => cuts += 1,
                }
            }
            near.send(messages.of(1_000)).unwrap();
            sent.push(1_000);
            near.close(1000, "").unwrap();
            let got = reader.join().unwrap();
            assert!(cuts > 0, "no send was cut short");
            assert!(
                !sent.is_empty() && got.len() > sent.len(),
                "each cut came before its turn"
            );
            assert!(
                got.is_sorted_by(|a, b| a < b),
                "twice, or in another order: {got:?}"
            );
            assert!(
                sent.iter().all(|seed| got.contains(seed)),
                "{sent:?} but {got:?}"
            );
        }
    });
}

#[test]
fn the_rest_of_a_frame_goes_out_although_nobody_sends_any_more() {
    bounded(|| {
        let (near, far) = pair_with(&Options::new(), &Options::new());
        let long = noise(8 << 20, 1);
        let socket = near.clone();
        let bytes = long.clone();
        let sender = green::spawn(move || socket.send(bytes));
        settle();
        let before = counters().greenthreads;
        sender.kill();
        assert!(sender.join().is_err());
        assert!(far.receive().unwrap() == Some(Message::from(long)));
        settle();
        assert!(
            counters().greenthreads <= before,
            "the one who sent the rest is still there"
        );
    });
}

#[test]
fn a_send_that_waits_its_turn_is_cut_short_without_a_trace() {
    bounded(|| {
        let (near, far) = pair_with(&Options::new(), &Options::new());
        let long = noise(8 << 20, 1);
        let socket = near.clone();
        let bytes = long.clone();
        let first = green::spawn(move || socket.send(bytes));
        settle();
        let socket = near.clone();
        let second = green::spawn(move || socket.send("never sent"));
        settle();
        second.kill();
        assert!(second.join().is_err());
        assert!(far.receive().unwrap() == Some(Message::from(long)));
        first.join().unwrap().unwrap();
        near.send("after").unwrap();
        assert_eq!(far.receive().unwrap(), Some(Message::from("after")));
    });
}

#[test]
fn a_close_that_is_cut_short_can_be_repeated() {
    bounded(|| {
        let (near, far) = pair_with(&Options::new(), &Options::new());
        assert!(Timeout::new(MS).run(|| near.close(4000, "first")).is_err());
        let server = green::spawn(move || {
            assert_eq!(far.receive().unwrap(), None);
            far.close_frame().unwrap().reason
        });
        near.close(4000, "second").unwrap();
        assert_eq!(server.join().unwrap(), "first");
    });
}

#[test]
fn nothing_is_left_when_a_peer_never_reads() {
    bounded(|| {
        settle();
        let before = counters();
        let (near, far) = raw_client(&Options::new());
        let socket = far.clone();
        let sender = green::spawn(move || socket.send(noise(64 << 20, 1)));
        green::sleep(5 * MS);
        sender.kill();
        assert!(sender.join().is_err());
        green::sleep(5 * MS);
        drop(far);
        settle();
        let after = counters();
        assert_eq!(
            after.greenthreads, before.greenthreads,
            "the helper outlives the connection"
        );
        drop(near);
        assert_eq!(counters().descriptors, before.descriptors);
    });
}
