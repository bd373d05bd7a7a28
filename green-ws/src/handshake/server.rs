//! The server's side: which requests become WebSockets.

use std::fmt::Write;

use tungstenite::handshake::derive_accept_key;

use super::extensions;
use super::head::{Request, lists};
use crate::Options;
use crate::protocol::Agreed;

/// A request that may become a WebSocket: the answer to send, and what was agreed on.
///
/// It is for those who read requests by themselves, as an HTTP server does; [`accept`](crate::accept) does it all.
///
/// ```
/// use green_ws::{Options, Request, Upgrade};
///
/// let request = Request::new("GET", "/", [
///     ("Host", "localhost"),
///     ("Upgrade", "websocket"),
///     ("Connection", "Upgrade"),
///     ("Sec-WebSocket-Version", "13"),
///     ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
/// ]);
/// let upgrade = Upgrade::check(request, &Options::new()).unwrap();
/// assert!(upgrade.fields().contains(&("Sec-WebSocket-Accept".into(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into())));
/// assert!(upgrade.answer().starts_with("HTTP/1.1 101 "));
/// let (near, _far) = green::net::UnixStream::pair().unwrap(); // Where the answer has been sent to.
/// let socket = upgrade.open(near, b"");
/// assert!(!socket.is_closed());
///
/// let refusal = Upgrade::check(Request::new("GET", "/", []), &Options::new()).unwrap_err();
/// assert_eq!(refusal.status(), 400);
/// ```
#[derive(Debug)]
pub struct Upgrade {
    pub(crate) request: Request,
    pub(crate) protocol: Option<String>,
    pub(crate) deflate: Option<Agreed>,
    pub(crate) options: Options,
    fields: Vec<(String, String)>,
}

/// A request that does not become a WebSocket, and the answer to it.
///
/// ```
/// use green_ws::{Options, Request, Upgrade};
///
/// let refusal = Upgrade::check(Request::new("GET", "/", []), &Options::new()).unwrap_err();
/// println!("{} is refused: {}", refusal.status(), refusal.text());
/// assert!(refusal.fields().is_empty()); // There are some for 426.
/// assert!(refusal.answer().starts_with("HTTP/1.1 400 "));
/// ```
#[derive(Debug)]
pub struct Refusal {
    status: u16,
    what: &'static str,
}

impl Refusal {
    fn new(status: u16, what: &'static str) -> Refusal {
        Refusal { status, what }
    }

    /// The status of the answer: 400 for a request that is none for a WebSocket, 403 for one from a page that may not,
    /// 426 for another version.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The header fields that the answer needs, apart from those of its body.
    pub fn fields(&self) -> &'static [(&'static str, &'static str)] {
        match self.status {
            426 => &[("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")],
            _ => &[],
        }
    }

    /// What is wrong with the request.
    pub fn text(&self) -> &'static str {
        self.what
    }

    /// The whole answer, for a connection that is closed then.
    pub fn answer(&self) -> String {
        answer(self.status, self.what, self.fields())
    }
}

/// An answer that refuses.
pub(crate) fn answer(status: u16, what: &str, fields: &[(&str, &str)]) -> String {
    let reason = match status {
        403 => "Forbidden",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        _ => "Bad Request",
    };
    let mut text = format!("HTTP/1.1 {status} {reason}\r\n");
    for (name, value) in fields {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let connection = if status == 426 {
        "Upgrade, close"
    } else {
        "close"
    };
    let _ = write!(
        text,
        "Connection: {connection}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{what}\n",
        what.len() + 1
    );
    text
}

impl Upgrade {
    /// Decides whether a request becomes a WebSocket.
    ///
    /// # Errors
    /// What to answer if it does not.
    pub fn check(request: Request, options: &Options) -> Result<Upgrade, Refusal> {
        let key = check_fields(&request)?;
        if !options.allows(request.origin()) {
            return Err(Refusal::new(
                403,
                "pages from this origin may not connect here",
            ));
        }
        let offered: Vec<_> = request.headers("sec-websocket-protocol").collect();
        let protocol = options
            .protocols
            .iter()
            .find(|ours| {
                let mut offered = offered.iter().flat_map(|field| field.split(','));
                offered.any(|theirs| theirs.trim() == **ours)
            })
            .cloned();
        let extensions = request.headers("sec-websocket-extensions");
        let accepted = extensions::accept(extensions, options.deflate)
            .map_err(|()| Refusal::new(400, "the field Sec-WebSocket-Extensions cannot be read"))?;
        let mut fields = vec![
            ("Upgrade".to_owned(), "websocket".to_owned()),
            ("Connection".to_owned(), "Upgrade".to_owned()),
            (
                "Sec-WebSocket-Accept".to_owned(),
                derive_accept_key(key.as_bytes()),
            ),
        ];
        if let Some(protocol) = &protocol {
            fields.push(("Sec-WebSocket-Protocol".to_owned(), protocol.clone()));
        }
        let deflate = accepted.map(|(text, agreed)| {
            fields.push(("Sec-WebSocket-Extensions".to_owned(), text));
            agreed
        });
        let options = options.clone();
        Ok(Upgrade {
            request,
            protocol,
            deflate,
            options,
            fields,
        })
    }

    /// The header fields of the answer, whose status is 101.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// The whole answer: who sends it by itself calls [`open`](Upgrade::open) then.
    pub fn answer(&self) -> String {
        let mut text = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
        for (name, value) in &self.fields {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text + "\r\n"
    }
}

/// Checks what RFC 6455, 4.2.1 demands. Gives the key.
fn check_fields(request: &Request) -> Result<String, Refusal> {
    let bad = |what| Err(Refusal::new(400, what));
    let only = |name: &str| {
        let mut values = request.headers(name);
        values.next().filter(|_| values.next().is_none())
    };
    if request.method() != "GET" {
        return bad("a WebSocket begins with a GET request");
    }
    if only("host").is_none() {
        return bad("a request needs one field Host");
    }
    if !lists(request.headers("upgrade"), "websocket") {
        return bad("this address is for WebSockets: the field Upgrade must name websocket");
    }
    if !lists(request.headers("connection"), "upgrade") {
        return bad("the field Connection must name Upgrade");
    }
    let has_body = request
        .header("content-length")
        .is_some_and(|length| length.trim() != "0");
    if has_body || request.header("transfer-encoding").is_some() {
        return bad("a request for a WebSocket has no body");
    }
    match only("sec-websocket-version") {
        None => return bad("a request for a WebSocket needs one field Sec-WebSocket-Version"),
        Some(version) if version.trim() != "13" => {
            return Err(Refusal::new(
                426,
                "only version 13 of WebSocket is spoken here",
            ));
        }
        Some(_) => {}
    }
    match only("sec-websocket-key").map(str::trim) {
        Some(key) if is_key(key) => Ok(key.to_owned()),
        _ => bad("the field Sec-WebSocket-Key must hold 16 bytes in base64"),
    }
}

/// True if it is base64 of 16 bytes: 22 characters, of which the last stands for two bits, and the padding.
fn is_key(key: &str) -> bool {
    let is_letter = |c: u8| c.is_ascii_alphanumeric() || c == b'+' || c == b'/';
    let Some(letters) = key.strip_suffix("==") else {
        return false;
    };
    letters.len() == 22 && letters.bytes().all(is_letter) && letters.ends_with(['A', 'Q', 'g', 'w'])
}
