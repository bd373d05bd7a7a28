//! Servers: who ends them, and who does not.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::again::{alone, full_name};
use crate::common::{SHORT, bounded, settle, sleep_idle};
use crate::logged::{keep_log, logged};
use green::net::{ListenBuilder, TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use green::server::{Datagrams, Lifecycle, Listener, ServeError, StreamServer, serve};
use green::{GreenPool, StopServe, Timeout};

const LONG: Duration = Duration::from_secs(600);

fn local() -> Rc<TcpListener> {
    Rc::new(green::listen("127.0.0.1:0").unwrap())
}

fn client(of: &TcpListener) -> TcpStream {
    green::connect(of.local_addr().unwrap()).unwrap()
}

fn read_all(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn each_connection_has_a_greenthread_and_is_closed_after_it() {
    bounded(|| {
        let listener = local();
        let ids = Rc::new(RefCell::new(Vec::new()));
        let (serving, seen) = (Rc::clone(&listener), Rc::clone(&ids));
        let server = green::spawn(move || {
            serve(&*serving, 1000, move |mut stream, peer| {
                seen.borrow_mut().push(green::current().id());
                green::sleep(SHORT);
                stream.write_all(peer.to_string().as_bytes()).unwrap();
            })
        });
        let clients: Vec<_> = (0..20).map(|_| client(&listener)).collect();
        for client in clients {
            let me = client.local_addr().unwrap().to_string();
            assert_eq!(read_all(client), me, "and then the end");
        }
        ids.borrow_mut().dedup();
        assert_eq!(ids.borrow().len(), 20);
        server.kill();
    });
}

#[test]
fn stop_serve_ends_it_and_nothing_else() {
    bounded(|| {
        let listener = local();
        let serving = Rc::clone(&listener);
        let server = green::spawn(move || {
            serve(&*serving, 1000, |mut stream, _| {
                let mut word = [0; 4];
                stream.read_exact(&mut word).unwrap();
                if &word == b"stop" {
                    return ControlFlow::Break(StopServe);
                }
                stream.write_all(b"done").unwrap();
                ControlFlow::Continue(())
            })
        });
        let mut other = client(&listener);
        client(&listener).write_all(b"stop").unwrap();
        server.join().unwrap().unwrap();
        // The other handler finishes, and the listener is still open.
        other.write_all(b"more").unwrap();
        assert_eq!(read_all(other), "done");
        let _late = client(&listener);
        listener.accept().unwrap();
    });
}

#[test]
fn an_error_of_a_handler_ends_it() {
    bounded(|| {
        let listener = local();
        let connection = client(&listener);
        let served = serve(&*listener, 1000, |_, _| {
            io::Result::<()>::Err(io::Error::other("mine"))
        });
        let error = served.unwrap_err();
        let peer = connection.local_addr().unwrap();
        let said = format!("the handler of the connection from {peer} failed: mine");
        assert_eq!(error.to_string(), said);
        assert!(
            matches!(&error, ServeError::Handler { peer: of, error } if *of == peer.to_string()
                && error.to_string() == "mine")
        );
        assert_eq!(io::Error::from(error).to_string(), said);
        assert_eq!(read_all(connection), "");
        // The kind and the system's number stay.
        let _connection = client(&listener);
        let served = serve(&*listener, 1000, |_, _| {
            io::Result::<()>::Err(io::Error::from_raw_os_error(libc::ECONNRESET))
        });
        let error = io::Error::from(served.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(green::raw_os_error(&error), Some(libc::ECONNRESET));
        // Any error type will do, and a handler may have both.
        let _connection = client(&listener);
        let served = serve(&*listener, 1000, |_, _| {
            Result::<ControlFlow<StopServe>, &str>::Err("a text")
        });
        assert!(matches!(
            served.unwrap_err(),
            ServeError::Handler {
                error: "a text",
                ..
            }
        ));
    });
}

#[test]
fn a_panic_of_a_handler_goes_on_in_the_caller() {
    bounded(|| {
        let listener = local();
        let connection = client(&listener);
        let served = catch_unwind(AssertUnwindSafe(|| {
            let _ = serve(&*listener, 1000, |_, _| {
                if green::current().id() > 0 {
                    panic!("on purpose");
                }
            });
        }));
        assert_eq!(served.unwrap_err().downcast_ref(), Some(&"on purpose"));
        assert_eq!(read_all(connection), "");
    });
}

#[test]
fn a_killed_handler_and_a_late_failure_end_nothing() {
    bounded(|| {
        let listener = local();
        let handlers = Rc::new(RefCell::new(Vec::new()));
        let (serving, seen) = (Rc::clone(&listener), Rc::clone(&handlers));
        let server = green::spawn(move || {
            serve(&*serving, 1000, move |mut stream: TcpStream, _| {
                seen.borrow_mut().push(green::current());
                let mut word = [0];
                stream.read_exact(&mut word)?;
                match word[0] {
                    b's' => Ok(ControlFlow::Break(StopServe)),
                    _ => Err(io::Error::other("late")),
                }
            })
        });
        let killed = client(&listener);
        let mut late = client(&listener);
        settle();
        handlers.borrow()[0].kill();
        assert_eq!(read_all(killed), "");
        client(&listener).write_all(b"s").unwrap();
        server.join().unwrap().unwrap();
        late.write_all(b"e").unwrap();
        assert_eq!(read_all(late), "");
    });
}

#[test]
fn at_the_cap_nothing_is_accepted() {
    bounded(|| {
        let listener = local();
        let running = Rc::new(Cell::new(0));
        let most = Rc::new(Cell::new(0));
        let (serving, now, peak) = (Rc::clone(&listener), Rc::clone(&running), Rc::clone(&most));
        let server = green::spawn(move || {
            serve(&*serving, 5, move |mut stream, _| {
                now.set(now.get() + 1);
                peak.set(peak.get().max(now.get()));
                let _ = stream.read(&mut [0]);
                stream.write_all(b"x").unwrap();
                now.set(now.get() - 1);
            })
        });
        let mut clients: Vec<_> = (0..12).map(|_| client(&listener)).collect();
        green::sleep(SHORT);
        assert_eq!(running.get(), 5);
        // The sixth waits, whatever it says.
        clients[5].write_all(b"x").unwrap();
        clients[5].set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(
            clients[5].read(&mut [0]).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        clients[5].set_read_timeout(None).unwrap();
        // Its turn comes when the first has ended, without another word.
        clients[0].write_all(b"x").unwrap();
        assert_eq!(read_all(clients.remove(0)), "x");
        assert_eq!(read_all(clients.remove(4)), "x");
        for mut client in clients {
            client.write_all(b"x").unwrap();
            assert_eq!(read_all(client), "x");
        }
        assert_eq!(most.get(), 5);
        server.kill();
    });
}

#[test]
fn a_kill_and_a_deadline_end_it_and_leave_the_handlers() {
    bounded(|| {
        for deadline in [false, true] {
            let listener = local();
            let serving = Rc::clone(&listener);
            let server = green::spawn(move || {
                let after = deadline.then_some(SHORT);
                let served = Timeout::new(after).run(|| {
                    serve(&*serving, 1000, |mut stream, _| {
                        stream.read_exact(&mut [0]).unwrap();
                        stream.write_all(b"x").unwrap();
                    })
                });
                assert!(served.is_err());
            });
            let mut connection = client(&listener);
            green::sleep(2 * SHORT);
            server.kill();
            assert!(server.is_dead());
            connection.write_all(b"x").unwrap();
            assert_eq!(read_all(connection), "x");
        }
    });
}

#[test]
fn a_dead_listener_ends_it() {
    bounded(|| {
        let listener = local();
        let serving = Rc::clone(&listener);
        let server = green::spawn(move || serve(&*serving, 1000, |_, _| ()));
        settle();
        // Somebody else accepts here: an error for the second, which names both.
        let second = serve(&*listener, 1000, |_, _| ());
        assert!(
            matches!(second, Err(ServeError::Accept(error)) if error.kind() == ErrorKind::ResourceBusy)
        );
        listener.close();
        let error = server.join().unwrap().unwrap_err();
        assert!(
            matches!(&error, ServeError::Accept(error) if error.kind() == ErrorKind::NotConnected)
        );
        assert_eq!(
            error.to_string(),
            "cannot accept connections: the socket was closed"
        );
        // What could only spin is an error.
        let listener = local();
        listener.set_nonblocking(true).unwrap();
        let served = serve(&*listener, 1000, |_, _| ());
        assert!(
            matches!(served, Err(ServeError::Accept(error)) if error.kind() == ErrorKind::WouldBlock)
        );
    });
}

#[test]
fn a_timeout_of_the_listener_ends_nothing() {
    bounded(|| {
        let listener = local();
        listener
            .set_accept_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        let serving = Rc::clone(&listener);
        let server = green::spawn(move || {
            serve(&*serving, 1000, |_, _| ControlFlow::Break(StopServe)).unwrap();
        });
        green::sleep(SHORT);
        assert!(!server.is_dead());
        drop(client(&listener));
        server.join().unwrap();
    });
}

/// Fails as told, then gives connections that are numbers.
struct Scripted {
    errors: RefCell<Vec<i32>>,
    next: Cell<u32>,
}

impl Listener for Scripted {
    type Stream = u32;
    type Addr = ();

    fn accept(&self) -> io::Result<(u32, ())> {
        green::yield_now();
        if let Some(code) = self.errors.borrow_mut().pop() {
            return Err(io::Error::from_raw_os_error(code));
        }
        self.next.set(self.next.get() + 1);
        Ok((self.next.get(), ()))
    }

    fn close(&self) {}
}

#[test]
fn what_cannot_be_handled_is_not_accepted() {
    bounded(|| {
        let listener = Rc::new(Scripted {
            errors: RefCell::default(),
            next: Cell::new(0),
        });
        let serving = Rc::clone(&listener);
        let server = green::spawn(move || serve(&*serving, 3, |_, ()| green::sleep(LONG)));
        for _ in 0..3 {
            settle();
        }
        assert_eq!(listener.next.get(), 3);
        server.kill();
    });
}

#[test]
fn errors_of_one_connection_end_nothing() {
    // What other tests close would be seen here as well.
    alone(
        module_path!(),
        "errors_of_one_connection_end_nothing",
        || {
            bounded(|| {
                let listener = Scripted {
                    errors: RefCell::new(vec![
                        libc::ECONNABORTED,
                        libc::EPROTO,
                        libc::EINTR,
                        libc::EMFILE,
                        libc::EPERM,
                        libc::ENFILE,
                        libc::ENOBUFS,
                    ]),
                    next: Cell::new(0),
                };
                let start = Instant::now();
                serve(&listener, 1, |number, ()| match number {
                    3 => ControlFlow::Break(StopServe),
                    _ => ControlFlow::Continue(()),
                })
                .unwrap();
                assert!(listener.errors.borrow().is_empty());
                // Three shortages with nothing accepted in between: 10, 20 and 40 ms.
                assert!(start.elapsed() >= Duration::from_millis(70));
                listener.errors.borrow_mut().push(libc::EINVAL);
                let served = serve(&listener, 1, |_, ()| ());
                assert!(
                    matches!(served, Err(ServeError::Accept(error)) if error.raw_os_error() == Some(libc::EINVAL))
                );
            })
        },
    );
}

/// What the child of the next test does: it serves with few descriptors, and says so on its standard output.
#[test]
#[ignore = "it is run by another test, with few descriptors"]
fn few_descriptors_child() {
    bounded(|| {
        let listener = local();
        println!("address {}", listener.local_addr().unwrap());
        let accepted = Rc::new(Cell::new(0));
        let count = Rc::clone(&accepted);
        green::spawn_n(move || {
            let mut before = 0;
            while before == 0 || accepted.get() > before {
                before = accepted.get();
                green::sleep(Duration::from_millis(100));
            }
            sleep_idle();
            println!("idle with {before}");
        });
        serve(&*listener, 1000, move |mut stream, _| {
            count.set(count.get() + 1);
            let mut word = [0; 4];
            match stream.read_exact(&mut word) {
                Ok(()) if &word == b"stop" => ControlFlow::Break(StopServe),
                _ => {
                    let _ = stream.write_all(&word);
                    ControlFlow::Continue(())
                }
            }
        })
        .unwrap();
    });
}

#[test]
fn a_server_without_descriptors_waits_for_one() {
    bounded(|| {
        let mut child = Command::new("sh")
            .args([
                "-c",
                "ulimit -n 40; exec \"$0\" --ignored --exact \"$1\" --nocapture",
            ])
            .arg(std::env::current_exe().unwrap())
            .arg(full_name(module_path!(), "few_descriptors_child"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = |what: &str| {
            lines
                .find_map(|line| Some(line.unwrap().split_once(what)?.1.trim().to_owned()))
                .unwrap()
        };
        let address = said("address ");
        let clients: Vec<_> = (0..100)
            .map(|_| TcpStream::connect(&address).unwrap())
            .collect();
        let served: usize = said("idle with ").parse().unwrap();
        assert!((10..40).contains(&served), "it has accepted {served}");
        for mut client in clients {
            client.write_all(b"echo").unwrap();
            assert_eq!(read_all(client), "echo");
        }
        let mut last = TcpStream::connect(&address).unwrap();
        last.write_all(b"stop").unwrap();
        assert!(child.wait().unwrap().success());
    });
}

/// What the child of the next test does: it serves with little memory, and says so on its standard output.
#[test]
#[ignore = "it is run by another test, with little memory"]
fn little_memory_child() {
    bounded(|| {
        let life = Lifecycle::new();
        let listener = local();
        println!("address {}", listener.local_addr().unwrap());
        // The next stacks find no room: from now on only as much as the process has already, and a little.
        let taken = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = taken.split(' ').next().unwrap().parse().unwrap();
        let limit = pages * 4096 + (24 << 20);
        rustix::process::setrlimit(
            rustix::process::Resource::As,
            rustix::process::Rlimit {
                current: Some(limit),
                maximum: None,
            },
        )
        .unwrap();
        let (ending, counting) = (life.clone(), life.clone());
        let served = life.serve(&*listener, 100_000, move |mut stream: TcpStream, _| {
            let mut word = [0; 4];
            stream.read_exact(&mut word)?;
            // By now: a drain without time ends this connection as well.
            stream.write_all(&word)?;
            if &word == b"stop" {
                println!("refused {}", counting.counters().refused);
                let life = ending.clone();
                green::spawn_n(move || {
                    life.drain(Duration::ZERO);
                });
            }
            io::Result::Ok(())
        });
        served.unwrap();
    });
}

#[test]
fn a_server_without_memory_for_stacks_goes_on() {
    bounded(|| {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg(full_name(module_path!(), "little_memory_child"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = |what: &str| {
            lines
                .find_map(|line| Some(line.unwrap().split_once(what)?.1.trim().to_owned()))
                .unwrap()
        };
        let address = said("address ");
        // More than there is room for: some are closed, and those that are served stay.
        let clients: Vec<_> = (0..400)
            .map(|_| TcpStream::connect(&address).unwrap())
            .collect();
        green::sleep(Duration::from_millis(300));
        let mut served = 0;
        for mut client in clients {
            client.set_read_timeout(Some(SHORT)).unwrap();
            let echo = client.write_all(b"echo").and_then(|()| {
                let mut back = [0; 4];
                client.read_exact(&mut back).map(|()| back)
            });
            served += usize::from(echo.is_ok_and(|back| &back == b"echo"));
        }
        assert!(served > 0);
        // Now there is room again.
        let mut last = TcpStream::connect(&address).unwrap();
        last.write_all(b"stop").unwrap();
        assert_eq!(read_all(last), "stop");
        let refused: usize = said("refused ").parse().unwrap();
        assert!(refused > 0, "{served} were served");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_close_ends_the_shortage() {
    // What other tests close would be seen here as well.
    alone(module_path!(), "a_close_ends_the_shortage", || {
        bounded(|| {
            let codes = vec![libc::EMFILE; 8];
            let listener = Rc::new(Scripted {
                errors: RefCell::new(codes),
                next: Cell::new(0),
            });
            let serving = Rc::clone(&listener);
            let server = green::spawn(move || {
                serve(&*serving, 1, |_, ()| ControlFlow::Break(StopServe)).unwrap();
            });
            // By its own clock it would try again after 10, 20, 40 ... ms.
            for _ in 0..8 {
                settle();
                assert!(!server.is_dead());
                drop(UdpSocket::bind("127.0.0.1:0").unwrap());
            }
            settle();
            assert!(server.is_dead());
            assert!(listener.errors.borrow().is_empty());
        })
    });
}

#[test]
fn a_drained_server_finishes_what_it_has() {
    bounded(|| {
        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Rc::new(StreamServer::new(listener, |mut stream: TcpStream, _| {
            let mut word = [0; 4];
            stream.read_exact(&mut word)?;
            if &word == b"slow" {
                green::sleep(LONG);
            }
            green::sleep(SHORT);
            stream.write_all(&word)
        }));
        assert_eq!(server.connections(), 0);
        server.start();
        server.start();
        let mut clients: Vec<_> = (0..4).map(|_| green::connect(address).unwrap()).collect();
        for (index, client) in clients.iter_mut().enumerate() {
            client
                .write_all(if index == 1 { b"slow" } else { b"fast" })
                .unwrap();
        }
        settle();
        green::sleep(Duration::from_millis(1));
        assert_eq!(server.connections(), 4);
        let draining = Rc::clone(&server);
        let draining = green::spawn(move || draining.stop(10 * SHORT));
        settle();
        assert!(server.is_closed());
        let refused = green::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let texts: Vec<_> = clients.into_iter().map(read_all).collect();
        assert_eq!(texts, ["fast", "", "fast", "fast"]);
        assert_eq!(draining.join().unwrap(), 1);
        assert_eq!(server.connections(), 0);
        assert_eq!(server.stop(None), 0);
        server.close();
    });
}

#[test]
fn failures_of_handlers_do_not_end_a_stream_server() {
    bounded(|| {
        let server = StreamServer::new(
            green::listen("127.0.0.1:0").unwrap(),
            |mut stream: TcpStream, _| {
                let mut word = [0];
                stream.read_exact(&mut word)?;
                match word[0] {
                    b'e' => Err(io::Error::other("an error")),
                    b'p' => panic!("on purpose"),
                    b's' => Ok(ControlFlow::Break(StopServe)),
                    _ => stream.write_all(b"fine").map(ControlFlow::Continue),
                }
            },
        );
        let address = server.listener().local_addr().unwrap();
        let server = Rc::new(server);
        let serving = Rc::clone(&server);
        let serving = green::spawn(move || serving.serve_forever());
        green::yield_now();
        for (word, answer) in [(b"e", ""), (b"p", ""), (b"x", "fine"), (b"s", "")] {
            let mut client = green::connect(address).unwrap();
            client.write_all(word).unwrap();
            assert_eq!(read_all(client), answer);
        }
        serving.join().unwrap().unwrap();
        assert!(server.is_closed());
    });
}

#[test]
fn every_way_out_of_serve_forever() {
    bounded(|| {
        let new = || {
            Rc::new(StreamServer::new(
                green::listen("127.0.0.1:0").unwrap(),
                |_, _| (),
            ))
        };
        let forever = |server: &Rc<StreamServer<TcpListener>>| {
            let server = Rc::clone(server);
            let task = green::spawn(move || server.serve_forever());
            settle();
            task
        };
        let server = new();
        let task = forever(&server);
        server.close();
        task.join().unwrap().unwrap();
        server.serve_forever().unwrap();

        let server = new();
        let task = forever(&server);
        server.listener().close();
        assert_eq!(
            task.join().unwrap().unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        assert!(server.is_closed());

        let server = new();
        let task = forever(&server);
        task.kill();
        assert!(server.is_closed());

        // Also while it waits for a place.
        let server = Rc::new(
            StreamServer::new(green::listen("127.0.0.1:0").unwrap(), |_, _| ())
                .pool(&GreenPool::new(0)),
        );
        let task = forever(&server);
        assert_eq!(server.stop(None), 0);
        task.join().unwrap().unwrap();

        let address = {
            let server = new();
            server.start();
            settle();
            server.listener().local_addr().unwrap()
        };
        settle();
        assert_eq!(
            green::connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
    });
}

#[test]
fn a_handler_may_stop_its_server() {
    bounded(|| {
        let server = Rc::new(RefCell::new(None::<Rc<StreamServer<TcpListener>>>));
        let inner = Rc::clone(&server);
        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let made = StreamServer::new(listener, move |mut stream: TcpStream, _| {
            let mut word = [0];
            if stream.read_exact(&mut word).is_ok() {
                let server = inner.borrow_mut().take().unwrap();
                let killed = server.stop(SHORT);
                stream.write_all(killed.to_string().as_bytes()).unwrap();
            }
        });
        let made = made.max_accept(1).pool(&GreenPool::new(10));
        made.start();
        *server.borrow_mut() = Some(Rc::new(made));
        let _idle = [
            green::connect(address).unwrap(),
            green::connect(address).unwrap(),
        ];
        let mut client = green::connect(address).unwrap();
        client.write_all(b"x").unwrap();
        assert_eq!(read_all(client), "2");
    });
}

#[test]
fn other_listeners_are_served_too() {
    bounded(|| {
        let path = std::env::temp_dir().join(format!("green-serve-{}.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let server = green::spawn(move || {
            serve(&listener, 10, |mut stream, _| {
                stream.write_all(b"unix").unwrap();
                ControlFlow::Break(StopServe)
            })
        });
        assert_eq!(read_all(UnixStream::connect(&path).unwrap()), "unix");
        std::fs::remove_file(path).unwrap();
        server.join().unwrap().unwrap();

        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let address = socket.local_addr().unwrap();
        let answers = Rc::clone(&socket);
        let server = StreamServer::new(Datagrams::new(socket), move |data: Vec<u8>, peer| {
            answers.send_to(&data, peer).map(drop)
        });
        server.start();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut buf = [0; 2000];
        for len in [0, 1, 1500] {
            client.send_to(&vec![1; len], address).unwrap();
            assert_eq!(client.recv_from(&mut buf).unwrap(), (len, address));
        }
        assert_eq!(server.stop(None), 0);
    });
}

#[test]
fn options_of_a_listener() {
    keep_log();
    let first = green::listen("127.0.0.1:0").unwrap();
    let second = green::listen("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    assert_ne!(address, second.local_addr().unwrap());
    assert_eq!(
        green::listen(address).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    let shared = ListenBuilder::new().reuse_port(true);
    assert_eq!(
        shared.listen(address).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    let a = shared.listen("127.0.0.1:0").unwrap();
    let address = a.local_addr().unwrap();
    assert_eq!(logged("with SO_REUSEPORT"), 1);
    let b = shared.listen(address).unwrap();
    assert_eq!(b.local_addr().unwrap(), address);
    assert_eq!(
        logged("with SO_REUSEPORT"),
        1,
        "a port of one's own is no surprise"
    );
    assert_eq!(
        green::listen(address).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    // An address with connections that outlive their listener.
    bounded(|| {
        for reuse in [true, false] {
            let listener = green::listen("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let stream = green::connect(address).unwrap();
            let accepted = listener.accept().unwrap();
            drop(listener);
            let again = ListenBuilder::new().reuse_addr(reuse).listen(address);
            assert_eq!(again.is_ok(), reuse);
            drop((stream, accepted));
        }
    });
}

#[test]
fn a_connect_from_an_address() {
    bounded(|| {
        let listener = local();
        let address = listener.local_addr().unwrap();
        let stream = green::connect_from(address, "127.0.0.3:0").unwrap();
        assert_eq!(stream.local_addr().unwrap().ip().to_string(), "127.0.0.3");
        let wrong = green::connect_from(address, "[::1]:0").unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::InvalidInput);
    });
}
