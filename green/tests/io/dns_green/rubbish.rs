//! A server that says anything.

use green::dns::ErrorKind;
use proptest::prelude::*;

use super::server::{Asked, CNAME, Record, Server};
use super::{SECOND, asking, ip};

/// How an answer is spoiled.
#[derive(Clone, Debug)]
enum Spoil {
    /// Anything at all.
    Bytes(Vec<u8>),
    /// The right number and question, and anything after it; the counts, too.
    Tail(Vec<u8>),
    /// A good answer with some bytes changed.
    Flip(Vec<(usize, u8)>),
    /// A good answer cut off.
    Cut(usize),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..600);
    prop_oneof![
        bytes().prop_map(Spoil::Bytes),
        bytes().prop_map(Spoil::Tail),
        proptest::collection::vec((2..200usize, any::<u8>()), 1..8).prop_map(Spoil::Flip),
        (0..200usize).prop_map(Spoil::Cut),
    ]
}

fn good(asked: &Asked) -> Vec<u8> {
    asked.answer(|answer| {
        answer.answers.extend([
            Record::name(&asked.name, CNAME, "b.example", 60),
            Record::address("b.example", ip("192.0.2.1"), 60),
            Record::address("b.example", ip("2001:db8::1"), 60),
        ]);
        answer.authorities.push(Record::soa("example", 60, 60));
    })
}

impl Spoil {
    fn apply(&self, asked: &Asked) -> Vec<u8> {
        let mut message = good(asked);
        match self {
            Spoil::Bytes(bytes) => bytes.clone(),
            Spoil::Tail(bytes) => {
                // Number, flags, one question; the other counts from the bytes.
                message.truncate(12 + asked.name.len() + 2 + 4);
                let counts = bytes.iter().chain(std::iter::repeat(&0)).take(6);
                message.splice(6..12, counts.copied());
                message.extend(bytes.iter().skip(6));
                message
            }
            Spoil::Flip(changes) => {
                for (at, to) in changes {
                    if let Some(byte) = message.get_mut(*at) {
                        *byte = *to;
                    }
                }
                message
            }
            Spoil::Cut(len) => {
                message.truncate(*len);
                message
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn whatever_a_server_says_a_lookup_ends(spoils in proptest::collection::vec(spoil(), 1..6)) {
        green::sim::run_in_order(|| {
            let spoils = spoils.clone();
            let server = Server::start(move |asked| {
                spoils.iter().map(|spoil| spoil.apply(asked)).collect()
            });
            let resolver = asking(&[&server]).timeout(SECOND).build();
            let start = green::time::now();
            // It may be an answer by chance. If not, it says why.
            if let Err(error) = resolver.getaddrinfo("a.example", "80", green::dns::Hints::new()) {
                let expected = [
                    ErrorKind::TryAgain,
                    ErrorKind::Failed,
                    ErrorKind::NotFound,
                    ErrorKind::NoData,
                ];
                assert!(expected.contains(&error.kind()), "{error}");
            }
            assert!(green::time::now() - start <= 10 * SECOND);
            assert!(server.count() <= 200);
        });
    }
}

#[test]
fn pointers_in_circles_end() {
    crate::common::bounded(|| {
        let server = Server::start(|asked| {
            let mut circle = asked.answer(|answer| {
                answer
                    .answers
                    .push(Record::address("", ip("192.0.2.66"), 60));
            });
            let end = 12 + asked.name.len() + 2 + 4;
            // The name of the record is a pointer to itself; then one to the next, which points back.
            let pointer = |to: usize| (0xc000 | u16::try_from(to).unwrap()).to_be_bytes();
            circle.splice(end..=end, pointer(end));
            let mut pair = circle.clone();
            pair.splice(end..end + 2, [pointer(end + 2), pointer(end)].concat());
            vec![circle, pair]
        });
        let resolver = asking(&[&server]).timeout(600 * SECOND).build();
        assert_eq!(super::kind(&resolver, "a.example"), ErrorKind::Failed);
    });
}
