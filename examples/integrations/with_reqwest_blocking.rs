//! cargo run -p examples --features greened --example with_reqwest_blocking
//!
//! `reqwest::blocking`, unchanged: after `monkey_patch` a hundred requests wait at once on one thread, for a server on the
//! same thread.

use std::error::Error;
use std::time::Duration;

use green::GreenPool;
use reqwest::blocking::Client;

/// Written for threads, and not changed.
fn fetch(client: &Client, url: &str) -> reqwest::Result<String> {
    client.get(url).send()?.error_for_status()?.text()
}

fn main() -> Result<(), Box<dyn Error>> {
    green_patch::monkey_patch()?;
    let listener = green::listen("127.0.0.1:0")?;
    let site = format!("http://{}", listener.local_addr()?);
    green::spawn_n(move || {
        let page = |request: green_http::Request<green_http::Body>| {
            green::sleep(Duration::from_millis(50));
            green_http::Response::new(format!("this is {}", request.uri().path()))
        };
        drop(green_http::serve(listener, page));
    });
    let client = Client::builder().no_proxy().build()?;
    let urls = (0..100).map(move |n| format!("{site}/page/{n}"));
    let mut last = String::new();
    for text in GreenPool::new(100).imap(move |url: String| fetch(&client, &url), urls) {
        last = text??;
    }
    println!("100 pages; the last: {last}");
    Ok(())
}
