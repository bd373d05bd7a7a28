//! cargo run -p examples --example feedscraper
//!
//! A server that asks other servers on behalf of its clients. A client sends addresses of feeds, a line each, and gets
//! the title of each feed, in that order. However many clients there are, at most 200 feeds are fetched at once: all of
//! them spawn into one pool, each through a pile of its own.
//!
//! Here the clients, two of them, and the feeds are in the program itself.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use green::net::TcpStream;
use green::{GreenPile, GreenPool, GreenThread, ureq};

fn fetch_title(url: &str) -> Result<String, String> {
    let feed = ureq::agent().get(url).call();
    let feed = feed.and_then(|mut feed| feed.body_mut().read_to_string());
    let feed = feed.map_err(|error| error.to_string())?;
    let title = feed
        .split("<title>")
        .nth(1)
        .and_then(|rest| rest.split("</title>").next());
    title.map(str::to_owned).ok_or("no title".to_owned())
}

/// Serves one client.
fn dispatch(mut stream: TcpStream, pool: &GreenPool) -> io::Result<()> {
    let pile = GreenPile::with_pool(pool);
    for url in BufReader::new(stream.try_clone()?).lines() {
        let url = url?;
        pile.spawn(move || fetch_title(&url));
    }
    for title in pile {
        match title {
            Ok(Ok(title)) => writeln!(stream, "{title}")?,
            Ok(Err(error)) => writeln!(stream, "({error})")?,
            Err(exit) => writeln!(stream, "({exit})")?,
        }
    }
    Ok(())
}

fn client(server: SocketAddr, urls: Vec<String>) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    for url in urls {
        writeln!(stream, "{url}")?;
    }
    stream.shutdown(Shutdown::Write)?;
    let mut titles = String::new();
    stream.read_to_string(&mut titles)?;
    Ok(titles)
}

fn main() -> Result<(), Box<dyn Error>> {
    let feeds = site::serve(|path| {
        let n: u64 = path.strip_prefix("/feed/")?.parse().ok()?;
        green::sleep(Duration::from_millis(20 - n));
        Some(format!(
            "<rss><channel><title>Feed {n}</title></channel></rss>"
        ))
    })?;
    let listener = green::listen("127.0.0.1:0")?;
    let server = listener.local_addr()?;
    let pool = GreenPool::new(200);
    green::spawn_n(move || {
        let ended = green::serve_forever(&listener, 1000, move |stream, _| dispatch(stream, &pool));
        eprintln!("the server has ended: {ended:?}");
    });
    let clients: Vec<GreenThread<_>> = [1..4, 4..8]
        .into_iter()
        .map(|numbers| {
            let urls = numbers.map(|n| format!("http://{feeds}/feed/{n}"));
            let missing = format!("http://{feeds}/no/feed");
            let urls = urls.chain([missing]).collect();
            green::spawn(move || client(server, urls))
        })
        .collect();
    for client in clients {
        print!("{}", client.join()??);
    }
    Ok(())
}
