//! cargo run --release -p examples --features servers --example hyper_server -- 127.0.0.1:8000
//!
//! hyper as an HTTP/1.1 server and client on green's hub: each connection is a greenthread, and what answers a request
//! may block as any greenthread does. For example:
//!
//!     curl http://127.0.0.1:8000/                             says hello
//!     curl http://127.0.0.1:8000/sleep/500                    half a second later, while others are served
//!     curl --data-binary @file http://127.0.0.1:8000/upper    sends back what it gets in capital letters
//!     curl http://127.0.0.1:8000/fetch/127.0.0.1:8000/        gets a page of another server, by hyper's client

use std::convert::Infallible;
use std::error::Error;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::{Either, select};
use green::future::{Timer, block_on};
use green::net::TcpStream;
use green::signal::{SIGINT, SIGTERM, Signals};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let body = Full::new(text.into()).map_err(|never: Infallible| match never {});
    let mut answer = Response::new(body.boxed());
    *answer.status_mut() = status;
    answer
}

/// A body in capital letters, as it comes.
struct Upper(Incoming);

impl Body for Upper {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        let upper =
            |frame: Frame<Bytes>| frame.map_data(|data| Bytes::from(data.to_ascii_uppercase()));
        Poll::Ready(frame.map(|frame| frame.map(upper)))
    }
}

/// The page at `host/path`, by hyper's client. The request waits as async code does.
async fn fetch(rest: &str) -> Result<Answer, Box<dyn Error>> {
    let (host, path) = rest.split_once('/').ok_or("no path")?;
    let address = host.to_owned();
    let stream = green::spawn(|| TcpStream::connect(address)).await??;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    green::future::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("client: {error}");
        }
    });
    let request = Request::get(format!("/{path}"))
        .header("host", host)
        .body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?.map(BodyExt::boxed))
}

async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    Ok(match (request.method(), path.as_str()) {
        (&Method::GET, "/") => text(StatusCode::OK, "Hello, world!\n"),
        (&Method::POST, "/upper") => Response::new(Upper(request.into_body()).boxed()),
        (&Method::GET, path) if path.starts_with("/fetch/") => {
            match fetch(&path["/fetch/".len()..]).await {
                Ok(page) => page,
                Err(error) => text(StatusCode::BAD_GATEWAY, format!("{error}\n")),
            }
        }
        (&Method::GET, path) if path.starts_with("/sleep/") => {
            match path["/sleep/".len()..].parse() {
                Ok(millis) => {
                    // Plain code: it blocks this connection, and no other.
                    green::sleep(Duration::from_millis(millis));
                    text(StatusCode::OK, format!("after {millis} ms\n"))
                }
                Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
            }
        }
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    })
}

/// Serves one connection to its end. When the server stops, the request that it is at is its last.
fn serve(stream: TcpStream, stop: &Rc<green::Flag>) -> hyper::Result<()> {
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(Timer)
        .serve_connection(stream, service_fn(answer));
    // A greenthread is a future, and so a task may wait for whatever greenthreads wait for.
    block_on(async {
        let mut connection = pin!(connection);
        let stopped = {
            let stop = Rc::clone(stop);
            green::spawn(move || stop.wait())
        };
        match select(connection.as_mut(), stopped).await {
            Either::Left((ended, waiting)) => {
                waiting.kill();
                ended
            }
            Either::Right(_) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let listener = green::listen(address)?;
    let signals = Signals::new([SIGINT, SIGTERM])?;
    println!(
        "listening on {} ({})",
        listener.local_addr()?,
        green::hubs::get_hub()
    );

    let stop = Rc::new(green::Flag::new());
    let pool = Rc::new(green::GreenPool::new(1000));
    let acceptor = green::spawn({
        let (pool, stop) = (Rc::clone(&pool), Rc::clone(&stop));
        move || {
            for stream in listener.incoming() {
                match stream {
                    Ok(stream) => {
                        let stop = Rc::clone(&stop);
                        let serving = move || {
                            if let Err(error) = serve(stream, &stop) {
                                eprintln!("connection: {error}");
                            }
                        };
                        if let Err(error) = green::Builder::new().spawn_n_in(&pool, serving) {
                            eprintln!("a connection is given up: {error}");
                        }
                    }
                    Err(error) => {
                        eprintln!("accept: {error}");
                        green::sleep(Duration::from_millis(10));
                    }
                }
            }
        }
    });

    signals.wait()?;
    acceptor.kill();
    stop.set();
    let idle = pool.waitall_timeout(Duration::from_secs(10))?;
    println!(
        "{}",
        if idle {
            "all served"
        } else {
            "some broken off"
        }
    );
    Ok(())
}
