//! What a handler can ask of a request besides what `http` knows.

use std::any::Any;
use std::rc::Rc;

use http::{HeaderName, Request};
use hyper::body::Incoming;

use crate::body::Body;
use crate::transport::Peer;

/// What is known of a request from its connection.
///
/// ```
/// use green_http::{Body, Request, RequestExt, Response, Server};
///
/// let server = Server::new(|request: Request<Body>| {
///     let scheme = if request.is_secure() { "https" } else { "http" };
///     println!("{} asks over {scheme}, {:?}", request.peer(), request.security().is_some());
///     Response::new(request.raw_head().to_vec())
/// });
/// let server = server.keep_raw_head(true);
/// # use std::io::{Read, Write};
/// # let listener = green::listen("127.0.0.1:0")?;
/// # let mut client = green::connect(listener.local_addr()?)?;
/// # green::spawn_n(move || drop(server.serve(listener)));
/// # client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nOdD: x\r\n\r\n")?;
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer)?;
/// # assert!(answer.contains("OdD: x"), "{answer}");
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait RequestExt {
    /// The address of the client.
    fn peer(&self) -> &Peer;

    /// What the connection's encryption tells of itself, as the peer's certificates. `None` without encryption.
    fn security(&self) -> Option<Rc<dyn Any>>;

    /// True if the connection is encrypted: the scheme is `https`.
    fn is_secure(&self) -> bool {
        self.security().is_some()
    }

    /// The head as it came, in HTTP/1, if the server [keeps it](crate::Server::keep_raw_head). Empty otherwise.
    fn raw_head(&self) -> &[u8];
}

impl RequestExt for Request<Body> {
    fn peer(&self) -> &Peer {
        &self.body().facts().peer
    }

    fn security(&self) -> Option<Rc<dyn Any>> {
        self.body().facts().security.clone()
    }

    fn raw_head(&self) -> &[u8] {
        self.body().raw_head()
    }
}

/// Takes the fields away whose names some programs cannot tell from others.
pub(crate) fn drop_underscores(request: &mut Request<Incoming>) {
    let headers = request.headers_mut();
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}
