//! The conversation with a SOCKS proxy: versions 4 and 4a, and 5 (RFC 1928, RFC 1929).

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};

use ::ureq::http::Uri;
use ::ureq::{Error, Proxy, ProxyProtocol};

/// Command: connect.
const CONNECT: u8 = 1;

/// Methods of version 5 by which a client says who it is.
const NOBODY: u8 = 0;
const BY_PASSWORD: u8 = 2;
const NONE_OF_THEM: u8 = 0xff;

pub(super) fn is_socks(proxy: &Proxy) -> bool {
    matches!(
        proxy.protocol(),
        ProxyProtocol::Socks4
            | ProxyProtocol::Socks4A
            | ProxyProtocol::Socks5
            | ProxyProtocol::Socks5h
    )
}

/// Where the proxy is to connect to.
#[derive(Debug)]
pub(super) enum Target {
    Address(SocketAddr),
    /// For the proxy to look up.
    Name(String, u16),
}

impl Target {
    /// `addresses` are those of the origin, if they were looked up here.
    pub(super) fn new(
        origin: &Uri,
        addresses: &[SocketAddr],
        proxy: &Proxy,
    ) -> Result<Target, Error> {
        if proxy.resolve_target() {
            let version = proxy.protocol();
            let mut addresses = addresses.iter().copied();
            let address = match version {
                ProxyProtocol::Socks4 | ProxyProtocol::Socks4A => {
                    addresses.find(SocketAddr::is_ipv4)
                }
                _ => addresses.next(),
            };
            let none = || {
                invalid(format!(
                    "{version} needs an IPv4 address, and there is none"
                ))
            };
            return Ok(Target::Address(address.ok_or_else(none)?));
        }
        let host = super::resolver::host(origin).ok_or(Error::HostNotFound)?;
        let port = super::resolver::port(origin);
        Ok(match host.parse::<IpAddr>() {
            Ok(address) => Target::Address((address, port).into()),
            Err(_) => Target::Name(host.to_owned(), port),
        })
    }
}

/// Has the proxy at the other end of `stream` connect to the target. What follows is the target's.
pub(super) fn handshake(
    stream: &mut (impl Read + Write),
    proxy: &Proxy,
    target: &Target,
) -> io::Result<()> {
    match proxy.protocol() {
        ProxyProtocol::Socks4 | ProxyProtocol::Socks4A => {
            version_4(stream, proxy.username().unwrap_or_default(), target)
        }
        _ => version_5(stream, proxy, target),
    }
}

fn version_4(stream: &mut (impl Read + Write), user: &str, target: &Target) -> io::Result<()> {
    let (address, port, name) = match target {
        Target::Address(SocketAddr::V4(address)) => (address.ip().octets(), address.port(), None),
        Target::Address(SocketAddr::V6(address)) => {
            let what = format!("SOCKS4 cannot connect to {address}: it knows no IPv6");
            return Err(invalid(what));
        }
        // An address that cannot be says that a name follows.
        Target::Name(name, port) => ([0, 0, 0, 1], *port, Some(name)),
    };
    let texts = [Some(user), name.map(String::as_str)];
    let mut request = vec![4, CONNECT];
    request.extend(port.to_be_bytes());
    request.extend(address);
    for text in texts.into_iter().flatten() {
        if text.contains('\0') {
            return Err(invalid(
                "a user or a host of SOCKS4 has no zero byte".to_owned(),
            ));
        }
        request.extend(text.as_bytes());
        request.push(0);
    }
    stream.write_all(&request)?;
    let mut reply = [0; 8];
    stream.read_exact(&mut reply)?;
    match reply {
        [0, 90, ..] => Ok(()),
        [0, 92 | 93, ..] => {
            let what = "it wants to know by identd who asks";
            Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
        }
        [0, ..] => Err(io::Error::other("it has refused or failed to connect")),
        _ => Err(garbled()),
    }
}

fn version_5(stream: &mut (impl Read + Write), proxy: &Proxy, target: &Target) -> io::Result<()> {
    let methods: &[u8] = match proxy.username() {
        Some(_) => &[NOBODY, BY_PASSWORD],
        None => &[NOBODY],
    };
    let mut greeting = vec![5, methods.len() as u8];
    greeting.extend(methods);
    stream.write_all(&greeting)?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen)?;
    match (chosen, proxy.username()) {
        ([5, NOBODY], _) => {}
        ([5, BY_PASSWORD], Some(user)) => {
            say_who(stream, user, proxy.password().unwrap_or_default())?;
        }
        ([5, NONE_OF_THEM], None) => {
            let what = "it wants a user and a password";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        ([5, NONE_OF_THEM], Some(_)) => {
            let what = "it accepts no password";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        _ => return Err(garbled()),
    }
    stream.write_all(&request_5(target)?)?;
    read_reply_5(stream)
}

fn request_5(target: &Target) -> io::Result<Vec<u8>> {
    let mut request = vec![5, CONNECT, 0];
    let port = match target {
        Target::Address(SocketAddr::V4(address)) => {
            request.push(1);
            request.extend(address.ip().octets());
            address.port()
        }
        Target::Address(SocketAddr::V6(address)) => {
            request.push(4);
            request.extend(address.ip().octets());
            address.port()
        }
        Target::Name(name, port) => {
            request.push(3);
            counted(&mut request, "the name of the host", name)?;
            *port
        }
    };
    request.extend(port.to_be_bytes());
    Ok(request)
}

fn read_reply_5(stream: &mut impl Read) -> io::Result<()> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    match head {
        [5, 0, 0, _] => {}
        [5, code, ..] => return Err(refused(code)),
        _ => return Err(garbled()),
    }
    // The address at the other side of the proxy, which nobody here needs, and its port.
    let len = match head[3] {
        1 => 4,
        4 => 16,
        3 => {
            let mut len = [0];
            stream.read_exact(&mut len)?;
            len[0].into()
        }
        _ => return Err(garbled()),
    };
    let mut bound = [0; u8::MAX as usize + 2];
    stream.read_exact(&mut bound[..len + 2])
}

fn say_who(stream: &mut (impl Read + Write), user: &str, password: &str) -> io::Result<()> {
    let mut request = vec![1];
    counted(&mut request, "the user", user)?;
    counted(&mut request, "the password", password)?;
    stream.write_all(&request)?;
    let mut reply = [0; 2];
    stream.read_exact(&mut reply)?;
    match reply {
        [_, 0] => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it does not accept this user and password",
        )),
    }
}

/// Appends a text behind its length.
fn counted(request: &mut Vec<u8>, what: &str, text: &str) -> io::Result<()> {
    let len = u8::try_from(text.len()).map_err(|_| {
        invalid(format!(
            "{what} is longer than the 255 bytes that SOCKS5 has room for"
        ))
    })?;
    request.push(len);
    request.extend(text.as_bytes());
    Ok(())
}

fn refused(code: u8) -> io::Error {
    let (kind, what) = match code {
        1 => (io::ErrorKind::Other, "it has failed"),
        2 => (
            io::ErrorKind::PermissionDenied,
            "its rules do not allow that",
        ),
        3 => (
            io::ErrorKind::NetworkUnreachable,
            "it has no way to that network",
        ),
        4 => (io::ErrorKind::HostUnreachable, "it has no way to that host"),
        5 => (
            io::ErrorKind::ConnectionRefused,
            "the host refuses the connection",
        ),
        6 => (io::ErrorKind::TimedOut, "the host does not answer it"),
        7 => (io::ErrorKind::Unsupported, "it does not connect"),
        8 => (
            io::ErrorKind::Unsupported,
            "it does not know this kind of address",
        ),
        _ => (
            io::ErrorKind::Other,
            "it has failed in a way that nobody has defined",
        ),
    };
    io::Error::new(kind, what)
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

fn garbled() -> io::Error {
    let what = "what it says is no SOCKS of the version that was asked for";
    io::Error::new(io::ErrorKind::InvalidData, what)
}
