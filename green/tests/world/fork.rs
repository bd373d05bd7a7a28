//! Children of a fork. Each test runs again in a process of its own that has a single thread.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::{again, log, settle};
use green::hubs::{self, AfterFork, after_fork};
use green::net::{TcpListener, TcpStream};
use green::signal::{self, Signals};
use green::{Exit, Timeout, os, tpool};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(LONG).run(f).expect("the test hangs")
}

/// Runs `body` in a process whose only thread is the one of the test.
fn alone(test: &str, body: impl FnOnce()) {
    again::alone(module_path!(), test, || bounded(body));
}

/// Forks; the child runs `child` and ends, with code 0 if that did not panic.
fn fork(child: impl FnOnce()) -> u32 {
    // SAFETY: this thread is the only one but for idle threads of a pool, so no lock is held and no memory half
    // changed in the child.
    match unsafe { libc::fork() } {
        -1 => panic!("{}", io::Error::last_os_error()),
        0 => {
            let result = catch_unwind(AssertUnwindSafe(child));
            std::process::exit(result.is_err().into());
        }
        pid => pid.cast_unsigned(),
    }
}

fn succeeds(child: u32) {
    let status = os::waitpid(child).unwrap();
    assert!(status.success(), "the child: {status}");
}

fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(green::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn serve_one(listener: &TcpListener, who: &str) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    write!(stream, "{who} got {text}").unwrap();
}

#[test]
fn a_child_accepts_on_an_inherited_listener() {
    alone("a_child_accepts_on_an_inherited_listener", || {
        let ours = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let inherited = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let (our_address, address) = (ours.local_addr().unwrap(), inherited.local_addr().unwrap());
        // Both are waited for in the parent at the moment of the fork.
        let server = green::spawn({
            let ours = Rc::clone(&ours);
            move || serve_one(&ours, "the parent")
        });
        let acceptor = green::spawn({
            let inherited = Rc::clone(&inherited);
            move || serve_one(&inherited, "the wrong one")
        });
        green::sleep(SHORT);
        let child = fork(|| {
            after_fork(AfterFork::Discard).unwrap();
            serve_one(&inherited, "the child");
        });
        acceptor.kill();
        assert_eq!(say(address, "hello"), "the child got hello");
        succeeds(child);
        // The parent is as before.
        assert_eq!(say(our_address, "hi"), "the parent got hi");
        server.join().unwrap();
    });
}

#[test]
fn what_the_child_does_leaves_the_parents_waits_alone() {
    alone("what_the_child_does_leaves_the_parents_waits_alone", || {
        let pipes: Vec<_> = (0..20).map(|_| os::pipe().unwrap()).collect();
        let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
        let readers: Vec<_> = readers.into_iter().map(Rc::new).collect();
        let waits: Vec<_> = readers
            .iter()
            .map(|reader| {
                let reader = Rc::clone(reader);
                green::spawn(move || (&*reader).read(&mut [0; 8]).unwrap())
            })
            .collect();
        green::sleep(SHORT);
        let before = fork(|| {
            // Closed before the hub is the child's own,
            for reader in &readers {
                reader.close();
            }
            after_fork(AfterFork::Discard).unwrap();
            green::sleep(Duration::from_millis(1));
        });
        let after = fork(|| {
            // and after it,
            after_fork(AfterFork::Keep).unwrap();
            for reader in &readers {
                reader.close();
            }
            let (reader, mut writer) = os::pipe().unwrap();
            green::spawn_n(move || writer.write_all(b"x").unwrap());
            assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 1);
        });
        let never = fork(|| {
            // and never made its own.
            for reader in &readers {
                reader.close();
            }
        });
        for child in [before, after, never] {
            succeeds(child);
        }
        for mut writer in &writers {
            writer.write_all(b"four").unwrap();
        }
        for wait in waits {
            assert_eq!(wait.join().unwrap(), 4);
        }
    });
}

#[test]
fn a_child_that_says_nothing_is_refused() {
    alone("a_child_that_says_nothing_is_refused", || {
        let sleeper = green::spawn(|| green::sleep(LONG));
        settle();
        let child = fork(|| {
            let refused = |wait: &dyn Fn()| {
                let refused = catch_unwind(AssertUnwindSafe(wait)).unwrap_err();
                let text = refused.downcast_ref::<String>().unwrap();
                assert!(text.contains("after_fork"), "{text}");
            };
            refused(&|| green::sleep(Duration::from_millis(1)));
            refused(&|| drop(TcpListener::bind("127.0.0.1:0").unwrap().accept()));
            // Nothing of its own to ask the hub for: it would only wait there.
            refused(&|| drop(sleeper.wait()));
            let text = green::spawn(|| green::sleep(LONG)).join().unwrap_err();
            assert!(text.to_string().contains("after_fork"), "{text}");
            after_fork(AfterFork::Discard).unwrap();
            green::sleep(Duration::from_millis(1));
        });
        succeeds(child);
    });
}

#[test]
fn kept_greenthreads_run_on_in_both() {
    alone("kept_greenthreads_run_on_in_both", || {
        let start = Instant::now();
        let sleeper = green::spawn(move || {
            green::sleep(Duration::from_millis(100));
            start.elapsed()
        });
        let left =
            green::spawn(|| Timeout::new(Duration::from_millis(50)).run(|| green::sleep(LONG)));
        let (mut reader, writer) = os::pipe().unwrap();
        let reads = green::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        green::sleep(SHORT);
        // Both have the pipe; only the child writes to it, and both must close it for an end.
        let child = fork(|| {
            after_fork(AfterFork::Keep).unwrap();
            assert!(sleeper.wait().unwrap() >= Duration::from_millis(100));
            assert!(left.wait().unwrap().is_err());
            drop(writer);
        });
        assert!(sleeper.wait().unwrap() >= Duration::from_millis(100));
        assert!(left.wait().unwrap().is_err());
        succeeds(child);
        assert_eq!(reads.join().unwrap(), "");
    });
}

#[test]
fn discarded_greenthreads_do_nothing_more() {
    alone("discarded_greenthreads_do_nothing_more", || {
        struct Note(Rc<RefCell<Vec<&'static str>>>);
        impl Drop for Note {
            fn drop(&mut self) {
                self.0.borrow_mut().push("dropped");
            }
        }
        let notes = Rc::new(RefCell::new(Vec::new()));
        let lock = Rc::new(green::Semaphore::new(1));
        let parked = green::spawn({
            let (note, lock) = (Note(Rc::clone(&notes)), Rc::clone(&lock));
            move || {
                let _permit = lock.acquire();
                green::sleep(Duration::from_millis(50));
                note.0.borrow_mut().push("woke");
            }
        });
        let fresh = {
            let note = Note(Rc::clone(&notes));
            settle();
            green::spawn(move || note.0.borrow_mut().push("ran"))
        };
        let delayed = {
            let note = Note(Rc::clone(&notes));
            green::spawn_after(Duration::from_millis(10), move || {
                note.0.borrow_mut().push("delayed");
            })
        };
        let child = fork(|| {
            after_fork(AfterFork::Discard).unwrap();
            for gt in [&parked, &fresh, &delayed] {
                assert!(gt.is_dead());
            }
            green::sleep(Duration::from_millis(100));
            assert!(notes.borrow().is_empty(), "{:?}", notes.borrow());
            assert!(matches!(fresh.wait(), Err(Exit::Cancelled)));
            // What they held they hold for ever.
            assert!(lock.acquire_timeout(Duration::from_millis(1)).is_none());
            // And nothing but new ones is left.
            assert_eq!(green::spawn(|| 5).join().unwrap(), 5);
        });
        for gt in [parked, fresh, delayed] {
            gt.join().unwrap();
        }
        assert_eq!(notes.borrow().len(), 6);
        succeeds(child);
    });
}

#[test]
fn a_greenthread_forks_and_is_alone() {
    alone("a_greenthread_forks_and_is_alone", || {
        let forked = green::spawn(|| {
            fork(|| {
                after_fork(AfterFork::Discard).unwrap();
                let start = Instant::now();
                let left = Timeout::new(SHORT).run(|| green::sleep(LONG));
                assert!(left.is_err() && start.elapsed() >= SHORT);
            })
        });
        succeeds(forked.join().unwrap());
    });
}

#[test]
fn the_thread_pool_starts_anew() {
    alone("the_thread_pool_starts_anew", || {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let own = tpool::ThreadPool::new(1);
        own.execute(|| ()).unwrap();
        tpool::execute(|| ()).unwrap();
        let waits = green::spawn(|| {
            tpool::execute(|| {
                RUNS.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(100));
            })
        });
        let handle = hubs::handle().unwrap();
        green::sleep(SHORT);
        let child = fork(|| {
            after_fork(AfterFork::Keep).unwrap();
            let lost = waits.join().unwrap().unwrap_err();
            assert!(lost.to_string().contains("forked"), "{lost}");
            assert_eq!(tpool::execute(|| 7).unwrap(), 7);
            assert!(own.execute(|| ()).is_err());
            assert!(own.killall(None));
            assert!(tpool::killall(None));
            assert_eq!(handle.spawn(|| ()), Err(hubs::ThreadClosed));
            assert_eq!(green::dns::lookup("localhost", 1).unwrap()[0].port(), 1);
            let shared = std::sync::Arc::new(green::sync::Semaphore::new(0));
            let other = std::sync::Arc::clone(&shared);
            std::thread::spawn(move || other.release());
            drop(shared.acquire());
        });
        // Not joined in the parent: it was moved into what only the child runs.
        succeeds(child);
        assert_eq!(RUNS.load(Ordering::SeqCst), 1);
        assert_eq!(own.execute(|| 8).unwrap(), 8);
        let spawned = std::sync::Arc::new(AtomicUsize::new(0));
        let counter = std::sync::Arc::clone(&spawned);
        handle
            .spawn(move || {
                counter.store(9, Ordering::SeqCst);
            })
            .unwrap();
        while spawned.load(Ordering::SeqCst) == 0 {
            green::sleep(Duration::from_millis(1));
        }
    });
}

#[test]
fn signals_reach_the_one_they_are_sent_to() {
    alone("signals_reach_the_one_they_are_sent_to", || {
        let signals = Rc::new(Signals::new([signal::SIGUSR1]).unwrap());
        let waits = green::spawn({
            let signals = Rc::clone(&signals);
            move || signals.wait().unwrap()
        });
        green::sleep(SHORT);
        let child = fork(|| {
            after_fork(AfterFork::Keep).unwrap();
            green::spawn_n(|| signal::raise(signal::SIGUSR1).unwrap());
            assert_eq!(waits.wait().unwrap(), signal::SIGUSR1);
        });
        succeeds(child);
        assert!(waits.wait_timeout(SHORT).is_none(), "it was the child's");
        signal::raise(signal::SIGUSR1).unwrap();
        assert_eq!(waits.join().unwrap(), signal::SIGUSR1);
    });
}

#[test]
fn a_hub_of_ones_own_is_given_anew() {
    alone("a_hub_of_ones_own_is_given_anew", || {
        struct Mine(hub_poll::Poll, &'static str);
        impl hubs::Hub for Mine {
            fn name(&self) -> &'static str {
                self.1
            }
            fn add(
                &mut self,
                fd: std::os::fd::BorrowedFd<'_>,
                token: hub_core::Token,
                trigger: hub_core::Trigger,
            ) -> io::Result<()> {
                self.0.add(fd, token, trigger)
            }
            fn arm(
                &mut self,
                fd: std::os::fd::BorrowedFd<'_>,
                token: hub_core::Token,
                interest: hub_core::Interest,
            ) -> io::Result<()> {
                self.0.arm(fd, token, interest)
            }
            fn remove(
                &mut self,
                fd: std::os::fd::BorrowedFd<'_>,
                token: hub_core::Token,
            ) -> io::Result<()> {
                self.0.remove(fd, token)
            }
            fn wait(
                &mut self,
                timeout: Option<Duration>,
                events: &mut Vec<hub_core::Event>,
            ) -> io::Result<()> {
                self.0.wait(timeout, events)
            }
        }
        // No hub is known by its name: not one that calls itself like one that is built in either.
        for name in ["mine", "epoll"] {
            let make = || Mine(hub_poll::Poll::new().unwrap(), name);
            hubs::use_hub_with(make()).unwrap();
            green::sleep(Duration::from_millis(1));
            let child = fork(|| {
                let error = after_fork(AfterFork::Keep).unwrap_err();
                let text = error.to_string();
                assert!(
                    text.contains(name) && text.contains("another of its kind"),
                    "{text}"
                );
                hubs::after_fork_with(AfterFork::Keep, make()).unwrap();
                green::sleep(Duration::from_millis(1));
                assert_eq!(hubs::get_hub(), name);
            });
            succeeds(child);
        }
    });
}

#[test]
fn the_childs_watchdog_is_its_own() {
    alone("the_childs_watchdog_is_its_own", || {
        log::keep();
        green::debug::blocking_detection(Duration::from_millis(20));
        green::sleep(Duration::from_millis(1));
        let child = fork(|| {
            after_fork(AfterFork::Discard).unwrap();
            green::sleep(Duration::from_millis(1));
            let blocks = green::spawn(|| {
                let start = Instant::now();
                while log::count("without letting others run") == 0 {
                    assert!(start.elapsed() < LONG / 2, "nobody watches the child");
                }
            });
            blocks.join().unwrap();
        });
        succeeds(child);
        assert_eq!(log::count("without letting others run"), 0);
    });
}

#[test]
fn an_exit_of_the_child_ends_the_child_alone() {
    alone("an_exit_of_the_child_ends_the_child_alone", || {
        let child = fork(|| {
            after_fork(AfterFork::Discard).unwrap();
            green::spawn_n(|| green::exit(7));
            // What `fork` does with a panic is not meant for this one.
            drop(catch_unwind(|| green::sleep(LONG)));
        });
        assert_eq!(os::waitpid(child).unwrap().code(), Some(7));
    });
}

#[test]
fn a_child_process_is_its_parents() {
    alone("a_child_process_is_its_parents", || {
        let mut sleep = green::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let forked = fork(|| {
            after_fork(AfterFork::Discard).unwrap();
            let error = os::wait_timeout(Duration::from_secs(1)).unwrap_err();
            assert_eq!(green::raw_os_error(&error), Some(libc::ECHILD));
            // The forks share a process that is the child of one of them.
            let error = sleep.try_wait().unwrap_err();
            assert_eq!(green::raw_os_error(&error), Some(libc::ECHILD));
            assert!(sleep.wait_timeout(Duration::from_millis(1)).is_err());
            let mut own = green::process::Command::new("true").spawn().unwrap();
            assert!(own.wait().unwrap().success());
        });
        succeeds(forked);
        assert!(sleep.try_wait().unwrap().is_none());
        sleep.kill().unwrap();
        assert!(!sleep.wait().unwrap().success());
    });
}

#[test]
fn without_a_fork_nothing_happens() {
    let other = green::spawn(|| green::sleep(Duration::from_millis(1)));
    after_fork(AfterFork::Discard).unwrap();
    other.join().unwrap();
}

#[test]
fn dumpers_that_are_set_aside_hide_nothing_in_the_child() {
    alone(
        "dumpers_that_are_set_aside_hide_nothing_in_the_child",
        || {
            // More than one: the deadline of this test is something to wait for, too.
            let signals = [green::signal::SIGUSR1, green::signal::SIGUSR2];
            let dumpers = signals.map(|signal| green::debug::dump_on_signal(signal).unwrap());
            green::sleep(SHORT);
            let child = fork(|| {
                after_fork(AfterFork::Discard).unwrap();
                // One wait, and that one can end.
                let (reader, mut writer) = std::io::pipe().unwrap();
                let reader = os::PipeReader::try_from(std::os::fd::OwnedFd::from(reader)).unwrap();
                let thread = std::thread::spawn(move || {
                    std::thread::sleep(SHORT);
                    writer.write_all(b"x").unwrap();
                });
                assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 1);
                thread.join().unwrap();
            });
            succeeds(child);
            green::killall(&dumpers);
        },
    );
}

#[test]
fn a_scope_that_is_open_keeps_its_greenthreads_in_the_child() {
    alone(
        "a_scope_that_is_open_keeps_its_greenthreads_in_the_child",
        || {
            let text = String::from("borrowed");
            let seen = RefCell::new(Vec::new());
            let child = green::scope(|s| {
                s.spawn(|| {
                    green::sleep(SHORT);
                    seen.borrow_mut().push(text.as_str());
                });
                green::yield_now();
                fork(|| {
                    let refused = after_fork(AfterFork::Discard).unwrap_err();
                    assert!(refused.to_string().contains("a scope"), "{refused}");
                    after_fork(AfterFork::Keep).unwrap();
                    green::sleep(2 * SHORT);
                    assert_eq!(*seen.borrow(), ["borrowed"]);
                })
            });
            succeeds(child.unwrap());
            assert_eq!(*seen.borrow(), ["borrowed"]);
        },
    );
}

#[test]
fn a_child_of_a_scope_may_discard_its_parent() {
    alone("a_child_of_a_scope_may_discard_its_parent", || {
        let text = String::from("borrowed");
        let children = RefCell::new(Vec::new());
        green::scope(|s| {
            s.spawn(|| green::sleep(SHORT));
            s.spawn(|| {
                let child = fork(|| {
                    // The stacks of the others stay as they are.
                    after_fork(AfterFork::Discard).unwrap();
                    green::sleep(SHORT);
                    assert_eq!(text, "borrowed");
                    let ours = green::scope(|inner| inner.spawn(|| text.len()).join().unwrap());
                    assert_eq!(ours.unwrap(), 8);
                });
                children.borrow_mut().push(child);
            });
        })
        .unwrap();
        children.take().into_iter().for_each(succeeds);
    });
}

#[cfg(feature = "dns")]
#[test]
fn what_the_parent_was_asking_the_child_asks_itself() {
    use green::dns::Resolver;
    use green::net::UdpSocket;

    alone("what_the_parent_was_asking_the_child_asks_itself", || {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let resolver = Resolver::green()
            .hosts_file("/nonexistent")
            .nameservers([server.local_addr().unwrap()])
            .search::<&str>([])
            .timeout(LONG)
            .lookup_timeout(None)
            .build();
        // Says nothing to the parent, and to the child that there is no such name.
        let mut buf = [0; 512];
        let asker = {
            let resolver = resolver.clone();
            green::spawn(move || resolver.gethostbyname("a.example"))
        };
        let (_, first) = server.recv_from(&mut buf).unwrap();
        let child = fork(|| {
            after_fork(AfterFork::Discard).unwrap();
            let error = resolver.gethostbyname("a.example").unwrap_err();
            assert_eq!(error.kind(), green::dns::ErrorKind::NotFound);
        });
        let (len, second) = server.recv_from(&mut buf).unwrap();
        assert_ne!(first, second);
        buf[2] |= 0x80;
        buf[3] |= 3;
        server.send_to(&buf[..len], second).unwrap();
        succeeds(child);
        assert!(!asker.is_dead());
    });
}

#[test]
fn a_greenthread_that_waits_for_a_future_can_be_woken_in_the_child() {
    use std::sync::{Arc, Mutex};
    use std::task::{Poll, Waker};

    alone(
        "a_greenthread_that_waits_for_a_future_can_be_woken_in_the_child",
        || {
            let left = Arc::new(Mutex::new((false, None::<Waker>)));
            let shared = Arc::clone(&left);
            let waits = green::spawn(move || {
                green::future::block_on(std::future::poll_fn(|cx| {
                    let mut left = shared.lock().unwrap();
                    left.1 = Some(cx.waker().clone());
                    match left.0 {
                        true => Poll::Ready(7),
                        false => Poll::Pending,
                    }
                }))
            });
            green::sleep(SHORT);
            succeeds(fork(|| {
                after_fork(AfterFork::Keep).unwrap();
                green::yield_now();
                let thread = std::thread::spawn(move || {
                    std::thread::sleep(SHORT);
                    let mut left = left.lock().unwrap();
                    left.0 = true;
                    left.1.take().unwrap().wake();
                });
                assert_eq!(waits.join().unwrap(), 7);
                thread.join().unwrap();
            }));
        },
    );
}
