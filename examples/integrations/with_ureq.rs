//! cargo run -p examples --example with_ureq
//!
//! The blocking HTTP client ureq on green sockets: a hundred slow pages at once, on one thread.

use std::error::Error;
use std::time::{Duration, Instant};

use green::{GreenPool, ureq};

fn main() -> Result<(), Box<dyn Error>> {
    let site = site::serve(|path| {
        green::sleep(Duration::from_millis(100));
        Some(format!("this is {path}"))
    })?;
    let agent = ureq::agent();
    let fetch = move |n: u32| -> Result<String, ureq::Error> {
        let url = format!("http://{site}/page/{n}");
        agent.get(url).call()?.body_mut().read_to_string()
    };
    let began = Instant::now();
    let pages: Result<Vec<_>, _> = GreenPool::new(100).imap(fetch, 0..100).collect();
    let pages = pages?.into_iter().collect::<Result<Vec<_>, _>>()?;
    println!("{} pages; the last: {}", pages.len(), pages[99]);
    eprintln!("in {:?}", began.elapsed());
    Ok(())
}
