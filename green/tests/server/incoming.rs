//! The loop over a listener's connections outlives everything that passes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream as StdStream;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::common::again::{alone, full_name};
use crate::common::{bounded, settle, sleep_idle};
use green::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// What the child of the next test does: it echoes a word to each of its clients, one after the other at most.
#[test]
#[ignore = "it is run by another test, with few descriptors"]
fn few_descriptors_child() {
    bounded(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        println!("address {}", listener.local_addr().unwrap());
        let accepting = green::spawn(move || {
            let mut accepted = 0;
            for stream in listener.incoming().take(101) {
                let mut stream = stream.unwrap();
                accepted += 1;
                green::spawn_n(move || {
                    let mut word = [0; 4];
                    if stream.read_exact(&mut word).is_ok() {
                        stream.write_all(&word).unwrap();
                    }
                });
            }
            accepted
        });
        // It has as many as it can have, and waits for more without spinning.
        green::sleep(Duration::from_millis(300));
        sleep_idle();
        println!("idle");
        assert_eq!(accepting.join().unwrap(), 101);
    });
}

#[test]
fn a_loop_without_descriptors_waits_for_one() {
    bounded(|| {
        let script = "ulimit -n 40; exec \"$0\" --ignored --exact \"$1\" --nocapture";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap())
            .arg(full_name(module_path!(), "few_descriptors_child"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = |what: &str| {
            let mut lines = lines.by_ref().map(Result::unwrap);
            lines
                .find_map(|line| Some(line.split_once(what)?.1.trim().to_owned()))
                .unwrap()
        };
        let address = said("address ");
        let clients: Vec<_> = (0..100)
            .map(|_| StdStream::connect(&address).unwrap())
            .collect();
        said("idle");
        for mut client in clients {
            client.write_all(b"echo").unwrap();
            let mut word = String::new();
            client.read_to_string(&mut word).unwrap();
            assert_eq!(word, "echo");
        }
        drop(StdStream::connect(&address).unwrap());
        assert!(child.wait().unwrap().success());
    });
}

/// What was logged about accepting.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Listening;

impl log::Log for Listening {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        let said = record.args().to_string();
        if self.enabled(record.metadata()) && said.contains("cannot accept") {
            SAID.lock().unwrap().push(said);
        }
    }

    fn flush(&self) {}
}

/// From now on every accept of this OS thread fails with `error`. False if the system does not let us.
#[cfg(target_os = "linux")]
fn forbid_accept(error: i32) -> bool {
    let load_number = libc::sock_filter {
        code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
        jt: 0,
        jf: 0,
        k: 0,
    };
    let is_accept = libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf: 1,
        k: libc::SYS_accept4 as u32,
    };
    let answer = |k| libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let mut filter = [
        load_number,
        is_accept,
        answer(libc::SECCOMP_RET_ERRNO | error as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the first call takes no pointers; the second reads `program` and the filter that it points to, and both
    // live until it returns.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) == 0
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_accept_that_always_fails_neither_ends_the_loop_nor_spins() {
    // A process has one logger.
    alone(
        module_path!(),
        "an_accept_that_always_fails_neither_ends_the_loop_nor_spins",
        fail_every_accept,
    );
}

#[cfg(target_os = "linux")]
fn fail_every_accept() {
    log::set_logger(&Listening).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    for error in [libc::EPERM, libc::EOPNOTSUPP, libc::ENOBUFS] {
        SAID.lock().unwrap().clear();
        // The filter is for one thread, and for ever.
        let forbidden = thread::spawn(move || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let _client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
            if !forbid_accept(error) {
                return false;
            }
            let accepting = green::spawn(move || listener.incoming().next().is_none());
            settle();
            sleep_idle();
            assert!(!accepting.is_dead(), "{error} has ended the loop");
            true
        });
        if !forbidden.join().unwrap() {
            eprintln!("skipped: this system forbids system call filters");
            return;
        }
        let said = SAID.lock().unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
    }
}

#[test]
fn a_closed_listener_gives_an_error_and_no_more() {
    bounded(|| {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let closing = Rc::clone(&listener);
        let accepting = green::spawn(move || {
            let mut incoming = listener.incoming();
            let first = incoming.next().unwrap().unwrap_err();
            (first.kind(), incoming.next().is_none())
        });
        settle();
        closing.close();
        assert_eq!(accepting.join().unwrap(), (ErrorKind::NotConnected, true));
    });
}

#[test]
fn a_timeout_is_given_and_the_loop_goes_on() {
    bounded(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let short = Some(Duration::from_millis(5));
        listener.set_accept_timeout(short).unwrap();
        let mut incoming = listener.incoming();
        for _ in 0..2 {
            let error = incoming.next().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        }
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = incoming.next().unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), client.local_addr().unwrap());
        // One that never waits says so each time.
        listener.set_nonblocking(true).unwrap();
        for _ in 0..2 {
            let error = incoming.next().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    });
}

#[test]
fn connections_by_path_come_one_after_the_other() {
    bounded(|| {
        let path = std::env::temp_dir().join(format!("green-incoming-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let clients: Vec<_> = (0..3)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        let streams: Result<Vec<_>, _> = listener.incoming().take(3).collect();
        for (client, stream) in clients.iter().zip(streams.unwrap()) {
            (&*client).write_all(b"hello").unwrap();
            let mut word = [0; 5];
            (&stream).read_exact(&mut word).unwrap();
            assert_eq!(&word, b"hello");
        }
        std::fs::remove_file(&path).unwrap();
    });
}
