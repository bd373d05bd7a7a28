//! cargo run -p examples --example webcrawler -- [URL...]
//!
//! Fetches pages at once, at most 200 at a time, and says how long each is, in the order of the addresses. Without
//! addresses it reads a small site of its own. Ends with a code other than 0 if one cannot be fetched.

use std::error::Error;
use std::time::Duration;

use green::{GreenPool, ureq};

fn fetch(url: String) -> Result<(String, String), ureq::Error> {
    let body = ureq::agent()
        .get(&url)
        .call()?
        .body_mut()
        .read_to_string()?;
    Ok((url, body))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        let site = site::serve(|path| {
            let n: u32 = path.strip_prefix("/page/")?.parse().ok()?;
            // The first page is the slowest, and yet the first to be printed.
            green::sleep(Duration::from_millis(5 * u64::from(10 - n.min(10))));
            Some(format!("page {n}\n").repeat(n as usize))
        })?;
        urls.extend((1..=10).map(|n| format!("http://{site}/page/{n}")));
    }
    let pool = GreenPool::new(200);
    for page in pool.imap(fetch, urls) {
        let (url, body) = page??;
        println!("got body from {url} of length {}", body.len());
    }
    Ok(())
}
