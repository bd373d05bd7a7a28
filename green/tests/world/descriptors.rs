//! As many descriptors as the process may have, in a process of its own: the test takes them all.

use std::io::{Read, Write};
use std::time::Duration;

use crate::common::again::alone;
use crate::common::settle;
use green::net::UnixStream;

/// Enough where the limit is higher than any test should go.
const MOST: usize = 15_000;

#[test]
fn at_the_limit_one_is_refused_and_all_others_go_on() {
    let test = "at_the_limit_one_is_refused_and_all_others_go_on";
    alone(module_path!(), test, up_to_the_limit);
}

fn up_to_the_limit() {
    // The hub takes its own descriptors first.
    green::sleep(Duration::from_millis(1));
    let (foreign, feeder) = std::io::pipe().unwrap();
    let mut pairs = Vec::new();
    let refused = loop {
        match UnixStream::pair() {
            Ok(pair) => pairs.push(pair),
            Err(error) => break Some(error),
        }
        if pairs.len() == MOST {
            break None;
        }
    };
    if let Some(error) = refused {
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
    }
    // To wait needs no further one: not the last either, which no pair could use.
    let last = feeder.try_clone();
    let waiting = green::spawn(move || green::os::read(&foreign, &mut [0; 8]).unwrap());
    settle();
    assert!(!waiting.is_dead());
    green::os::write(&feeder, b"abc").unwrap();
    assert_eq!(waiting.join().unwrap(), 3);
    drop(last);
    let (near, far): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let count = near.len();
    let readers: Vec<_> = near
        .into_iter()
        .map(|mut stream| {
            green::spawn(move || {
                let mut byte = [0];
                stream.read_exact(&mut byte).map(|()| byte[0])
            })
        })
        .collect();
    settle();
    assert_eq!(green::debug::counters().readers, count);
    for (n, mut stream) in far.iter().enumerate() {
        stream.write_all(&[n as u8]).unwrap();
    }
    for (n, reader) in readers.into_iter().enumerate() {
        assert_eq!(reader.join().unwrap().unwrap(), n as u8);
    }
    drop(far);
    assert_eq!(green::debug::counters().descriptors, 0);
    // Room again.
    assert!(UnixStream::pair().is_ok());
}
