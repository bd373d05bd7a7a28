//! The closing handshake, and ends without one.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use green_ws::{Close, Error, Group, Message, Options};

use crate::common::{SHORT, bounded, frame, pair, pair_with, raw_client, read_frame, settle};

#[test]
fn a_close_is_answered_and_both_know_why() {
    bounded(|| {
        for client_closes in [false, true] {
            let (near, far) = pair();
            let (closes, other) = if client_closes {
                (near, far)
            } else {
                (far, near)
            };
            let reader = green::spawn(move || {
                let last = (other.receive().unwrap(), other.receive().unwrap());
                assert!(other.is_closed());
                assert_eq!(other.receive().unwrap(), None, "and so it stays");
                assert!(matches!(other.send("x"), Err(Error::Closed)));
                (last, other.close_frame())
            });
            closes.send("before").unwrap();
            closes.close(4001, "enough").unwrap();
            closes.close(1000, "").unwrap();
            assert!(closes.is_closed());
            assert!(matches!(closes.send("after"), Err(Error::Closed)));
            assert_eq!(closes.receive().unwrap(), None);
            let (last, why) = reader.join().unwrap();
            assert_eq!(last, (Some(Message::from("before")), None));
            let expected = Close {
                code: 4001,
                reason: "enough".to_owned(),
            };
            assert_eq!(why, Some(expected.clone()));
            // The answer repeats the code.
            assert_eq!(closes.close_frame(), Some(expected));
        }
    });
}

#[test]
fn a_close_without_a_code_is_one_too() {
    let (mut near, far) = raw_client(&Options::new());
    near.write_all(&frame(0x88, b"")).unwrap();
    assert_eq!(far.receive().unwrap(), None);
    assert_eq!(far.close_frame(), None);
    assert_eq!(read_frame(&mut near), (0x88, Vec::new()));
    assert_eq!(near.read(&mut [0]).unwrap(), 0);
}

#[test]
fn both_close_at_once() {
    bounded(|| {
        let (near, far) = pair();
        let other = green::spawn(move || far.close(1001, "there").is_ok());
        near.close(1000, "here").unwrap();
        assert!(other.join().unwrap());
        assert_eq!(near.close_frame().unwrap().reason, "there");
    });
}

#[test]
fn who_receives_hears_of_a_close_by_another() {
    bounded(|| {
        let (near, far) = pair();
        let receiver = near.clone();
        let receiver = green::spawn(move || receiver.receive().unwrap());
        let server = green::spawn(move || while far.receive().unwrap().is_some() {});
        settle();
        near.close(1000, "").unwrap();
        assert_eq!(receiver.join().unwrap(), None);
        server.join().unwrap();
    });
}

#[test]
fn messages_that_come_during_a_close_are_of_no_use() {
    bounded(|| {
        let (near, far) = pair();
        for n in 0..100 {
            far.send(format!("{n}")).unwrap();
        }
        let server = green::spawn(move || far.receive().unwrap());
        near.close(1000, "").unwrap();
        assert_eq!(server.join().unwrap(), None);
    });
}

#[test]
fn a_peer_that_does_not_answer_a_close_has_its_time() {
    bounded(|| {
        let (mut near, far) = raw_client(&Options::new().close_timeout(SHORT));
        let begun = Instant::now();
        let Err(Error::Io(error)) = far.close(1000, "") else {
            panic!("nobody has answered");
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(begun.elapsed() >= SHORT);
        assert_eq!(read_frame(&mut near).0, 0x88);
        assert_eq!(
            near.read(&mut [0]).unwrap(),
            0,
            "the stream is closed all the same"
        );
        assert_eq!(far.receive().unwrap(), None);
        assert!(matches!(far.send("x"), Err(Error::Closed)));
    });
}

#[test]
fn a_peer_that_does_not_read_has_its_time_too() {
    bounded(|| {
        let (_near, far) = raw_client(&Options::new().close_timeout(SHORT));
        let sender = far.clone();
        let sender = green::spawn(move || {
            loop {
                if let Err(error) = sender.send(vec![0; 1 << 20]) {
                    return error;
                }
            }
        });
        green::sleep(SHORT);
        assert!(far.close(1001, "").is_err());
        let error = sender.join().unwrap();
        assert!(matches!(error, Error::Closed), "{error}");
    });
}

#[test]
fn an_end_without_a_close_frame_is_an_error() {
    let (near, far) = raw_client(&Options::new());
    drop(near);
    let Err(Error::Io(error)) = far.receive() else {
        panic!("an end that nobody has announced");
    };
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
    assert!(matches!(far.receive(), Err(Error::Closed)));
    assert!(far.is_closed());
}

#[test]
fn the_last_handle_that_is_dropped_says_goodbye() {
    let (near, far) = pair();
    let other = near.clone();
    drop(near);
    other.send("still here").unwrap();
    drop(other);
    assert_eq!(far.receive().unwrap(), Some(Message::from("still here")));
    assert_eq!(far.receive().unwrap(), None);
    assert_eq!(far.close_frame().unwrap().code, 1000);
}

#[test]
fn what_a_kill_or_a_panic_drops_does_not_look_complete() {
    bounded(|| {
        for panics in [false, true] {
            let (near, far) = pair();
            let handler = green::spawn(move || {
                near.send("half of it").unwrap();
                assert!(!panics, "on purpose");
                green::sleep(Duration::from_secs(3600));
            });
            settle();
            handler.kill();
            assert!(handler.join().is_err());
            assert_eq!(far.receive().unwrap(), Some(Message::from("half of it")));
            let error = far.receive().unwrap_err();
            assert!(matches!(error, Error::Io(_)), "{error}");
        }
    });
}

#[test]
fn a_group_is_closed_together_and_keeps_nobody_open() {
    bounded(|| {
        let options = Options::new().close_timeout(4 * SHORT);
        let group = Group::new();
        let mut clients = Vec::new();
        let mut handlers = Vec::new();
        for _ in 0..5 {
            let (near, far) = pair_with(&Options::new(), &options);
            group.add(&far);
            handlers.push(green::spawn(move || far.receive().unwrap()));
            clients.push(green::spawn(move || {
                assert_eq!(near.receive().unwrap(), None);
                near.close_frame().unwrap()
            }));
        }
        let (silent, far) = raw_client(&options);
        group.add(&far);
        let (_gone, gone) = pair();
        group.add(&gone);
        drop(gone);
        assert_eq!(group.len(), 6);
        let begun = Instant::now();
        assert_eq!(group.close(1001, "the server goes away"), 6);
        // One does not answer: all are waited for at the same time.
        assert!(begun.elapsed() >= 4 * SHORT);
        assert!(group.is_empty());
        for client in clients {
            assert_eq!(client.join().unwrap().code, 1001);
        }
        for handler in handlers {
            assert_eq!(handler.join().unwrap(), None);
        }
        drop(silent);
    });
}
