//! Who may look, and who may kill.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use green_http::http::uri::Authority;
use green_http::{Body, HeaderMap, Request, Response, StatusCode, header};

use crate::console::Settings;

/// The field that a token comes in: one that no page of another site can send without being asked first.
pub(crate) const TOKEN_FIELD: &str = "x-green-token";

/// A token that is shorter could be guessed.
const SHORTEST: usize = 16;

/// What a request must know to kill, and off loopback to look.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn random() -> Secret {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("random numbers of the system");
        Secret(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(crate) fn new(text: &str) -> Secret {
        assert!(
            text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic()),
            "a token has at least {SHORTEST} bytes, all of them visible ones of ASCII"
        );
        Secret(text.to_owned())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Takes as long wherever the two differ.
    fn is(&self, other: &str) -> bool {
        let (mine, other) = (self.0.as_bytes(), other.as_bytes());
        let differing = mine.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(differing) == 0 && mine.len() == other.len()
    }
}

/// What the requests of one listener must bring.
pub(crate) struct Access {
    address: SocketAddr,
    hosts: Vec<String>,
    token: Secret,
    /// True if looking needs the token, too.
    guarded: bool,
    read_only: bool,
}

impl Access {
    pub(crate) fn new(address: SocketAddr, settings: &Settings) -> Access {
        Access {
            address,
            hosts: settings.hosts.clone(),
            token: settings.token.clone(),
            guarded: !address.ip().to_canonical().is_loopback(),
            read_only: settings.read_only,
        }
    }

    /// What is answered to a request that may not pass.
    pub(crate) fn refuse(&self, request: &Request<Body>) -> Option<Response> {
        let headers = request.headers();
        let named = headers.get(header::HOST).map(|host| host.to_str().ok());
        let target = request.uri().authority().map(|host| Some(host.as_str()));
        let mut hosts = named.into_iter().chain(target).peekable();
        let is_mine = |host: Option<&str>| host.is_some_and(|host| self.is_mine(host));
        if hosts.peek().is_none() || !hosts.all(is_mine) {
            let text = "The Host field names another server. A program that forwards to the console has to be named to \
                        it: Console::host.\n";
            return Some((StatusCode::MISDIRECTED_REQUEST, text).into());
        }
        if self.guarded && !self.has_token(headers) {
            let text = "This needs the token: in the field X-Green-Token, as a bearer, or as the password of any user.\n";
            let refusal = Response::from((StatusCode::UNAUTHORIZED, text));
            let ask = "Basic realm=\"green console\"";
            return Some(refusal.with_header(header::WWW_AUTHENTICATE, ask));
        }
        None
    }

    /// What is answered to a request that may pass, and not kill.
    pub(crate) fn refuse_kill(&self, request: &Request<Body>) -> Option<Response> {
        let headers = request.headers();
        let token = headers
            .get(TOKEN_FIELD)
            .and_then(|token| token.to_str().ok());
        let text = match token {
            _ if self.read_only => "This console kills nothing.\n",
            _ if !is_from_here(headers) => "A page of another site has sent this.\n",
            None => "This needs the token in the field X-Green-Token.\n",
            Some(token) if !self.token.is(token) => {
                "The token in the field X-Green-Token is another one.\n"
            }
            Some(_) => return None,
        };
        Some((StatusCode::FORBIDDEN, text).into())
    }

    /// True if a `Host` field means this listener. A name that leads here without being known here does not: whoever owns
    /// it can have the pages of a site of his read what is answered.
    fn is_mine(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        if self.hosts.contains(&host) {
            return true;
        }
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        if host.contains('@') || authority.port_u16().unwrap_or(80) != self.address.port() {
            return false;
        }
        let mine = self.address.ip().to_canonical();
        let name = authority.host();
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        match literal.parse::<IpAddr>() {
            Ok(ip) => mine.is_unspecified() || ip.to_canonical() == mine,
            Err(_) => name == "localhost" && (mine.is_loopback() || mine.is_unspecified()),
        }
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let field = headers
            .get(TOKEN_FIELD)
            .and_then(|token| token.to_str().ok());
        let authorization = headers.get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| credentials(value.to_str().ok()?));
        field.is_some_and(|token| self.token.is(token))
            || authorization.is_some_and(|token| self.token.is(&token))
    }
}

/// The token of an `Authorization` field: the bearer, or the password of whatever user.
fn credentials(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Some(password.to_owned())
}

/// False if a browser says that another site's page is at work.
fn is_from_here(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use green_http::header::HeaderValue;

    fn access(address: &str) -> Access {
        Access {
            address: address.parse().unwrap(),
            hosts: vec!["console.example".to_owned()],
            token: Secret::new("0123456789abcdef"),
            guarded: false,
            read_only: false,
        }
    }

    #[test]
    fn a_host_is_the_address_that_is_listened_at() {
        let local = access("127.0.0.1:8001");
        for host in [
            "127.0.0.1:8001",
            "localhost:8001",
            "LocalHost:8001",
            "console.example",
        ] {
            assert!(local.is_mine(host), "{host}");
        }
        for host in [
            "127.0.0.1",
            "localhost",
            "127.0.0.1:8002",
            "127.0.0.2:8001",
            "evil.example:8001",
            "evil.example",
            "",
            "localhost.evil.example:8001",
            "user@127.0.0.1:8001",
            "[::1]:8001",
            "127.0.0.1:8001:8001",
            "console.example:1",
        ] {
            assert!(!local.is_mine(host), "{host}");
        }
        let six = access("[::1]:80");
        assert!(six.is_mine("[::1]") && six.is_mine("[::1]:80") && six.is_mine("localhost"));
        assert!(!six.is_mine("127.0.0.1"));
    }

    #[test]
    fn at_every_address_a_number_is_taken_and_a_name_is_not() {
        let open = access("0.0.0.0:8001");
        for host in ["10.1.2.3:8001", "[fe80::1]:8001", "localhost:8001"] {
            assert!(open.is_mine(host), "{host}");
        }
        for host in [
            "evil.example:8001",
            "10.1.2.3:80",
            "10.1.2.3.evil.example:8001",
        ] {
            assert!(!open.is_mine(host), "{host}");
        }
        let one = access("10.1.2.3:8001");
        assert!(one.is_mine("10.1.2.3:8001") && !one.is_mine("localhost:8001"));
    }

    #[test]
    fn a_token_comes_in_three_ways() {
        let access = access("10.1.2.3:8001");
        let with = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::try_from(value).unwrap());
            access.has_token(&headers)
        };
        assert!(with(TOKEN_FIELD, "0123456789abcdef"));
        assert!(with("authorization", "Bearer 0123456789abcdef"));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert!(with("authorization", &basic("me:0123456789abcdef")));
        for (name, value) in [
            (TOKEN_FIELD, "0123456789abcdeg"),
            (TOKEN_FIELD, "0123456789abcde"),
            (TOKEN_FIELD, "0123456789abcdef0"),
            ("authorization", "0123456789abcdef"),
            ("authorization", "Digest 0123456789abcdef"),
            ("authorization", "Basic 0123456789abcdef"),
            ("authorization", &basic("0123456789abcdef")),
        ] {
            assert!(!with(name, value), "{name}: {value}");
        }
    }

    #[test]
    fn what_a_browser_says_of_other_sites_is_heeded() {
        let from = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for &(name, value) in fields {
                headers.insert(name, HeaderValue::from_static(value));
            }
            is_from_here(&headers)
        };
        let host = ("host", "localhost:8001");
        assert!(from(&[host]));
        assert!(from(&[host, ("origin", "http://localhost:8001")]));
        assert!(from(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(!from(&[host, ("origin", "http://evil.example")]));
        assert!(!from(&[host, ("origin", "null")]));
        assert!(!from(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!from(&[("origin", "http://localhost:8001")]));
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused() {
        for token in [
            "",
            "0123456789abcde",
            "0123456789abcdef\n",
            "0123456789 abcdef",
        ] {
            assert!(
                std::panic::catch_unwind(|| Secret::new(token)).is_err(),
                "{token:?}"
            );
        }
        assert_ne!(Secret::random().text(), Secret::random().text());
    }
}
