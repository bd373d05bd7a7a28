//! A small web site on 127.0.0.1, for the examples that fetch pages: it runs in the program that reads it, on the same
//! hub. And what examples of databases share.

#![forbid(unsafe_code)]

#[cfg(feature = "greened")]
pub mod databases;

/// The examples of the page on databases.
#[cfg(all(doctest, feature = "greened"))]
#[doc = include_str!("../docs/databases.md")]
struct Databases;

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;

use green::net::TcpStream;

/// Serves what `page` gives for a path, until the program ends; 404 where it gives nothing. Gives the address.
///
/// # Errors
/// That it cannot listen.
pub fn serve(page: impl Fn(&str) -> Option<String> + 'static) -> io::Result<SocketAddr> {
    let listener = green::listen("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    green::spawn_n(move || {
        let ended = green::serve_forever(&listener, 1000, move |stream, _| answer(stream, &page));
        eprintln!("the site has ended: {ended:?}");
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, page: &impl Fn(&str) -> Option<String>) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for header in lines {
        if header?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or("/");
    let (status, body) = match page(path) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", "no such page".to_owned()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The programs of the first page.
#[cfg(all(doctest, feature = "integrations"))]
#[doc = include_str!("../README.md")]
struct FrontPage;

/// The examples of the page on async code.
#[cfg(all(doctest, feature = "integrations"))]
#[doc = include_str!("../docs/async.md")]
struct Async;

/// The examples of the porting guide.
#[cfg(all(doctest, feature = "integrations", feature = "servers"))]
#[doc = include_str!("../docs/eventlet.md")]
struct Guide;
