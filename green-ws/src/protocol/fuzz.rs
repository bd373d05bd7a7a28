//! The decoder against a plain model: frames of any kind, cut anywhere, with control frames in any place.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Agreed, Decoder, Encoder, Event, Role, Violation, Window};
use crate::message::{Close, Message};

const LIMIT: usize = 5_000;

/// A frame, written plainly.
fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(masked | len as u8),
        len @ 126..65_536 => {
            bytes.push(masked | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(masked | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(key.iter().flatten());
    let cycle = key.unwrap_or_default();
    bytes.extend(
        payload
            .iter()
            .zip(cycle.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    bytes
}

#[derive(Clone, Debug)]
enum Control {
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// A message and how it is cut into frames, each with control frames before it.
#[derive(Clone, Debug)]
struct Sent {
    message: Message,
    cuts: Vec<prop::sample::Index>,
    controls: Vec<Vec<Control>>,
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        vec(any::<u8>(), 0..=125).prop_map(Control::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Control::Pong),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let message = prop_oneof![
        any::<String>().prop_map(Message::Text),
        vec(any::<u8>(), 0..300).prop_map(Message::Binary),
        (100_usize..LIMIT).prop_map(|len| Message::Binary(vec![len as u8; len])),
        Just(Message::Text("\u{1f600}\u{20ac}".repeat(200))),
    ];
    let controls = vec(vec(control(), 0..3), 4);
    let cuts = vec(any::<prop::sample::Index>(), 0..4);
    (message, cuts, controls).prop_map(|(message, cuts, controls)| Sent {
        message,
        cuts,
        controls,
    })
}

/// The bytes of a conversation and what it says.
fn write(
    sent: &[Sent],
    close: &Option<Option<Close>>,
    key: Option<[u8; 4]>,
) -> (Vec<u8>, Vec<Event>) {
    let (mut bytes, mut events) = (Vec::new(), Vec::new());
    for Sent {
        message,
        cuts,
        controls,
    } in sent
    {
        let payload = message.as_bytes();
        let mut places: Vec<_> = cuts
            .iter()
            .map(|cut| cut.index(payload.len() + 1))
            .collect();
        places.push(payload.len());
        places.sort_unstable();
        let mut begin = 0;
        for (n, &end) in places.iter().enumerate() {
            for control in controls.get(n).into_iter().flatten() {
                match control {
                    Control::Ping(payload) => {
                        bytes.extend(frame(0x89, payload, key));
                        events.push(Event::Ping(payload.clone()));
                    }
                    Control::Pong(payload) => {
                        bytes.extend(frame(0x8a, payload, key));
                        events.push(Event::Pong);
                    }
                }
            }
            let opcode = match (n, message) {
                (0, Message::Text(_)) => 1,
                (0, Message::Binary(_)) => 2,
                _ => 0,
            };
            let last = if n + 1 == places.len() { 0x80 } else { 0 };
            bytes.extend(frame(last | opcode, &payload[begin..end], key));
            begin = end;
        }
        events.push(Event::Message(message.clone()));
    }
    if let Some(close) = close {
        let mut payload = Vec::new();
        if let Some(close) = close {
            payload.extend(close.code.to_be_bytes());
            payload.extend(close.reason.as_bytes());
        }
        bytes.extend(frame(0x88, &payload, key));
        // Nothing that follows counts.
        bytes.extend([0xff; 20]);
        events.push(Event::Close(close.clone()));
    }
    (bytes, events)
}

/// Decodes bytes that come in pieces of these sizes, over and over.
fn decode(decoder: &mut Decoder, bytes: &[u8], sizes: &[usize]) -> Result<Vec<Event>, Violation> {
    let (mut events, mut rest, mut sizes) = (Vec::new(), bytes, sizes.iter().cycle());
    loop {
        while let Some(event) = decoder.next()? {
            events.push(event);
        }
        if rest.is_empty() {
            return Ok(events);
        }
        let size = *sizes.next().unwrap_or(&1);
        decoder
            .fill(|room| {
                let len = size.min(room.len()).min(rest.len());
                room[..len].copy_from_slice(&rest[..len]);
                rest = &rest[len..];
                Ok(len)
            })
            .unwrap();
    }
}

fn close() -> impl Strategy<Value = Option<Option<Close>>> {
    let code = prop_oneof![1000_u16..=1003, 1007_u16..=1014, 3000_u16..=4999];
    let close =
        (code, "[a-z\u{e4}\u{20ac}]{0,30}").prop_map(|(code, reason)| Close { code, reason });
    prop::option::of(prop::option::of(close))
}

proptest! {
    #[test]
    fn what_was_sent_is_what_comes(
        sent in vec(sent(), 0..6),
        close in close(),
        key in prop::option::of(any::<[u8; 4]>()),
        sizes in vec(1_usize..400, 1..8),
    ) {
        let role = if key.is_some() { Role::Server } else { Role::Client };
        let (bytes, expected) = write(&sent, &close, key);
        let mut decoder = Decoder::new(role, LIMIT, None);
        let events = decode(&mut decoder, &bytes, &sizes);
        prop_assert_eq!(events, Ok(expected.clone()));
        let mut at_once = Decoder::new(role, LIMIT, None);
        at_once.push(&bytes);
        prop_assert_eq!(decode(&mut at_once, &[], &[]), Ok(expected));
    }

    #[test]
    fn what_we_encode_we_decode(
        sent in vec(sent(), 1..6),
        is_server in any::<bool>(),
        (bits, takeover) in (9_u8..=15, any::<bool>()),
        compress in any::<bool>(),
        sizes in vec(1_usize..400, 1..8),
    ) {
        let window = Window { bits, takeover };
        let agreed = compress.then_some(Agreed { ours: window, theirs: window });
        let (role, other) = match is_server {
            true => (Role::Server, Role::Client),
            false => (Role::Client, Role::Server),
        };
        let (mut encoder, mut bytes) = (Encoder::new(role, agreed), Vec::new());
        let mut expected = Vec::new();
        for sent in &sent {
            encoder.message(&sent.message, &mut bytes);
            expected.push(Event::Message(sent.message.clone()));
            encoder.ping(b"in between", &mut bytes);
            expected.push(Event::Ping(b"in between".to_vec()));
        }
        let mut decoder = Decoder::new(other, LIMIT, agreed);
        prop_assert_eq!(decode(&mut decoder, &bytes, &sizes), Ok(expected));
    }

    #[test]
    fn rubbish_is_refused_with_a_code_or_waited_on(
        bytes in vec(any::<u8>(), 0..2_000),
        sizes in vec(1_usize..100, 1..4),
        compress in any::<bool>(),
        is_server in any::<bool>(),
    ) {
        let window = Window { bits: 15, takeover: true };
        let agreed = compress.then_some(Agreed { ours: window, theirs: window });
        let role = if is_server { Role::Server } else { Role::Client };
        let mut decoder = Decoder::new(role, LIMIT, agreed);
        if let Err(violation) = decode(&mut decoder, &bytes, &sizes) {
            prop_assert!([1002, 1007, 1009].contains(&violation.code), "{:?}", violation);
        }
    }

    /// A good conversation with one byte changed is decoded the same way however it is cut.
    #[test]
    fn the_verdict_does_not_depend_on_the_pieces(
        sent in vec(sent(), 1..4),
        key in any::<[u8; 4]>(),
        place in any::<prop::sample::Index>(),
        change in 1_u8..=255,
        sizes in vec(1_usize..400, 1..8),
    ) {
        let (mut bytes, _) = write(&sent, &None, Some(key));
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        let run = |sizes: &[usize]| {
            let mut decoder = Decoder::new(Role::Server, LIMIT, None);
            decode(&mut decoder, &bytes, sizes).map_err(|violation| violation.code)
        };
        prop_assert_eq!(run(&sizes), run(&[1]));
    }
}

/// Frames of a client, and the code that they are refused with.
#[test]
fn each_rule_has_its_code() {
    let key = Some([1, 2, 3, 4]);
    let text = |bytes: &[u8]| frame(0x81, bytes, key);
    let close = |payload: &[u8]| frame(0x88, payload, key);
    let mut long_form = vec![0x82, 0x80 | 126, 0, 5];
    long_form.extend([0; 9]);
    let mut longer_form = vec![0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0, 1, 0];
    longer_form.extend([0; 260]);
    let mut high_bit = vec![0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0];
    high_bit.extend([0; 8]);
    let two = |first: Vec<u8>, second: Vec<u8>| [first, second].concat();
    for (bytes, code, what) in [
        (frame(0x81, b"x", None), 1002, "no mask"),
        (frame(0xc1, b"x", key), 1002, "the first reserved bit"),
        (frame(0xa1, b"x", key), 1002, "the second"),
        (frame(0x91, b"x", key), 1002, "the third"),
        (frame(0x83, b"x", key), 1002, "a reserved data opcode"),
        (frame(0x87, b"x", key), 1002, "another"),
        (frame(0x8b, b"x", key), 1002, "a reserved control opcode"),
        (frame(0x8f, b"x", key), 1002, "another"),
        (frame(0x09, b"x", key), 1002, "a ping in fragments"),
        (frame(0x08, b"", key), 1002, "a close in fragments"),
        (frame(0x89, &[0; 126], key), 1002, "a ping too long"),
        (frame(0x80, b"x", key), 1002, "a continuation of nothing"),
        (
            frame(0x00, b"x", key),
            1002,
            "a first continuation of nothing",
        ),
        (
            two(frame(0x01, b"x", key), text(b"y")),
            1002,
            "a message in a message",
        ),
        (
            two(text(b"x"), frame(0x80, b"y", key)),
            1002,
            "a continuation after the end",
        ),
        (long_form, 1002, "two bytes of length for 5"),
        (longer_form, 1002, "eight bytes of length for 256"),
        (high_bit, 1002, "a length with its highest bit set"),
        (close(&[3]), 1002, "half a close code"),
        (close(&0_u16.to_be_bytes()), 1002, "code 0"),
        (close(&999_u16.to_be_bytes()), 1002, "code 999"),
        (close(&1004_u16.to_be_bytes()), 1002, "code 1004"),
        (close(&1005_u16.to_be_bytes()), 1002, "code 1005"),
        (close(&1006_u16.to_be_bytes()), 1002, "code 1006"),
        (close(&1015_u16.to_be_bytes()), 1002, "code 1015"),
        (close(&1016_u16.to_be_bytes()), 1002, "code 1016"),
        (close(&2999_u16.to_be_bytes()), 1002, "code 2999"),
        (close(&5000_u16.to_be_bytes()), 1002, "code 5000"),
        (close(&[3, 0xe8, 0xff]), 1007, "a reason that is no UTF-8"),
        (text(&[0xff]), 1007, "text that is no UTF-8"),
        (text(&[0xe2, 0x82]), 1007, "text that ends in a character"),
        // Seen before the message has ended.
        (
            frame(0x01, &[0xf4, 0x90], key),
            1007,
            "a fragment that is no UTF-8",
        ),
        (
            text(&[0xed, 0xa0, 0x80])[..8].to_vec(),
            1007,
            "half a frame that is no UTF-8",
        ),
        (frame(0x82, &[0; LIMIT + 1], key), 1009, "a frame too long"),
        (
            vec![0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 9, 9, 9, 9],
            1009,
            "4 GiB announced",
        ),
        (
            two(frame(0x02, &[0; LIMIT], key), frame(0x80, &[0], key)),
            1009,
            "a message too long",
        ),
    ] {
        for size in [1, 7, usize::MAX] {
            let mut decoder = Decoder::new(Role::Server, LIMIT, None);
            let violation = decode(&mut decoder, &bytes, &[size]).expect_err(what);
            assert_eq!(violation.code, code, "{what}: {violation:?}");
        }
    }
    let masked = frame(0x81, b"x", key);
    let refused = decode(&mut Decoder::new(Role::Client, LIMIT, None), &masked, &[99]);
    assert_eq!(refused.unwrap_err().code, 1002);
    let exact = frame(0x82, &[7; LIMIT], key);
    assert!(decode(&mut Decoder::new(Role::Server, LIMIT, None), &exact, &[99]).is_ok());
}

/// With compression the reserved bit has a meaning, on first frames alone, and the limit holds after inflation.
#[test]
fn the_rules_of_compression_have_their_codes() {
    let key = Some([9, 8, 7, 6]);
    let window = Window {
        bits: 15,
        takeover: true,
    };
    let agreed = Some(Agreed {
        ours: window,
        theirs: window,
    });
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let run = |bytes: &[u8]| decode(&mut Decoder::new(Role::Server, LIMIT, agreed), bytes, &[3]);
    // RFC 7692, 7.2.3.1: one message in two fragments.
    let fragments = [frame(0x41, &hello[..3], key), frame(0x80, &hello[3..], key)].concat();
    let expected = Event::Message(Message::from("Hello"));
    assert_eq!(run(&fragments), Ok(vec![expected]));
    assert_eq!(run(&frame(0x81, b"plain", key)).unwrap().len(), 1);
    let continued = [frame(0x41, &hello[..3], key), frame(0xc0, &hello[3..], key)].concat();
    let mut bomb = Vec::new();
    let mut encoder = Encoder::new(Role::Client, agreed);
    encoder.message(&Message::Binary(vec![0; 200_000]), &mut bomb);
    assert!(bomb.len() < LIMIT, "it is short on its way");
    for (bytes, code) in [
        (continued, 1002),
        (frame(0xc9, b"", key), 1002),
        (frame(0xe1, &hello, key), 1002),
        (frame(0xc1, &[0xff; 20], key), 1007),
        (bomb, 1009),
    ] {
        assert_eq!(run(&bytes).unwrap_err().code, code);
    }
    // Text that is no UTF-8 once it is inflated.
    let mut text = Vec::new();
    let mut encoder = Encoder::new(Role::Client, agreed);
    encoder.message(&Message::Binary(vec![0xff, 0xfe]), &mut text);
    text[0] = 0xc1;
    assert_eq!(run(&text).unwrap_err().code, 1007);
}
