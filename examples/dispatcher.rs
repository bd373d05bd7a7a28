//! cargo run --release -p examples --features servers --example dispatcher -- 127.0.0.1:9010 [HUB]
//!
//! eventlet's feedparser dispatcher: who posts addresses of feeds, one a line, gets the titles of what they have. All
//! requests together fetch with one pool of 200 greenthreads. Its client is the example `dispatcher_client`.

use std::error::Error;
use std::io::Read;
use std::time::Duration;

use feed_rs::parser;
use green::signal::{SIGINT, SIGTERM};
use green::{GreenPile, GreenPool};
use green_http::{Body, Method, Request, Response, Server, StatusCode};

fn fetch_title(url: &str) -> Result<String, Box<dyn Error>> {
    let agent = green::ureq::agent();
    let mut text = Vec::new();
    agent
        .get(url)
        .call()?
        .body_mut()
        .as_reader()
        .read_to_end(&mut text)?;
    let feed = parser::parse(&text[..])?;
    let titles = feed.entries.iter().filter_map(|entry| entry.title.as_ref());
    let titles: Vec<_> = titles.map(|title| title.content.trim()).collect();
    let name = feed
        .title
        .map_or_else(|| url.to_owned(), |title| title.content);
    Ok(format!("{name}: {}", titles.join(", ")))
}

fn answer(request: Request<Body>, pool: &GreenPool) -> Result<Response, Box<dyn Error>> {
    if request.method() != Method::POST {
        return Ok(StatusCode::NOT_FOUND.into());
    }
    let urls = request.into_body().into_string()?;
    let pile = GreenPile::with_pool(pool);
    for url in urls.lines().map(str::to_owned) {
        pile.spawn(move || match fetch_title(&url) {
            Ok(titles) => titles,
            Err(error) => format!("{url}: {error}"),
        });
    }
    let lines: Result<Vec<String>, _> = pile.into_iter().collect();
    Ok(Response::new(lines?.join("\n") + "\n"))
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9010".into());
    if let Some(hub) = std::env::args().nth(2) {
        green::hubs::use_hub(&hub)?;
    }
    let pool = GreenPool::new(200);
    let server = Server::new(move |request| answer(request, &pool)).body_limit(1 << 20);
    server
        .lifecycle()
        .drain_on([SIGINT, SIGTERM], Duration::from_secs(10))?;
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    server.serve(listener)?;
    Ok(())
}
