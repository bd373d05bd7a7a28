//! The traits of async libraries, over one connection after the other.

use std::io::ErrorKind;

use green::future::{Executor, block_on};
use green_tls::{Connector, wrap};

use crate::common::{Authority, SHORT, bounded, fresh_pair, tcp_pair};

#[test]
fn the_traits_of_futures_io() {
    bounded(|| {
        use futures_util::io::{AsyncReadExt, AsyncWriteExt};
        bounded(|| {
            let (mut near, far) = fresh_pair();
            let server = green::spawn(move || {
                block_on(async {
                    // Both halves at once, through references.
                    let (mut reads, mut writes) = (&far, &far);
                    let mut text = vec![0; 1 << 20];
                    let read = async {
                        reads.read_exact(&mut text).await.unwrap();
                        assert_eq!(reads.read(&mut [0; 8]).await.unwrap(), 0);
                    };
                    let write = async {
                        writes.write_all(&vec![2; 1 << 20]).await.unwrap();
                        AsyncWriteExt::close(&mut writes).await.unwrap();
                    };
                    futures_util::join!(read, write);
                    text.iter().all(|&byte| byte == 1)
                })
            });
            let text = block_on(async {
                let mut text = Vec::new();
                near.write_all(&vec![1; 1 << 20]).await.unwrap();
                near.flush().await.unwrap();
                AsyncWriteExt::close(&mut near).await.unwrap();
                near.read_to_end(&mut text).await.unwrap();
                text
            });
            assert!(text.len() == 1 << 20 && text.iter().all(|&byte| byte == 2));
            assert!(server.join().unwrap());
        });
    });
}

#[test]
fn the_traits_of_tokio() {
    bounded(|| {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        bounded(|| {
            let (mut near, mut far) = fresh_pair();
            let server = green::spawn(move || {
                block_on(async {
                    let (mut reads, mut writes) = tokio::io::split(&mut far);
                    tokio::io::copy(&mut reads, &mut writes).await.unwrap();
                    writes.shutdown().await.unwrap();
                });
            });
            let text = block_on(async {
                near.write_all(b"there and back").await.unwrap();
                AsyncWriteExt::shutdown(&mut near).await.unwrap();
                let mut text = String::new();
                near.read_to_string(&mut text).await.unwrap();
                text
            });
            assert_eq!(text, "there and back");
            server.join().unwrap();
        });
    });
}

#[test]
fn an_end_without_close_notify_is_an_error_here_too() {
    bounded(|| {
        use futures_util::io::{AsyncReadExt, AsyncWriteExt};
        let (mut near, mut far) = fresh_pair();
        let server = green::spawn(move || {
            block_on(far.write_all(b"half")).unwrap();
            far.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
            far
        });
        let mut text = Vec::new();
        let error = block_on(near.read_to_end(&mut text)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(text, b"half");
        server.join().unwrap();
    });
}

#[test]
fn the_handshake_has_its_time_here_too() {
    bounded(|| {
        use futures_util::io::AsyncReadExt;
        bounded(|| {
            let connector = Connector::builder()
                .roots_from_pem(Authority::new().pem())
                .unwrap()
                .handshake_timeout(SHORT)
                .build()
                .unwrap();
            let (near, _far) = tcp_pair();
            let mut near = wrap(near, (&connector, "localhost")).unwrap();
            let begun = std::time::Instant::now();
            let error = block_on(near.read(&mut [0; 8])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
            assert!(begun.elapsed() >= SHORT);
        });
    });
}

#[test]
fn hyper_serves_and_asks() {
    bounded(|| {
        use http_body_util::{BodyExt, Full};
        use hyper::body::Bytes;
        use hyper::service::service_fn;
        bounded(|| {
            let (near, far) = fresh_pair();
            let server = green::spawn(move || {
                let service = service_fn(async |request: hyper::Request<hyper::body::Incoming>| {
                    let body = request.into_body().collect().await?.to_bytes();
                    Ok::<_, hyper::Error>(hyper::Response::new(Full::new(body)))
                });
                block_on(hyper::server::conn::http1::Builder::new().serve_connection(far, service))
            });
            let body = Bytes::from(vec![5; 500_000]);
            let sent = body.clone();
            let got = block_on(async move {
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(near).await.unwrap();
                hyper::rt::Executor::execute(&Executor, async {
                    connection.await.unwrap();
                });
                let mut last = Bytes::new();
                for _ in 0..3 {
                    let request = hyper::Request::post("/").header("host", "localhost");
                    let request = request.body(Full::new(sent.clone())).unwrap();
                    let answer = sender.send_request(request).await.unwrap();
                    last = answer.into_body().collect().await.unwrap().to_bytes();
                }
                last
            });
            assert!(got == body);
            server.join().unwrap().unwrap();
        });
    });
}
