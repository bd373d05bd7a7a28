//! An echo of WebSocket messages: green-ws, and tokio-tungstenite.

use std::io;
use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt};
use green::server::Lifecycle;
use green_ws::{Options, handler};

use super::on_tokio;

pub fn green(listener: TcpListener) -> io::Result<()> {
    let echo = handler(Options::new(), |socket| {
        while let Some(message) = socket.receive()? {
            socket.send(message)?;
        }
        Ok::<(), green_ws::Error>(())
    });
    let listener = green::net::TcpListener::from(listener);
    Lifecycle::new().serve(&listener, 20_000, echo).map(drop)
}

pub fn tungstenite(listener: TcpListener) -> io::Result<()> {
    on_tokio::block_on(async move {
        let listener = on_tokio::listening(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
                    return;
                };
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_close() || socket.send(message).await.is_err() {
                        break;
                    }
                }
            });
        }
    })
}
