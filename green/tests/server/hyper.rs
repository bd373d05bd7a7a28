//! hyper on green's hub: HTTP/1.1 servers and clients, a greenthread for each connection.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io::{Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::common::{bounded, settle, until};
use futures_util::future::{join_all, select};
use futures_util::join;
use green::future::{Executor, ThreadBound, Timer, block_on, sleep, spawn};
use green::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use green::{GreenThread, Timeout};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::rt::Executor as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Within this time the head of a request must have come.
const HEAD: Duration = Duration::from_millis(500);

type Connections = Rc<RefCell<Vec<GreenThread<hyper::Result<()>>>>>;

/// Serves with what `answer` gives, a greenthread for each connection. The acceptor, where, and the connections.
fn serve(
    answer: impl Fn(Request<Incoming>) -> Response<Pieces> + Clone + 'static,
) -> (GreenThread<()>, SocketAddr, Connections) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections::default();
    let served = Rc::clone(&connections);
    let acceptor = green::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer) = (stream.unwrap(), answer.clone());
            served.borrow_mut().push(green::spawn(move || {
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async { Ok::<_, Infallible>(answered) }
                });
                let mut http = http1::Builder::new();
                http.timer(Timer).header_read_timeout(HEAD);
                http.pipeline_flush(true);
                block_on(http.serve_connection(stream, service))
            }));
        }
    });
    (acceptor, address, connections)
}

/// A body that comes in pieces, with a pause before each if wanted. Its length is not told: it is chunked.
struct Pieces {
    left: usize,
    size: usize,
    pause: Option<Pin<Box<green::future::Sleep>>>,
}

const PIECE: usize = 64 * 1024;

/// The byte at a place of every large body.
fn byte(at: usize) -> u8 {
    (at * 7 + at / 251) as u8
}

fn pieces(size: usize) -> Pieces {
    Pieces {
        left: size,
        size,
        pause: None,
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let at = self.size - self.left;
        let end = self.size.min(at + PIECE);
        self.left = self.size - end;
        if end.is_multiple_of(8 * PIECE) {
            self.pause = Some(Box::pin(sleep(millis(1))));
        }
        let data: Vec<u8> = (at..end).map(byte).collect();
        Poll::Ready(Some(Ok(Frame::data(data.into()))))
    }
}

/// Reads a body of [`Pieces`] to its end, and gives its length.
async fn check(mut body: Incoming) -> hyper::Result<usize> {
    let mut at = 0;
    while let Some(frame) = body.frame().await {
        for got in frame?.into_data().unwrap() {
            assert_eq!(got, byte(at));
            at += 1;
        }
    }
    Ok(at)
}

/// A client whose connection is driven by a greenthread of its own.
async fn client<B>(address: SocketAddr) -> (SendRequest<B>, GreenThread<hyper::Result<()>>)
where
    B: Body<Error = Infallible> + 'static,
    B::Data: Send,
{
    let stream = TcpStream::connect(address).unwrap();
    let (sender, connection) = handshake(stream).await.unwrap();
    (sender, spawn(connection))
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(path).header("host", "here");
    request.body(Full::default()).unwrap()
}

/// What a plain client reads until the server ends the connection.
fn all(stream: &TcpStream) -> String {
    let mut text = String::new();
    Read::read_to_string(&mut &*stream, &mut text).unwrap();
    text
}

fn say(stream: &TcpStream, text: &str) {
    Write::write_all(&mut &*stream, text.as_bytes()).unwrap();
}

#[test]
fn one_connection_serves_request_after_request() {
    bounded(|| {
        let (acceptor, address, connections) = serve(|request| {
            assert_eq!(request.version(), Version::HTTP_11);
            pieces(request.uri().path().len()).into_response()
        });
        block_on(async {
            let (mut sender, connection) = client(address).await;
            for n in 1..50 {
                let path = format!("/{}", "x".repeat(n));
                let response = sender.send_request(get(&path)).await.unwrap();
                assert_eq!(check(response.into_body()).await.unwrap(), n + 1);
                sender.ready().await.unwrap();
            }
            drop(sender);
            connection.await.unwrap().unwrap();
        });
        assert_eq!(connections.borrow().len(), 1);
        let served = connections.borrow_mut().pop().unwrap();
        served.join().unwrap().unwrap();
        acceptor.kill();
    });
}

impl Pieces {
    fn into_response(self) -> Response<Pieces> {
        Response::new(self)
    }
}

#[test]
fn requests_in_one_piece_are_answered_in_order() {
    bounded(|| {
        let paths = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&paths);
        let (acceptor, address, _) = serve(move |request| {
            log.borrow_mut().push(request.uri().path().to_owned());
            // The later ones must not overtake.
            green::sleep(millis(3_u64.saturating_sub(log.borrow().len() as u64)));
            let mut response = Response::new(pieces(0));
            let path = request.uri().path().parse().unwrap();
            response.headers_mut().insert("was-asked", path);
            response
        });
        let stream = TcpStream::connect(address).unwrap();
        let mut requests = String::new();
        for n in 0..20 {
            let last = if n == 19 { "connection: close\r\n" } else { "" };
            requests.push_str(&format!("GET /{n} HTTP/1.1\r\nhost: here\r\n{last}\r\n"));
        }
        say(&stream, &requests);
        let text = all(&stream);
        let asked: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("was-asked: "))
            .collect();
        let expected: Vec<_> = (0..20).map(|n| format!("/{n}")).collect();
        assert_eq!(asked, expected);
        assert_eq!(*paths.borrow(), expected);
        acceptor.kill();
    });
}

#[test]
fn large_chunked_bodies_go_both_ways() {
    bounded(|| {
        const SIZE: usize = (4 << 20) + 11;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = green::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let service = service_fn(|request: Request<Incoming>| async {
                assert_eq!(request.headers()["transfer-encoding"], "chunked");
                assert_eq!(check(request.into_body()).await.unwrap(), SIZE);
                Ok::<_, Infallible>(Response::new(pieces(SIZE)))
            });
            block_on(http1::Builder::new().serve_connection(stream, service))
        });
        block_on(async {
            let (mut sender, connection) = client(address).await;
            let request = Request::post("/").body(pieces(SIZE)).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.headers()["transfer-encoding"], "chunked");
            assert_eq!(check(response.into_body()).await.unwrap(), SIZE);
            drop(sender);
            connection.await.unwrap().unwrap();
        });
        server.join().unwrap().unwrap();
    });
}

#[test]
fn a_service_blocks_in_every_green_way_and_the_others_are_served() {
    bounded(|| {
        let queue = Rc::new(green::Queue::unbounded());
        let echo = TcpListener::bind("127.0.0.1:0").unwrap();
        let echo_address = echo.local_addr().unwrap();
        green::spawn_n(move || {
            for stream in echo.incoming() {
                let stream = stream.unwrap();
                green::spawn_n(move || {
                    let mut buf = [0; 16];
                    let n = Read::read(&mut &stream, &mut buf).unwrap();
                    Write::write_all(&mut &stream, &buf[..n]).unwrap();
                });
            }
        });
        let items = Rc::clone(&queue);
        let order = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&order);
        let (acceptor, address, _) = serve(move |request| {
            let path = request.uri().path().to_owned();
            match path.as_str() {
                "/queue" => assert_eq!(items.get().unwrap(), 5),
                "/sleep" => green::sleep(millis(20)),
                "/socket" => {
                    let stream = TcpStream::connect(echo_address).unwrap();
                    say(&stream, "hello");
                    assert_eq!(all(&stream), "hello");
                }
                "/timeout" => {
                    let left = Timeout::new(millis(5)).run(|| green::sleep(millis(60_000)));
                    assert!(left.is_err());
                }
                "/future" => block_on(sleep(millis(5))),
                "/put" => items.put(5).unwrap(),
                _ => unreachable!("{path}"),
            }
            log.borrow_mut().push(path);
            pieces(3).into_response()
        });
        let ask = |path: &'static str| async move {
            let (mut sender, connection) = client(address).await;
            let response = sender.send_request(get(path)).await.unwrap();
            assert_eq!(check(response.into_body()).await.unwrap(), 3);
            drop(sender);
            connection.await.unwrap().unwrap();
        };
        block_on(async {
            let waits = ["/queue", "/sleep", "/socket", "/timeout", "/future"].map(ask);
            let puts = async {
                // When all of those are being served, and none that blocks is ready: the queue is empty.
                while order.borrow().len() < 4 {
                    sleep(millis(1)).await;
                }
                assert!(!order.borrow().iter().any(|path| path == "/queue"));
                assert_eq!(order.borrow().len(), 4);
                ask("/put").await;
            };
            join!(join_all(waits), puts);
        });
        let order = order.borrow();
        assert_eq!(order.len(), 6);
        assert_eq!(order[4..], ["/put", "/queue"]);
        acceptor.kill();
    });
}

#[test]
fn a_client_that_goes_away_ends_its_connection_only() {
    bounded(|| {
        let (acceptor, address, connections) = serve(|request| match request.uri().path() {
            "/large" => pieces(64 << 20).into_response(),
            _ => pieces(1).into_response(),
        });
        // In the middle of the head, of a request's body, of a response.
        let beginnings = [
            "GET / HT",
            "POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\nonly this",
            "GET /large HTTP/1.1\r\nhost: here\r\n\r\n",
        ];
        for beginning in beginnings {
            let stream = TcpStream::connect(address).unwrap();
            say(&stream, beginning);
            green::sleep(millis(5));
            let _ = Read::read(&mut &stream, &mut [0; 10]);
        }
        let served: Vec<_> = connections.take();
        assert_eq!(served.len(), 3);
        let ends: Vec<_> = served.into_iter().map(|gt| gt.join().unwrap()).collect();
        assert!(ends[0].is_err(), "{ends:?}");
        assert!(ends[2].is_err(), "{ends:?}");
        block_on(async {
            let (mut sender, connection) = client(address).await;
            let response = sender.send_request(get("/")).await.unwrap();
            assert_eq!(check(response.into_body()).await.unwrap(), 1);
            drop(sender);
            connection.await.unwrap().unwrap();
        });
        acceptor.kill();
    });
}

#[test]
fn a_head_that_does_not_come_in_time_ends_the_connection() {
    bounded(|| {
        let (acceptor, address, connections) = serve(|_| pieces(1).into_response());
        let start = Instant::now();
        let stream = TcpStream::connect(address).unwrap();
        say(&stream, "GET / HT");
        assert_eq!(all(&stream), "");
        assert!(start.elapsed() >= HEAD);
        let served = connections.borrow_mut().pop().unwrap();
        let error = served.join().unwrap().unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        // A client that is in time lets the timer be set anew, and leaves none behind.
        let stream = TcpStream::connect(address).unwrap();
        for _ in 0..12 {
            say(&stream, "GET / HTTP/1.1\r\nhost: here\r\n\r\n");
            green::sleep(HEAD / 10);
        }
        drop(stream);
        let served = connections.borrow_mut().pop().unwrap();
        served.join().unwrap().unwrap();
        assert_eq!(green::debug::counters().timers, 0);
        acceptor.kill();
    });
}

#[test]
fn the_kill_of_a_connections_greenthread_drops_all_that_it_had() {
    bounded(|| {
        struct Ends(Rc<Cell<u32>>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let ended = Rc::new(Cell::new(0));
        let blocks = Rc::new(Cell::new(false));
        let (counts, blocked) = (Rc::clone(&ended), Rc::clone(&blocks));
        let (acceptor, address, connections) = serve(move |request| {
            let _ends = Ends(Rc::clone(&counts));
            if request.uri().path() == "/block" {
                blocked.set(true);
                green::sleep(millis(60_000));
            }
            pieces(1).into_response()
        });
        // One that waits for a request, one whose service blocks.
        let streams = ["/", "/block"].map(|path| {
            let stream = TcpStream::connect(address).unwrap();
            say(
                &stream,
                &format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n"),
            );
            stream
        });
        until(|| ended.get() == 1 && blocks.get());
        settle();
        green::killall(&*connections.borrow());
        settle();
        assert_eq!(ended.get(), 2);
        assert_eq!(green::debug::counters().timers, 0);
        assert!(all(&streams[0]).starts_with("HTTP/1.1 200"));
        assert_eq!(all(&streams[1]), "");
        acceptor.kill();
    });
}

#[test]
fn a_graceful_shutdown_ends_after_the_request() {
    bounded(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Rc::new(green::Flag::new());
        let stopped = Rc::clone(&stop);
        let server = green::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let service = service_fn(|_| async {
                // Blocking here would also block what listens for the shutdown: it is the same task.
                sleep(millis(20)).await;
                Ok::<_, Infallible>(Response::new(pieces(10)))
            });
            block_on(async {
                let connection = http1::Builder::new().serve_connection(stream, service);
                let mut connection = pin!(connection);
                let stopped = green::spawn(move || stopped.wait());
                let first = select(connection.as_mut(), stopped).await;
                assert!(matches!(first, futures_util::future::Either::Right(_)));
                connection.as_mut().graceful_shutdown();
                connection.await
            })
        });
        let stream = TcpStream::connect(address).unwrap();
        say(&stream, "GET / HTTP/1.1\r\nhost: here\r\n\r\n");
        green::sleep(millis(5));
        stop.set();
        let text = all(&stream);
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(text.contains("connection: close"), "{text}");
        server.join().unwrap().unwrap();
    });
}

#[test]
fn hundreds_of_connections_are_served_at_once() {
    bounded(|| {
        const CLIENTS: usize = 200;
        // Nobody is answered before everybody has asked.
        let barrier = Rc::new(green::Barrier::new(CLIENTS));
        let (acceptor, address, _) = serve(move |_| {
            barrier.wait().unwrap();
            pieces(100).into_response()
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                spawn(async move {
                    let (mut sender, connection) = client(address).await;
                    for _ in 0..2 {
                        let response = sender.send_request(get("/")).await.unwrap();
                        assert_eq!(check(response.into_body()).await.unwrap(), 100);
                        sender.ready().await.unwrap();
                    }
                    drop(sender);
                    connection.await.unwrap().unwrap();
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        acceptor.kill();
    });
}

#[test]
fn a_greenthread_may_read_when_its_thread_ends() {
    bounded(|| {
        struct ReadsAtTheEnd(TcpStream, std::sync::mpsc::Sender<usize>);
        impl Drop for ReadsAtTheEnd {
            fn drop(&mut self) {
                let mut room = [0; 16];
                let mut buf = hyper::rt::ReadBuf::new(&mut room);
                let read = std::future::poll_fn(|cx| {
                    hyper::rt::Read::poll_read(Pin::new(&mut self.0), cx, buf.unfilled())
                });
                green::future::try_block_on(read).unwrap().unwrap();
                self.1.send(buf.filled().len()).unwrap();
            }
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let (near, far) = crate::common::tcp_pair();
            say(&near, "hello");
            green::spawn_n(move || {
                // The buffer exists by now, and the thread's other values go before its greenthreads do.
                let mut far = ReadsAtTheEnd(far, sender);
                let mut buf = [0; 1];
                let mut buf = hyper::rt::ReadBuf::new(&mut buf);
                let mut cx = Context::from_waker(std::task::Waker::noop());
                let read =
                    hyper::rt::Read::poll_read(Pin::new(&mut far.0), &mut cx, buf.unfilled());
                assert!(read.is_ready());
                green::sleep(millis(60_000));
            });
            settle();
        });
        thread.join().unwrap();
        assert_eq!(receiver.recv().unwrap(), 4);
    });
}

#[test]
fn its_executor_gives_each_future_a_greenthread() {
    bounded(|| {
        let ids = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..2 {
            let ids = Rc::clone(&ids);
            Executor.execute(async move {
                sleep(millis(1)).await;
                ids.borrow_mut().push(green::current().id());
            });
        }
        green::sleep(millis(20));
        let ids = ids.borrow();
        assert_eq!(ids.len(), 2);
        assert_ne!(ids[0], ids[1]);
    });
}

#[test]
fn its_timer_ends_sets_anew_and_cancels() {
    bounded(|| {
        use hyper::rt::Timer as _;
        let start = Timer.now();
        block_on(async {
            let mut nap = Timer.sleep_until(start + millis(60_000));
            assert!(futures_util::poll!(&mut nap).is_pending());
            Timer.reset(&mut nap, start + millis(10));
            assert_eq!(green::debug::counters().timers, 1);
            nap.await;
            assert!(Timer.now() - start >= millis(10));
            Timer.sleep(millis(1)).await;
        });
        assert_eq!(green::debug::counters().timers, 0);
    });
}

#[test]
fn a_connection_is_handed_on_after_an_upgrade() {
    bounded(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = green::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let service = service_fn(|_| async {
                let response = Response::builder().status(101).header("upgrade", "echo");
                Ok::<_, Infallible>(response.body(pieces(0)).unwrap())
            });
            let connection = http1::Builder::new().serve_connection(stream, service);
            let parts = block_on(connection.without_shutdown()).unwrap();
            // From here on in plain blocking style, on the same descriptor.
            let stream = parts.io;
            let mut got = parts.read_buf.to_vec();
            while got.len() < 5 {
                let mut buf = [0; 5];
                let n = Read::read(&mut &stream, &mut buf).unwrap();
                got.extend(&buf[..n]);
            }
            Write::write_all(&mut &stream, &got).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let stream = TcpStream::connect(address).unwrap();
        say(
            &stream,
            "GET / HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
        );
        let mut head = [0; 12];
        Read::read_exact(&mut &stream, &mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
        say(&stream, "hello");
        assert!(all(&stream).ends_with("\r\n\r\nhello"));
        server.join().unwrap();
    });
}

/// hyper asks for streams that are `Send` where a connection may become another protocol.
#[test]
fn a_connection_becomes_another_protocol() {
    bounded(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = green::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let service = service_fn(|request: Request<Incoming>| async move {
                spawn(async move {
                    let upgraded = hyper::upgrade::on(request).await.unwrap();
                    let parts = upgraded.downcast::<ThreadBound<TcpStream>>().unwrap();
                    let mut stream = parts.io.into_inner();
                    let mut words = parts.read_buf.to_vec();
                    stream.read_to_end(&mut words).unwrap();
                    stream.write_all(&words.to_ascii_uppercase()).unwrap();
                });
                let mut answer = Response::new(Full::new(Bytes::new()));
                *answer.status_mut() = hyper::StatusCode::SWITCHING_PROTOCOLS;
                answer
                    .headers_mut()
                    .insert("upgrade", "shout".parse().unwrap());
                Ok::<_, Infallible>(answer)
            });
            let http = http1::Builder::new();
            let connection = http.serve_connection(ThreadBound::new(stream), service);
            block_on(connection.with_upgrades()).unwrap();
        });
        let mut client = TcpStream::connect(address).unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\nhello, ")
            .unwrap();
        client.write_all(b"world").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
        assert!(text.ends_with("\r\n\r\nHELLO, WORLD"), "{text}");
        server.join().unwrap();
    });
}
