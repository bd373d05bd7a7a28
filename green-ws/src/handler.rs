//! Handlers of WebSockets as handlers of connections.

use std::error::Error as StdError;

use crate::socket::accept;
use crate::{Error, Options, Stream, WebSocket};

/// Makes the handler of a server out of one that gets a WebSocket: eventlet's `WebSocketWSGI`.
///
/// The handshake is done in the connection's own greenthread. When `f` returns, the WebSocket is closed with 1000; with
/// 1011 if it returns an error, which is logged. A client that breaks rules or goes away is no error of the server's and
/// is logged as `debug`. So nothing that a client does ends [`green::serve`].
///
/// ```
/// use green::server::StreamServer;
/// use green_ws::{Options, handler};
///
/// let chat = handler(Options::new().protocols(["chat"]), |socket| {
///     socket.send(format!("you have asked for {}", socket.request().path()))
/// });
/// let server = StreamServer::new(green::listen("127.0.0.1:0")?, chat);
/// server.start();
/// # let address = format!("ws://{}/room", server.listener().local_addr()?);
/// # let socket = green_ws::connect(&address, &Options::new())?;
/// # assert_eq!(socket.receive()?.unwrap().as_text(), Some("you have asked for /room"));
/// # assert_eq!(socket.receive()?, None);
/// # assert_eq!(socket.close_frame().unwrap().code, 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn handler<S, A, E, F>(options: Options, f: F) -> impl Fn(S, A)
where
    S: Stream + 'static,
    E: Into<Box<dyn StdError>>,
    F: Fn(&WebSocket<S>) -> Result<(), E>,
{
    move |stream, _| match accept(stream, &options) {
        Ok(socket) => run(&socket, &f),
        Err(error) => log::debug!("a client did not become a WebSocket: {error}"),
    }
}

/// Runs a handler and closes its WebSocket.
pub(crate) fn run<S, E, F>(socket: &WebSocket<S>, f: &F)
where
    S: Stream + 'static,
    E: Into<Box<dyn StdError>>,
    F: Fn(&WebSocket<S>) -> Result<(), E>,
{
    let closed = match f(socket).map_err(Into::into) {
        Ok(()) => socket.close(1000, ""),
        Err(error) if error.is::<Error>() => {
            log::debug!("a WebSocket has ended: {error}");
            socket.close(1011, "")
        }
        Err(error) => {
            log::error!("the handler of a WebSocket failed: {error}");
            socket.close(1011, "")
        }
    };
    if let Err(error) = closed {
        log::debug!("a WebSocket was not closed properly: {error}");
    }
}
