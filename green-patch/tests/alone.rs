//! A program that is not patched as a whole.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_closure_is_green_and_nobody_else() {
    assert!(!green_patch::is_monkey_patched("time"));
    let other = green::spawn(|| ());
    thread::sleep(SHORT);
    assert!(!other.is_dead(), "nothing is patched");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = green::spawn(move || {
        green_patch::patched(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            stream.write_all(&byte).unwrap();
        });
    });
    let echoed = green_patch::patched(|| {
        let mut stream = TcpStream::connect(address).unwrap();
        thread::sleep(SHORT);
        stream.write_all(b"x").unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        byte
    });
    assert_eq!(echoed, *b"x");
    server.join().unwrap();
    let start = Instant::now();
    let sleepers: Vec<_> = (0..20)
        .map(|_| green::spawn(|| green_patch::patched(|| thread::sleep(SHORT))))
        .collect();
    green::joinall(&sleepers);
    assert!(start.elapsed() < SHORT * 15);
}

struct Kept(Mutex<Vec<String>>);

static KEPT: Kept = Kept(Mutex::new(Vec::new()));

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn one_that_blocks_for_real_is_named() {
    log::set_logger(&KEPT).unwrap();
    log::set_max_level(LevelFilter::Warn);
    green::debug::blocking_detection(Duration::from_millis(20));
    let culprit = green::spawn(|| green_patch::original::sleep(Duration::from_millis(300)));
    culprit.join().unwrap();
    green::debug::blocking_detection(None);
    let kept = KEPT.0.lock().unwrap();
    let named =
        |line: &String| line.contains("without letting others run") && line.contains("alone.rs");
    assert!(kept.iter().any(named), "{kept:?}");
}
