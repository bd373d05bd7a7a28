//! libcurl, which is written in C, many at a time on one OS thread:
//!
//! ```text
//! cargo run --release -p examples --features greened --example greened_curl -- 100 http://127.0.0.1:8000/
//! ```
//!
//! fetches the page so many times at once and prints how long that took. Without an address it fetches one of its own
//! that takes 100 ms.

use std::time::{Duration, Instant};

use curl::easy::Easy;

fn fetch(url: &str) -> Result<usize, curl::Error> {
    let mut length = 0;
    let mut easy = Easy::new();
    easy.url(url)?;
    easy.fail_on_error(true)?;
    let mut transfer = easy.transfer();
    transfer.write_function(|data| {
        length += data.len();
        Ok(data.len())
    })?;
    transfer.perform()?;
    drop(transfer);
    Ok(length)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    green_patch::monkey_patch()?;
    let mut words = std::env::args().skip(1);
    let count: usize = words.next().as_deref().unwrap_or("100").parse()?;
    let url = match words.next() {
        Some(url) => url,
        None => {
            let address = site::serve(|_| {
                green::sleep(Duration::from_millis(100));
                Some("hello".to_owned())
            })?;
            format!("http://{address}/")
        }
    };
    let start = Instant::now();
    let all: Vec<_> = (0..count)
        .map(|_| {
            let url = url.clone();
            green::spawn(move || fetch(&url))
        })
        .collect();
    let mut bytes = 0;
    for each in all {
        bytes += each.join()??;
    }
    println!(
        "curl {} on {}: {count} pages, {bytes} bytes, {} ms",
        curl::Version::get().version(),
        green::hubs::get_hub(),
        start.elapsed().as_millis()
    );
    Ok(())
}
