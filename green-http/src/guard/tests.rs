//! The guard says the same however its input is split.

use proptest::prelude::*;

use super::*;

/// What comes of `input` in pieces that end at `cuts`: what was let through, the ends of its heads, the refusal.
fn guard(input: &[u8], cuts: &[usize], limits: &Limits) -> (Vec<u8>, Vec<usize>, Option<Refusal>) {
    let mut guard = Guard::new();
    let (mut passed, mut heads) = (Vec::new(), Vec::new());
    let mut pending: Vec<u8> = Vec::new();
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(input.len());
    let mut from = 0;
    for to in ends {
        pending.extend_from_slice(&input[from..to]);
        from = to;
        while !pending.is_empty() {
            match guard.check(&pending, limits) {
                Ok(Passed {
                    skip: 0, pass: 0, ..
                }) => break,
                Ok(Passed { skip, pass, head }) => {
                    passed.extend(pending[skip..skip + pass].iter());
                    pending.drain(..skip + pass);
                    if head {
                        heads.push(passed.len());
                    }
                }
                Err(refusal) => {
                    assert_eq!(
                        guard.check(&pending, limits),
                        Err(refusal),
                        "it stays refused"
                    );
                    return (passed, heads, Some(refusal));
                }
            }
        }
    }
    (passed, heads, None)
}

/// Pieces of requests, so that what is put together of them is near to one.
fn near_requests() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("GET / HTTP/1.1\r\n"),
        Just("POST /x HTTP/1.1\r\n"),
        Just("Host: a\r\n"),
        Just("Host: a b\r\n"),
        Just("Content-Length: 3\r\n"),
        Just("Content-Length: 0\r\n"),
        Just("Transfer-Encoding: chunked\r\n"),
        Just("Transfer-Encoding: gzip, chunked\r\n"),
        Just("Expect: 100-continue\r\n"),
        Just("X: y\r\n"),
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just("abc"),
        Just("3\r\nabc\r\n"),
        Just("3;x=y\r\nabc\r\n"),
        Just("0\r\n"),
        Just("0\r\n\r\n"),
        Just(" "),
        Just(":"),
        Just("GET /next HTTP/1.1\r\nHost: b\r\n\r\n"),
        Just("POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Just("POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\n\r\n"),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The bytes that go on, and the verdict, do not depend on how they came.
    #[test]
    fn split_anywhere(input in near_requests(), cuts in prop::collection::vec(any::<usize>(), 0..8)) {
        let limits = Limits { head: 200, header_line: 60, headers: 6, target: 40, body: Some(9), ..Limits::default() };
        let (whole, whole_heads, verdict) = guard(&input, &[], &limits);
        let (split, split_heads, split_verdict) = guard(&input, &cuts, &limits);
        let every: Vec<usize> = (0..input.len()).collect();
        let (bytes, byte_heads, byte_verdict) = guard(&input, &every, &limits);
        prop_assert_eq!(&whole_heads, &split_heads);
        prop_assert_eq!(&whole_heads, &byte_heads);
        prop_assert_eq!(verdict.map(|refusal| refusal.status), split_verdict.map(|refusal| refusal.status));
        prop_assert_eq!(verdict.map(|refusal| refusal.status), byte_verdict.map(|refusal| refusal.status));
        // A body that is refused half way has been let through up to some byte of the refused piece.
        if verdict.is_none() {
            prop_assert_eq!(&whole, &split);
            prop_assert_eq!(&whole, &bytes);
        }
    }

    /// Whatever comes, it does not panic, and lets no head through that has a line without CR.
    #[test]
    fn any_bytes(input in prop::collection::vec(any::<u8>(), 0..300)) {
        let (passed, heads, _) = guard(&input, &[], &Limits::default());
        for end in heads {
            prop_assert!(passed[..end].ends_with(b"\r\n\r\n"));
        }
    }

    /// What goes through is what hyper's own parser takes for the same message.
    #[test]
    fn heads_are_heads(input in near_requests()) {
        let (passed, heads, _) = guard(&input, &[], &Limits::default());
        if let Some(&end) = heads.first() {
            let text = std::str::from_utf8(&passed[..end]).unwrap();
            prop_assert!(text.contains("GET ") || text.contains("POST "));
            prop_assert_eq!(text.matches("\r\n\r\n").count(), 1);
            let chunked = text.contains("Transfer-Encoding: chunked\r\n");
            prop_assert!(!(chunked && text.contains("Content-Length")));
            prop_assert!(text.matches("Host:").count() == 1);
        }
    }
}
