//! hyper with `pipeline_flush` and without deadlines, and axum, on tokio's single-threaded runtime.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

pub fn block_on(future: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(future))
}

pub fn listening(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// Serves the pages on one connection.
pub async fn pages(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, page: Bytes) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = match request.uri().path() {
            "/10k" => Response::new(Full::new(page.clone())),
            _ => {
                let hello = Full::new(Bytes::from_static(b"Hello, World!"));
                let mut answer = Response::new(hello);
                let plain = hyper::header::HeaderValue::from_static("text/plain; charset=utf-8");
                answer.headers_mut().insert("content-type", plain);
                answer
            }
        };
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    http.pipeline_flush(true).header_read_timeout(None);
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

pub fn hyper(listener: TcpListener) -> io::Result<()> {
    block_on(async move {
        let listener = listening(listener)?;
        let page = super::ten_kilobytes();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(pages(stream, page.clone()));
        }
    })
}

pub fn axum(listener: TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        use axum::serve::ListenerExt;
        let listener = listening(listener)?.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, super::router()).await
    })
}
