//! cargo run --release -p examples --example crawler -- [--concurrency N] [--depth N] URL...
//!
//! Fetches pages, and with `--depth` the pages that they link to on the same host. A line for each: its size, a hash of
//! its content, its address. What cannot be fetched is said and counted, and stops nothing.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::GreenPool;

struct Crawler {
    agent: green::ureq::Agent,
    pool: GreenPool,
    depth: usize,
    seen: RefCell<HashSet<String>>,
    pages: Cell<u64>,
    errors: Cell<u64>,
    bytes: Cell<usize>,
}

impl Crawler {
    fn fetch(&self, url: &str) -> Result<String, Box<dyn Error>> {
        let mut response = self.agent.get(url).call()?;
        Ok(response.body_mut().read_to_string()?)
    }

    /// Fetches one page and spawns a visit to each new one that it links to, in the same pool.
    fn visit(self: Rc<Self>, url: String, depth: usize) {
        let page = match self.fetch(&url) {
            Ok(page) => page,
            Err(error) => {
                self.errors.set(self.errors.get() + 1);
                println!("error {url}: {error}");
                return;
            }
        };
        let mut hash = DefaultHasher::new();
        page.hash(&mut hash);
        println!("{} bytes {:016x} {url}", page.len(), hash.finish());
        self.pages.set(self.pages.get() + 1);
        self.bytes.set(self.bytes.get() + page.len());
        if depth < self.depth {
            for link in links(&page, &url) {
                let new = self.seen.borrow_mut().insert(link.clone());
                if new {
                    let crawler = Rc::clone(&self);
                    self.pool.spawn_n(move || crawler.visit(link, depth + 1));
                }
            }
        }
    }
}

/// The absolute addresses of what a page links to on its own host.
fn links(page: &str, url: &str) -> Vec<String> {
    let host_end = url.find("://").map_or(0, |at| at + 3);
    let host = match url[host_end..].find('/') {
        Some(at) => &url[..host_end + at],
        None => url,
    };
    page.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter_map(|link| match link.strip_prefix(host) {
            Some(_) => Some(link.to_owned()),
            None if link.starts_with('/') => Some(format!("{host}{link}")),
            None => None,
        })
        .collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut concurrency, mut depth, mut urls) = (200, 0, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().unwrap_or_default().parse::<usize>();
        match argument.as_str() {
            "--concurrency" => concurrency = number()?,
            "--depth" => depth = number()?,
            _ => urls.push(argument),
        }
    }
    if urls.is_empty() || concurrency == 0 {
        return Err("usage: crawler [--concurrency N] [--depth N] URL...".into());
    }
    let crawler = Rc::new(Crawler {
        agent: green::ureq::agent(),
        pool: GreenPool::new(concurrency),
        depth,
        seen: RefCell::new(urls.iter().cloned().collect()),
        pages: Cell::new(0),
        errors: Cell::new(0),
        bytes: Cell::new(0),
    });
    let start = Instant::now();
    let visitor = Rc::clone(&crawler);
    let visit = move |url| Rc::clone(&visitor).visit(url, 0);
    for visited in crawler.pool.imap(visit, urls) {
        visited?;
    }
    crawler.pool.waitall()?;
    println!(
        "{} pages, {} errors, {} bytes in {:.2} s on the {} hub, peak {} KiB",
        crawler.pages.get(),
        crawler.errors.get(),
        crawler.bytes.get(),
        start.elapsed().max(Duration::from_millis(1)).as_secs_f64(),
        green::hubs::get_hub(),
        peak_memory().unwrap_or(0)
    );
    Ok(())
}

/// The most memory that this process has had resident, in KiB, where `/proc` tells it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
