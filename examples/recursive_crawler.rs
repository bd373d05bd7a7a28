//! cargo run -p examples --example recursive_crawler -- [URL [DEPTH]]
//!
//! Fetches a page and every page that can be reached from it on the same host, each once. Each visit spawns the next
//! ones into the pool that it runs in itself. Without an address it reads a small site of its own, whose pages link in
//! circles.
//!
//! A pool that is full runs what one of its members spawns at once, in that member, on its stack: a visit in a visit in
//! a visit. DEPTH, 8 unless given, bounds that as well as the crawl.

use std::cell::RefCell;
use std::collections::HashSet;
use std::error::Error;
use std::rc::Rc;

use green::{GreenPool, ureq};

const WORKERS: usize = 4;

/// What all visits share. Nothing is borrowed while one of them waits.
#[derive(Clone)]
struct Crawl {
    pool: GreenPool,
    agent: ureq::Agent,
    host: Rc<str>,
    seen: Rc<RefCell<HashSet<String>>>,
    failed: Rc<RefCell<Vec<String>>>,
}

impl Crawl {
    /// Spawns a visit to a page that nobody has seen.
    fn visit(&self, url: String, depth: usize) {
        if self.seen.borrow_mut().insert(url.clone()) {
            let crawl = self.clone();
            self.pool.spawn_n(move || crawl.fetch(&url, depth));
        }
    }

    fn fetch(&self, url: &str, depth: usize) {
        let page = self.agent.get(url).call();
        match page.and_then(|mut page| page.body_mut().read_to_string()) {
            Ok(body) => {
                println!("{} bytes at {url}", body.len());
                if depth > 0 {
                    let links = body.split("href=\"").skip(1);
                    for path in links.filter_map(|link| link.split('"').next()) {
                        if path.starts_with('/') {
                            self.visit(format!("{}{path}", self.host), depth - 1);
                        }
                    }
                }
            }
            Err(error) => self.failed.borrow_mut().push(format!("{url}: {error}")),
        }
    }
}

/// A site of a hundred pages, each of which links to two more and back to the one that it is linked from.
fn own_site() -> std::io::Result<String> {
    let address = site::serve(|path| {
        let n: u32 = path.strip_prefix("/page/")?.parse().ok()?;
        let links = [n / 2, 2 * n, 2 * n + 1].into_iter();
        let links = links.filter(|link| (1..=100).contains(link));
        Some(links.map(|n| format!("<a href=\"/page/{n}\">")).collect())
    })?;
    Ok(format!("http://{address}/page/1"))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let start = match arguments.next() {
        Some(url) => url,
        None => own_site()?,
    };
    let depth = match arguments.next() {
        Some(depth) => depth.parse()?,
        None => 8,
    };
    let host_starts = start.find("://").map_or(0, |at| at + 3);
    let host_ends = start[host_starts..]
        .find('/')
        .map_or(start.len(), |at| at + host_starts);
    let crawl = Crawl {
        pool: GreenPool::new(WORKERS),
        agent: ureq::agent(),
        host: start[..host_ends].into(),
        seen: Rc::default(),
        failed: Rc::default(),
    };
    crawl.visit(start, depth);
    crawl.pool.waitall()?;
    println!("{} pages", crawl.seen.borrow().len());
    match crawl.failed.take() {
        failed if failed.is_empty() => Ok(()),
        failed => Err(failed.join("\n").into()),
    }
}
