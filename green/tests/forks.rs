//! `green::fork`. It refuses a process with several threads, and the usual test program has two: so this one has a
//! `main` of its own, whose parts run one after the other.

use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::time::Duration;

use green::hubs::AfterFork;
use green::net::{TcpListener, TcpStream};
use green::process::Child;
use green::server::Lifecycle;
use green::{fork, signal};

const LONG: Duration = Duration::from_secs(60);

fn main() {
    if cfg!(not(any(target_os = "linux", target_os = "android"))) {
        let refused = fork(AfterFork::Discard, || ()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        return;
    }
    let parts: [(&str, fn()); 5] = [
        ("a child ends with what its closure returns", ends),
        ("kept greenthreads go on in the child", keeps),
        ("children share a listener and end by signals", serve),
        ("a child misses no signal", signals),
        ("a process with threads is not forked", threads),
    ];
    let count = parts.len();
    for (name, part) in parts {
        // The children run to the ends of their closures: this says once which part is under way.
        println!("part {name}");
        green::Timeout::new(LONG).run(part).expect("it hangs");
    }
    println!("test result: ok. {count} passed");
}

fn code(mut child: Child) -> Option<i32> {
    child.wait().unwrap().code()
}

fn ends() {
    let fork = |child: fn() -> ExitCode| fork(AfterFork::Discard, child).unwrap();
    assert_eq!(code(fork(|| ExitCode::SUCCESS)), Some(0));
    assert_eq!(code(fork(|| ExitCode::from(7))), Some(7));
    assert_eq!(code(fork(|| panic!("on purpose"))), Some(101));
    assert_eq!(code(fork(|| green::exit(9))), Some(9));
    let fails = green::fork(AfterFork::Discard, || Err::<(), _>("on purpose"));
    assert_eq!(code(fails.unwrap()), Some(1));
    // Also elsewhere than in main.
    let forked = green::spawn(|| green::fork(AfterFork::Discard, || ExitCode::from(5)));
    assert_eq!(code(forked.join().unwrap().unwrap()), Some(5));
}

fn keeps() {
    let slept = green::spawn(|| {
        green::sleep(Duration::from_millis(20));
        7
    });
    green::yield_now();
    let child = fork(AfterFork::Keep, || ExitCode::from(slept.wait().unwrap())).unwrap();
    assert_eq!(code(child), Some(7));
    assert_eq!(slept.join().unwrap(), 7);
}

fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // In the parent it waits; the children have nothing of it.
    let waits = green::spawn(|| green::sleep(LONG));
    green::sleep(Duration::from_millis(1));
    let start = || {
        // From the parent: the child may be told to end before it has done anything.
        let signals = signal::Signals::new([signal::SIGTERM]).unwrap();
        let child = || {
            assert!(waits.is_dead());
            let life = Lifecycle::new();
            let draining = life.clone();
            green::spawn_n(move || {
                signals.wait().unwrap();
                draining.drain(LONG);
            });
            life.serve(&listener, 10, |mut stream, _| {
                write!(stream, "{}", std::process::id())
            })?;
            io::Result::Ok(())
        };
        fork(AfterFork::Discard, child).unwrap()
    };
    let mut children = [start(), start()];
    let ids = children.each_ref().map(|child| child.id().to_string());
    for _ in 0..20 {
        let mut text = String::new();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.read_to_string(&mut text).unwrap();
        assert!(ids.contains(&text), "{text}");
    }
    for child in &mut children {
        child.terminate().unwrap();
        assert!(child.wait().unwrap().success());
    }
    assert!(!waits.is_dead());
}

fn signals() {
    for _ in 0..50 {
        let ours = signal::Signals::new([signal::SIGUSR1]).unwrap();
        let child = fork(AfterFork::Discard, || {
            assert_eq!(ours.wait().unwrap(), signal::SIGUSR1);
        });
        let child = child.unwrap();
        child.send_signal(signal::SIGUSR1).unwrap();
        assert_eq!(code(child), Some(0));
        assert_eq!(ours.poll(), None);
    }
}

fn threads() {
    let (sender, receiver) = channel::<()>();
    let thread = std::thread::spawn(move || receiver.recv());
    let refused = fork(AfterFork::Discard, || ()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ResourceBusy);
    assert!(refused.to_string().contains("2 threads"), "{refused}");
    drop(sender);
    thread.join().unwrap().unwrap_err();
}
