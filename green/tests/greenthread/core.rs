//! First steps: the order of greenthreads, their ends, and a socket.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::net::{TcpListener, TcpStream};

#[test]
fn greenthreads_start_in_the_order_of_their_spawn() {
    let order = Rc::new(RefCell::new(Vec::new()));
    for name in ["a", "b"] {
        let order = Rc::clone(&order);
        green::spawn_n(move || {
            for turn in 1..=2 {
                order.borrow_mut().push(format!("{turn}{name}"));
                green::yield_now();
            }
        });
    }
    green::yield_now();
    green::yield_now();
    assert_eq!(*order.borrow(), ["1a", "1b", "2a", "2b"]);
}

#[test]
fn a_result_is_waited_for() {
    let gt = green::spawn(|| {
        green::sleep(Duration::from_millis(2));
        7
    });
    assert_eq!(gt.wait().unwrap(), 7);
    assert_eq!(gt.join().unwrap(), 7);
}

#[test]
fn a_panic_stays_in_its_greenthread() {
    let gt = green::spawn(|| -> () { panic!("on purpose") });
    assert!(gt.join().unwrap_err().to_string().contains("on purpose"));
}

#[test]
fn a_kill_runs_destructors() {
    struct Note(Rc<RefCell<bool>>);
    impl Drop for Note {
        fn drop(&mut self) {
            *self.0.borrow_mut() = true;
        }
    }
    let dropped = Rc::new(RefCell::new(false));
    let note = Note(Rc::clone(&dropped));
    let gt = green::spawn(move || {
        let _note = note;
        green::sleep(Duration::from_secs(60));
    });
    green::yield_now();
    gt.kill();
    assert!(*dropped.borrow() && gt.is_dead());
    assert!(matches!(gt.join(), Err(green::Exit::Killed(None))));
}

#[test]
fn a_deadlock_is_reported() {
    let stuck = std::panic::catch_unwind(|| {
        let second: Rc<RefCell<Option<green::GreenThread<()>>>> = Rc::default();
        let cell = Rc::clone(&second);
        let first = green::spawn(move || {
            let second = cell.borrow_mut().take().unwrap();
            second.join().unwrap();
        });
        let first = Rc::new(first);
        let waited = Rc::clone(&first);
        *second.borrow_mut() = Some(green::spawn(move || waited.wait().unwrap()));
        first.wait().unwrap();
    });
    let report = *stuck.unwrap_err().downcast::<String>().unwrap();
    assert!(report.starts_with("deadlock:"), "{report}");
    assert!(
        report.contains("the thread's own greenthread waits for the end of greenthread 1"),
        "{report}"
    );
    assert!(report.contains("tests/greenthread/core.rs"), "{report}");
    assert!(
        report.contains("waits for the end of greenthread 2"),
        "{report}"
    );
}

#[test]
fn an_echo_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = green::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 100];
        loop {
            let n = stream.read(&mut buffer).unwrap();
            if n == 0 {
                return;
            }
            stream.write_all(&buffer[..n]).unwrap();
        }
    });
    let mut stream = TcpStream::connect(address).unwrap();
    for _ in 0..100 {
        stream.write_all(b"hello").unwrap();
        let mut buffer = [0; 5];
        stream.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"hello");
    }
    drop(stream);
    server.join().unwrap();
}

#[test]
fn a_timeout_leaves_its_scope_only() {
    let start = Instant::now();
    let inner = green::Timeout::new(Duration::from_secs(60)).run(|| {
        let inner = green::Timeout::new(Duration::from_millis(2))
            .run(|| green::sleep(Duration::from_secs(60)));
        assert!(inner.is_err());
        5
    });
    assert_eq!(inner, Ok(5));
    assert!(start.elapsed() >= Duration::from_millis(2));
}
