//! The example `threads_crawler`, a crawler for threads, on greenthreads: two lines differ.
//!
//! ```text
//! cargo run --release -p examples --features greened --example greened_crawler -- http://127.0.0.1:8000/ 100
//! ```

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use green::spawn;
use reqwest::Url;
use reqwest::blocking::Client;

type Page = (Url, Result<String, reqwest::Error>);

fn fetch(client: &Client, url: &Url) -> Result<String, reqwest::Error> {
    client.get(url.clone()).send()?.error_for_status()?.text()
}

fn work(client: &Client, jobs: &Mutex<Receiver<Url>>, pages: &Sender<Page>) {
    loop {
        let job = jobs.lock().unwrap().recv();
        let Ok(url) = job else { return };
        let page = fetch(client, &url);
        if pages.send((url, page)).is_err() {
            return;
        }
    }
}

fn links<'a>(base: &'a Url, page: &'a str) -> impl Iterator<Item = Url> + 'a {
    let targets = page.split("href=\"").skip(1);
    targets
        .filter_map(|rest| base.join(rest.split('"').next()?).ok())
        .filter(|url| url.origin() == base.origin())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    green_patch::monkey_patch()?;
    let mut words = std::env::args().skip(1);
    let start = Url::parse(&words.next().ok_or("the address of a page is missing")?)?;
    let workers: usize = words.next().as_deref().unwrap_or("10").parse()?;

    let client = Client::new();
    let (job, jobs) = channel();
    let (page, pages) = channel();
    let jobs = Arc::new(Mutex::new(jobs));
    let workers: Vec<_> = (0..workers)
        .map(|_| {
            let (client, jobs, page) = (client.clone(), Arc::clone(&jobs), page.clone());
            spawn(move || work(&client, &jobs, &page))
        })
        .collect();

    let (mut known, mut open, mut failed) = (HashSet::from([start.clone()]), 1, 0);
    job.send(start)?;
    while open > 0 {
        let (url, page) = pages.recv()?;
        open -= 1;
        match page {
            Ok(page) => {
                for link in links(&url, &page) {
                    if known.insert(link.clone()) {
                        open += 1;
                        job.send(link)?;
                    }
                }
            }
            Err(error) => {
                failed += 1;
                eprintln!("{error}");
            }
        }
    }
    drop(job);
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap());
    println!("{} pages, {failed} failed", known.len());
    Ok(())
}
