//! WebSockets beside the pages of a server of green-http.

use std::error::Error as StdError;

use green_http::{Response, StatusCode, Transport, header};

use crate::handler::run;
use crate::{Options, Refusal, Request, Stream, Upgrade, WebSocket};

/// Answers a request with a WebSocket, for which `f` is called when the answer is out; as [`handler`](crate::handler)
/// does when `f` has returned. A request that does not ask for one rightly gets the answer that says what is wrong.
///
/// `S` is the type of the stream that the server listens on, as [`TcpStream`](green::net::TcpStream). A connection over
/// one of another type is closed, and the log says so.
///
/// A drain of the server closes the WebSocket with 1001, so that `f` receives `None`, and waits for `f` to return.
///
/// ```
/// use green::net::TcpStream;
/// use green_ws::{Message, Options, WebSocket, connect, http};
///
/// let server = green_http::Server::new(|request| {
///     http::upgrade(&request, &Options::new(), |socket: &WebSocket<TcpStream>| {
///         socket.send(format!("you have asked for {}", socket.request().path()))
///     })
/// });
/// let listener = green::listen("127.0.0.1:0")?;
/// let address = format!("ws://{}/room", listener.local_addr()?);
/// green::spawn_n(move || drop(server.serve(listener)));
///
/// let socket = connect(&address, &Options::new())?;
/// assert_eq!(socket.receive()?, Some(Message::from("you have asked for /room")));
/// assert_eq!(socket.receive()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn upgrade<B, S, E, F>(request: &green_http::Request<B>, options: &Options, f: F) -> Response
where
    S: Stream + Transport,
    E: Into<Box<dyn StdError>>,
    F: Fn(&WebSocket<S>) -> Result<(), E> + 'static,
{
    let checked = Upgrade::check(understood(request), options);
    let upgrade = match checked {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refused(&refusal),
    };
    let fields = upgrade.fields().to_vec();
    let mut response = Response::upgrade("websocket", move |taken| match taken.downcast::<S>() {
        Ok((stream, ahead)) => run(&upgrade.open(stream, &ahead), &f),
        Err(_) => log::error!(
            "a WebSocket was to be opened on a {}, and the server listens on something else",
            std::any::type_name::<S>()
        ),
    });
    for (name, value) in fields {
        set(&mut response, &name, &value);
    }
    response
}

/// What the handshake looks at. A value that is no text is none that a WebSocket knows.
fn understood<B>(request: &green_http::Request<B>) -> Request {
    let path = request.uri().path_and_query();
    let fields = request.headers().iter();
    Request::new(
        request.method().as_str(),
        path.map_or("/", |path| path.as_str()),
        fields.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))),
    )
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = Response::new(format!("{}\n", refusal.text())).with_status(status);
    for (name, value) in refusal.fields() {
        set(&mut response, name, value);
    }
    response
}

/// Options hold the names of subprotocols as the program gave them; one that cannot be sent is left out.
fn set(response: &mut Response, name: &str, value: &str) {
    let name = header::HeaderName::try_from(name);
    let value = header::HeaderValue::try_from(value);
    if let (Ok(name), Ok(value)) = (name, value) {
        response.headers_mut().insert(name, value);
    }
}
