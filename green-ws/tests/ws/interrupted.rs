//! Kills and deadlines at every wait.

use std::time::Duration;

use green::Timeout;
use green::debug::counters;
use green_ws::{Deflate, Message, Options};

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

/// Senders are killed or run out of time wherever they wait, while the other side reads slowly: what comes is whole
/// messages, each at most once, and all of those whose `send` has returned.
#[test]
fn a_send_that_is_cut_short_leaves_no_half_frame() {
    bounded(|| {
        for (round, options) in (0..6).flat_map(|round| options().map(|options| (round, options))) {
            let (near, far) = pair_with(&options, &options);
            let reader = green::spawn(move || {
                let mut got = Vec::new();
                while let Some(message) = far.receive().unwrap() {
                    let bytes = message.into_bytes();
                    let seed = u32::from_be_bytes(*bytes.first_chunk().unwrap());
                    assert!(
                        bytes[4..] == noise(bytes.len() - 4, seed),
                        "a message was torn"
                    );
                    got.push(seed);
                    if got.len() % 2 == 0 {
                        green::sleep(MS);
                    }
                }
                got
            });
            let message = |seed: u32| {
                let mut bytes = seed.to_be_bytes().to_vec();
                bytes.extend(noise(400_000 + 50_000 * round, seed));
                bytes
            };
            let (mut sent, mut cuts) = (Vec::new(), 0);
            for seed in 0..60 {
                let limit = MS * (seed % 5) / 2 + Duration::from_micros(50);
                if seed % 3 == 0 {
                    let socket = near.clone();
                    let bytes = message(seed);
                    let sender = green::spawn(move || socket.send(bytes));
                    green::sleep(limit);
                    sender.kill();
                    match sender.join() {
                        Ok(done) => done.map(|()| sent.push(seed)).unwrap(),
                        Err(_) => cuts += 1,
                    }
                } else {
                    match Timeout::new(limit).run(|| near.send(message(seed))) {
                        Ok(done) => done.map(|()| sent.push(seed)).unwrap(),
                        Err(_) => cuts += 1,
                    }
                }
            }
            near.send(message(1_000)).unwrap();
            sent.push(1_000);
            near.close(1000, "").unwrap();
            let got = reader.join().unwrap();
            assert!(cuts > 0, "no send was cut short");
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
