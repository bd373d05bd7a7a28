//! One address, several workers.

use std::io::{self, Read, Write};
use std::net;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::bounded;
use green::net::{SocketAddr, TcpStream};
use green::server::{Lifecycle, StreamServer};
use green::sync::{Event, Queue};
use green::workers::{OnPanic, SharedListener, Worker, WorkersBuilder};

/// Both ways of sharing.
const WAYS: [bool; 2] = [false, true];

fn listen(worker: &Worker, one_queue: bool, address: &str) -> io::Result<SharedListener> {
    match one_queue {
        true => worker.listen_shared_queue(address),
        false => worker.listen_shared(address),
    }
}

/// Says which worker serves it, and waits for the client's end.
fn says_who() -> impl Fn(TcpStream, SocketAddr) -> io::Result<()> {
    |mut stream, _| {
        let name = std::thread::current().name().unwrap().to_owned();
        stream.write_all(name.as_bytes())?;
        stream.read(&mut [0]).map(drop)
    }
}

fn who(stream: &mut net::TcpStream) -> String {
    let mut name = [0; 8];
    stream.read_exact(&mut name).unwrap();
    String::from_utf8(name.to_vec()).unwrap()
}

#[test]
fn all_listen_at_the_port_that_the_first_was_given() {
    bounded(|| {
        for one_queue in WAYS {
            let ports = green::workers(4, move |worker| {
                let listener = listen(&worker, one_queue, "127.0.0.1:0")?;
                // Another address is another group.
                let other = listen(&worker, one_queue, "127.0.0.2:0")?;
                let again = listen(&worker, one_queue, "127.0.0.1:0")?;
                assert_eq!(again.local_addr()?, listener.local_addr()?);
                assert_eq!(listener.is_own(), !one_queue);
                assert_ne!(other.local_addr()?, listener.local_addr()?);
                green::sleep(Duration::from_millis(5));
                io::Result::Ok(listener.local_addr()?.port())
            });
            let ports = ports.unwrap();
            assert_eq!(ports, [ports[0]; 4]);
        }
    });
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    bounded(|| {
        let taken = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        for one_queue in WAYS {
            let server = StreamServer::factory(says_who)
                .workers(2)
                .one_queue(one_queue);
            let error = server.start(address).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            let error = green::workers(2, move |worker| {
                listen(&worker, one_queue, &address.to_string()).map(drop)
            });
            assert_eq!(
                io::Error::from(error.unwrap_err()).kind(),
                io::ErrorKind::AddrInUse
            );
        }
    });
}

#[test]
fn every_worker_gets_its_share() {
    bounded(|| {
        for one_queue in WAYS {
            let server = StreamServer::factory(says_who)
                .workers(2)
                .one_queue(one_queue);
            let running = server.start("127.0.0.1:0").unwrap();
            let address = running.local_addr();
            let clients = std::thread::spawn(move || {
                let mut served = [0; 2];
                while served.iter().any(|&served| served < 20) {
                    let mut client = net::TcpStream::connect(address).unwrap();
                    served[usize::from(who(&mut client) == "worker-1")] += 1;
                }
                served.iter().sum::<u64>()
            });
            while !clients.is_finished() {
                green::sleep(Duration::from_millis(1));
            }
            assert_eq!(running.counters().accepted, clients.join().unwrap());
            assert_eq!(running.drain(None).unwrap().killed, 0);
        }
    });
}

/// Clients that connect and ask as fast as they can, until nothing listens any more. Gives how many were answered.
fn clients(address: SocketAddr, over: &Arc<AtomicBool>, left: &Arc<AtomicUsize>) -> usize {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (over, left) = (Arc::clone(over), Arc::clone(left));
            std::thread::spawn(move || {
                let mut answered = 0;
                while !over.load(Ordering::SeqCst) {
                    // A handshake that is refused for now is tried again by the system, a second later.
                    let Ok(mut stream) =
                        net::TcpStream::connect_timeout(&address, Duration::from_millis(300))
                    else {
                        continue;
                    };
                    let mut answer = [0; 4];
                    let asked = stream.write_all(b"ping");
                    match asked.and_then(|()| stream.read_exact(&mut answer)) {
                        Ok(()) => answered += 1,
                        Err(_) => {
                            left.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
                answered
            })
        })
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum()
}

#[test]
fn a_drain_leaves_no_connection_behind() {
    bounded(|| {
        for one_queue in WAYS {
            for workers in [2, 4] {
                let server = StreamServer::factory(|| {
                    |mut stream: TcpStream, _| {
                        let mut word = [0; 4];
                        stream.read_exact(&mut word)?;
                        stream.write_all(&word)
                    }
                });
                let server = server.workers(workers).one_queue(one_queue);
                let running = server.start("127.0.0.1:0").unwrap();
                let address = running.local_addr();
                let (over, left) = (Arc::new(AtomicBool::new(false)), Arc::default());
                let asking = {
                    let (over, left) = (Arc::clone(&over), Arc::clone(&left));
                    std::thread::spawn(move || clients(address, &over, &left))
                };
                green::sleep(Duration::from_millis(100));
                let drained = running.drain(Duration::from_secs(60)).unwrap();
                over.store(true, Ordering::SeqCst);
                let answered = asking.join().unwrap();
                assert!(answered > 0);
                assert_eq!(drained.killed, 0);
                assert_eq!(
                    left.load(Ordering::SeqCst),
                    0,
                    "of {answered}, one queue: {one_queue}"
                );
            }
        }
    });
}

#[test]
fn what_waits_when_one_worker_drains_is_served_by_it() {
    bounded(|| {
        // Its own thread computes while the connections come, so that all of them are in its queue.
        let (ready, go) = (Arc::new(Queue::unbounded()), Arc::new(Event::<()>::new()));
        let (tell, wait) = (Arc::clone(&ready), Arc::clone(&go));
        let running = WorkersBuilder::from(1).start(move |worker| {
            let life = Lifecycle::new();
            let listener = worker.listen_shared("127.0.0.1:0")?;
            tell.put(listener.local_addr()?).unwrap();
            let draining = life.clone();
            let wait = Arc::clone(&wait);
            green::spawn_n(move || {
                wait.wait().unwrap();
                draining.drain(None);
            });
            // One place: the second is in the queue for as long as the first is served.
            life.serve(&listener, 1, says_who())
        });
        let address = ready.get().unwrap();
        let mut first = net::TcpStream::connect(address).unwrap();
        assert_eq!(who(&mut first), "worker-0");
        let mut others: Vec<_> = (0..5)
            .map(|_| net::TcpStream::connect(address).unwrap())
            .collect();
        go.send(()).unwrap();
        green::sleep(Duration::from_millis(50));
        drop(first);
        for mut other in others.drain(..) {
            assert_eq!(who(&mut other), "worker-0");
        }
        assert_eq!(running.unwrap().join().unwrap().len(), 1);
    });
}

#[test]
fn what_comes_while_a_worker_is_started_again_waits_for_it() {
    bounded(|| {
        for one_queue in WAYS {
            let (ready, lives) = (Arc::new(Queue::unbounded()), Arc::new(AtomicUsize::new(0)));
            let (tell, life_of) = (Arc::clone(&ready), Arc::clone(&lives));
            let builder = WorkersBuilder::from(1).on_panic(OnPanic::Restart);
            let running = builder.start(move |worker| {
                let listener = listen(&worker, one_queue, "127.0.0.1:0")?;
                if life_of.fetch_add(1, Ordering::SeqCst) == 0 {
                    tell.put(listener.local_addr()?).unwrap();
                    green::sleep(Duration::from_millis(20));
                    panic!("on purpose");
                }
                says_who()(listener.accept()?.0, ([0; 4], 0).into())
            });
            let mut client = net::TcpStream::connect(ready.get().unwrap()).unwrap();
            let answer = std::thread::spawn(move || who(&mut client));
            running.unwrap().join().unwrap();
            assert_eq!(answer.join().unwrap(), "worker-0");
            assert_eq!(lives.load(Ordering::SeqCst), 2);
        }
    });
}

#[test]
fn a_closed_listener_wakes_its_acceptor_and_the_others_go_on() {
    bounded(|| {
        for one_queue in WAYS {
            let (ready, served) = (Arc::new(Queue::unbounded()), Arc::new(Event::<()>::new()));
            let (tell, wait) = (Arc::clone(&ready), Arc::clone(&served));
            let running = WorkersBuilder::from(2).start(move |worker| {
                let listener = std::rc::Rc::new(listen(&worker, one_queue, "127.0.0.1:0")?);
                let accepting = std::rc::Rc::clone(&listener);
                let accepting = green::spawn(move || accepting.accept().map(|(stream, _)| stream));
                green::yield_now();
                if worker.index() == 0 {
                    listener.close();
                    let error = accepting.join().unwrap().unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
                    assert!(listener.accept().is_err());
                    tell.put(None).unwrap();
                    wait.wait().unwrap();
                    return io::Result::Ok(());
                }
                tell.put(Some(listener.local_addr()?)).unwrap();
                says_who()(accepting.join().unwrap()?, ([0; 4], 0).into())
            });
            let said = [ready.get().unwrap(), ready.get().unwrap()];
            let address = said.into_iter().flatten().next().unwrap();
            let mut client = net::TcpStream::connect(address).unwrap();
            let name = std::thread::spawn(move || who(&mut client));
            served.send(()).unwrap();
            running.unwrap().join().unwrap();
            assert_eq!(name.join().unwrap(), "worker-1");
        }
    });
}

#[test]
fn a_worker_that_ends_or_drops_its_listener_gets_no_more_connections() {
    bounded(|| {
        for one_queue in WAYS {
            let ready = Arc::new(Queue::unbounded());
            let tell = Arc::clone(&ready);
            let running = WorkersBuilder::from(4).start(move |worker| {
                let listener = listen(&worker, one_queue, "127.0.0.1:0")?;
                if worker.index() == 0 {
                    return Ok(());
                }
                let address = listener.local_addr()?;
                if worker.index() == 1 {
                    drop(listener);
                    tell.put(address).unwrap();
                    worker.wait_stop();
                    return Ok(());
                }
                tell.put(address).unwrap();
                let life = Lifecycle::new();
                worker.drain_at_stop(&life);
                life.serve(&listener, 100, says_who()).map(drop)
            });
            let running = running.unwrap();
            let mut address = None;
            for _ in 0..3 {
                address = Some(ready.get().unwrap());
            }
            let address = address.unwrap();
            while running.handle().thread(0).is_some() {
                green::sleep(Duration::from_millis(1));
            }
            for _ in 0..50 {
                let mut client = net::TcpStream::connect(address).unwrap();
                let name = who(&mut client);
                assert!(name == "worker-2" || name == "worker-3", "{name}");
            }
            running.handle().stop(None);
            running.join().unwrap();
            // Nobody listens there any more, whoever has a handle left.
            let refused = net::TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
    });
}
