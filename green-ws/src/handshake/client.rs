//! The client's side: the request, and whether the answer is what it must be.

use std::io;

use http::Uri;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use super::extensions;
use super::head::{Head, lists};
use crate::protocol::Agreed;
use crate::{Error, Options};

/// Where an address leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) is_secure: bool,
    /// The name to connect to, and to verify.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As the field Host names it.
    authority: String,
    pub(crate) path: String,
}

/// Takes an address apart.
///
/// # Errors
/// `InvalidInput` if it is none of a WebSocket.
pub(crate) fn parse(address: &str) -> io::Result<Target> {
    let bad = |what: &str| {
        let text = format!("{address:?} is no address of a WebSocket: {what}");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    if address.contains('#') {
        return Err(bad("it has a fragment"));
    }
    let uri: Uri = address.parse().map_err(|error| bad(&format!("{error}")))?;
    let is_secure = match uri.scheme_str() {
        Some("ws") => false,
        Some("wss") => true,
        _ => return Err(bad("it must begin with ws:// or wss://")),
    };
    let Some(authority) = uri.authority() else {
        return Err(bad("it names no host"));
    };
    if authority.as_str().contains('@') {
        return Err(bad("it has a user name; send a header field instead"));
    }
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    if host.is_empty() {
        return Err(bad("it names no host"));
    }
    let default = if is_secure { 443 } else { 80 };
    let has_port = authority.as_str().len() > authority.host().len();
    let port = match authority.port_u16() {
        None if has_port => return Err(bad("its port is none")),
        port => port.unwrap_or(default),
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(Target {
        is_secure,
        host: host.to_owned(),
        port,
        authority: match port == default {
            true => authority.host().to_owned(),
            false => authority.as_str().to_owned(),
        },
        path: match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        },
    })
}

/// A request for a WebSocket, and the key by which its answer is known.
pub(crate) struct Question {
    pub(crate) text: String,
    key: String,
}

/// Writes the request.
///
/// # Errors
/// `InvalidInput` if a header field of the options has a line break in it.
pub(crate) fn ask(target: &Target, options: &Options) -> io::Result<Question> {
    let key = generate_key();
    let mut fields = vec![
        ("Host".to_owned(), target.authority.clone()),
        ("Upgrade".to_owned(), "websocket".to_owned()),
        ("Connection".to_owned(), "Upgrade".to_owned()),
        ("Sec-WebSocket-Version".to_owned(), "13".to_owned()),
        ("Sec-WebSocket-Key".to_owned(), key.clone()),
    ];
    if !options.protocols.is_empty() {
        fields.push((
            "Sec-WebSocket-Protocol".to_owned(),
            options.protocols.join(", "),
        ));
    }
    if let Some(deflate) = options.deflate {
        fields.push((
            "Sec-WebSocket-Extensions".to_owned(),
            extensions::offer(deflate),
        ));
    }
    fields.extend(options.fields.iter().cloned());
    let mut text = format!("GET {} HTTP/1.1\r\n", target.path);
    for (name, value) in fields {
        if [&name, &value]
            .iter()
            .any(|part| part.contains(['\r', '\n', '\0']))
        {
            let text = format!("the header field {name:?} has a line break in it");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        text.extend([&*name, ": ", &*value, "\r\n"]);
    }
    text.push_str("\r\n");
    Ok(Question { text, key })
}

/// Checks what RFC 6455, 4.1 demands of an answer. Gives the protocol and the compression that it agrees to.
pub(crate) fn understand(
    head: &Head,
    question: &Question,
    options: &Options,
) -> Result<(Option<String>, Option<Agreed>), Error> {
    let answer = head.answer()?;
    let refused = |what: String| Error::Refused {
        status: answer.status,
        what,
    };
    if answer.status != 101 {
        let text = format!(
            "the server answers {:?} instead of a WebSocket",
            answer.reason
        );
        return Err(refused(text));
    }
    let only = |name: &str| {
        let mut values = answer.headers(name).map(str::trim);
        values.next().filter(|_| values.next().is_none())
    };
    if !lists(answer.headers("upgrade"), "websocket")
        || !lists(answer.headers("connection"), "upgrade")
    {
        return Err(refused("the server upgrades to something else".to_owned()));
    }
    if only("sec-websocket-accept") != Some(&derive_accept_key(question.key.as_bytes())) {
        let text = "the answer is to another request: something between caches it";
        return Err(refused(text.to_owned()));
    }
    let protocol = match answer.headers("sec-websocket-protocol").count() {
        0 => None,
        _ => match only("sec-websocket-protocol") {
            Some(one) if options.protocols.iter().any(|ours| ours == one) => Some(one.to_owned()),
            _ => {
                return Err(refused(
                    "the server chooses a protocol that was not offered".to_owned(),
                ));
            }
        },
    };
    let extensions = answer.headers("sec-websocket-extensions");
    let deflate = extensions::confirm(extensions, options.deflate).map_err(refused)?;
    Ok((protocol, deflate))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn addresses_are_taken_apart() {
        for (address, is_secure, host, port, authority, path) in [
            ("ws://localhost", false, "localhost", 80, "localhost", "/"),
            (
                "wss://a.test/x?y=z",
                true,
                "a.test",
                443,
                "a.test",
                "/x?y=z",
            ),
            (
                "ws://a.test:8000/",
                false,
                "a.test",
                8000,
                "a.test:8000",
                "/",
            ),
            ("wss://a.test:443", true, "a.test", 443, "a.test", "/"),
            ("ws://[::1]:9/", false, "::1", 9, "[::1]:9", "/"),
            ("ws://a.test?x", false, "a.test", 80, "a.test", "/?x"),
        ] {
            let target = parse(address).unwrap();
            assert_eq!(target.is_secure, is_secure, "{address}");
            assert_eq!((&*target.host, target.port), (host, port), "{address}");
            assert_eq!(target.authority, authority, "{address}");
            assert_eq!(target.path, path, "{address}");
        }
        for bad in [
            "",
            "localhost",
            "http://localhost/",
            "ws://",
            "ws:///x",
            "ws://a.test/#x",
            "ws://user@a.test/",
            "ws://a.test:99999/",
            "ws://a.test:/",
            "ws://a.test/ x",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
