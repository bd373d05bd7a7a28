//! tungstenite at the other end, over green's sockets in a greenthread of its own.

use std::time::Duration;

use green::net::TcpStream;
use green_ws::{Error, Message, Options, WebSocket, accept, client};
use proptest::collection::vec;
use proptest::prelude::*;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};

use crate::common::{bounded, pair, tcp_pair};

type Theirs = tungstenite::WebSocket<TcpStream>;

fn with_their_client() -> (Theirs, WebSocket<TcpStream>) {
    let (near, far) = tcp_pair();
    let server = green::spawn(move || accept(far, &Options::new()).unwrap());
    let (theirs, _) = tungstenite::client("ws://localhost/", near).unwrap();
    (theirs, server.join().unwrap())
}

fn with_their_server() -> (Theirs, WebSocket<TcpStream>) {
    let (near, far) = tcp_pair();
    let server = green::spawn(move || tungstenite::accept(far).unwrap());
    let ours = client(near, "ws://localhost/", &Options::new()).unwrap();
    (server.join().unwrap(), ours)
}

fn to_theirs(message: &Message) -> tungstenite::Message {
    match message {
        Message::Text(text) => text.clone().into(),
        Message::Binary(bytes) => bytes.clone().into(),
    }
}

/// What is done with a connection: by the peer, or by us.
#[derive(Clone, Debug)]
enum Act {
    /// The peer sends a message, in one frame or in fragments with a ping between them.
    They(Message, Option<u8>),
    TheyPing(Vec<u8>),
    We(Message),
    WePing(Vec<u8>),
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any::<String>().prop_map(Message::Text),
        vec(any::<u8>(), 0..200).prop_map(Message::Binary),
        (60_000_usize..140_000).prop_map(|len| Message::Binary(vec![len as u8; len])),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let payload = || vec(any::<u8>(), 0..=125);
    prop_oneof![
        (message(), prop::option::of(1..5_u8)).prop_map(|(message, cut)| Act::They(message, cut)),
        payload().prop_map(Act::TheyPing),
        message().prop_map(Act::We),
        payload().prop_map(Act::WePing),
    ]
}

/// Sends a message in fragments, with a ping between them.
fn fragments(theirs: &mut Theirs, message: &Message, pieces: u8) {
    let bytes = message.as_bytes();
    let kind = match message {
        Message::Text(_) => Data::Text,
        Message::Binary(_) => Data::Binary,
    };
    let size = (bytes.len() / usize::from(pieces)).max(1);
    let chunks: Vec<_> = match bytes.is_empty() {
        true => vec![bytes],
        false => bytes.chunks(size).collect(),
    };
    for (n, chunk) in chunks.iter().enumerate() {
        let opcode = OpCode::Data(if n == 0 { kind } else { Data::Continue });
        let frame = Frame::message(chunk.to_vec(), opcode, n + 1 == chunks.len());
        theirs.send(tungstenite::Message::Frame(frame)).unwrap();
        if n + 1 < chunks.len() {
            theirs
                .send(tungstenite::Message::Ping(vec![n as u8].into()))
                .unwrap();
        }
    }
}

fn play(mut theirs: Theirs, ours: &WebSocket<TcpStream>, acts: &[Act]) {
    let script = acts.to_vec();
    let peer = green::spawn(move || {
        let mut got = Vec::new();
        let mut read = |theirs: &mut Theirs| match theirs.read() {
            Ok(tungstenite::Message::Text(text)) => got.push(Message::from(text.as_str())),
            Ok(tungstenite::Message::Binary(bytes)) => got.push(Message::from(&bytes[..])),
            Ok(_) => {}
            Err(error) => panic!("the peer objects: {error}"),
        };
        for act in &script {
            match act {
                Act::They(message, None) => theirs.send(to_theirs(message)).unwrap(),
                Act::They(message, Some(pieces)) => fragments(&mut theirs, message, *pieces),
                Act::TheyPing(payload) => {
                    theirs
                        .send(tungstenite::Message::Ping(payload.clone().into()))
                        .unwrap();
                }
                Act::We(_) | Act::WePing(_) => read(&mut theirs),
            }
        }
        let close = CloseFrame {
            code: CloseCode::Library(4321),
            reason: "played".into(),
        };
        theirs.close(Some(close)).unwrap();
        loop {
            match theirs.read() {
                Ok(tungstenite::Message::Text(text)) => got.push(Message::from(text.as_str())),
                Ok(tungstenite::Message::Binary(bytes)) => got.push(Message::from(&bytes[..])),
                Ok(_) => {}
                Err(tungstenite::Error::ConnectionClosed) => return got,
                Err(error) => panic!("the peer objects: {error}"),
            }
        }
    });
    green::scope(|scope| {
        scope.spawn(|| {
            for act in acts {
                match act {
                    Act::We(message) => ours.send(message.clone()).unwrap(),
                    Act::WePing(payload) => ours.ping(payload).unwrap(),
                    Act::They(..) | Act::TheyPing(_) => {}
                }
            }
        });
        for act in acts {
            if let Act::They(message, _) = act {
                assert!(ours.receive().unwrap().as_ref() == Some(message));
            }
        }
        // Before the close is answered all of ours must be on its way.
    })
    .unwrap();
    assert_eq!(ours.receive().unwrap(), None);
    assert_eq!(ours.close_frame().unwrap().code, 4321);
    let expected: Vec<_> = acts
        .iter()
        .filter_map(|act| match act {
            Act::We(message) => Some(message.clone()),
            _ => None,
        })
        .collect();
    assert!(peer.join().unwrap() == expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn we_understand_each_other(acts in vec(act(), 0..12), they_serve in any::<bool>()) {
        bounded(|| {
            let (theirs, ours) = match they_serve {
                true => with_their_server(),
                false => with_their_client(),
            };
            play(theirs, &ours, &acts);
        });
    }
}

#[test]
fn their_server_takes_our_close() {
    bounded(|| {
        let (mut theirs, ours) = with_their_server();
        let peer = green::spawn(move || {
            let tungstenite::Message::Close(Some(close)) = theirs.read().unwrap() else {
                panic!("no close");
            };
            while theirs.read().is_ok() {}
            (u16::from(close.code), close.reason.as_str().to_owned())
        });
        ours.close(1001, "going").unwrap();
        assert_eq!(peer.join().unwrap(), (1001, "going".to_owned()));
    });
}

#[test]
fn their_client_is_told_what_it_did_wrong() {
    bounded(|| {
        let (mut theirs, ours) = with_their_client();
        let bad = Frame::message(vec![0xff], OpCode::Data(Data::Text), true);
        theirs.send(tungstenite::Message::Frame(bad)).unwrap();
        let server = green::spawn(move || ours.receive().unwrap_err());
        let tungstenite::Message::Close(Some(close)) = theirs.read().unwrap() else {
            panic!("no close");
        };
        assert_eq!(close.code, CloseCode::Invalid);
        drop(theirs);
        assert!(matches!(
            server.join().unwrap(),
            Error::Protocol { code: 1007, .. }
        ));
    });
}

/// Both ends are ours and take every liberty at once.
#[test]
fn a_long_conversation_of_many() {
    bounded(|| {
        let (near, far) = pair();
        green::scope(|scope| {
            for socket in [&near, &far] {
                for n in 0..4 {
                    let socket = socket.clone();
                    scope.spawn(move || {
                        for k in 0..50 {
                            socket.send(format!("{n}/{k}")).unwrap();
                            if k % 10 == 0 {
                                socket.ping(&[n; 5]).unwrap();
                                green::sleep(Duration::from_micros(100));
                            }
                        }
                    });
                }
                let socket = socket.clone();
                scope.spawn(move || {
                    let mut next = [0; 4];
                    for _ in 0..200 {
                        let message = socket.receive().unwrap().unwrap();
                        let (n, k) = message.as_text().unwrap().split_once('/').unwrap();
                        let n: usize = n.parse().unwrap();
                        assert_eq!(k, format!("{}", next[n]));
                        next[n] += 1;
                    }
                });
            }
        })
        .unwrap();
    });
}
