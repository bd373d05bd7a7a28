//! make demo
//!
//! On each hub in turn: the echo server with 1,000 connections, every byte checked, and the crawler on 300 pages of a
//! server that delays each answer by 100 ms. Prints one table; ends with a code other than 0 if one byte or page is
//! wrong. The programs are the examples `echo_server` and `crawler`, run as processes of their own.

use std::collections::BTreeSet;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use green::net::TcpStream;

const CONNECTIONS: usize = 1000;
const MESSAGES: usize = 50;
const MESSAGE: usize = 64;
const PAGES: usize = 300;
const DELAY: Duration = Duration::from_millis(100);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        return Err(format!("{} is not built: run `make demo`", path.display()).into());
    }
    Ok(path)
}

/// The body of a page: of its own length and content.
fn page(n: usize) -> String {
    format!(
        "<html><title>page {n}</title>{}</html>",
        "content ".repeat(n + 1)
    )
}

/// A web server that nobody here wrote: a thread for each request, which answers late.
fn serve_pages() -> Result<String> {
    let server =
        Arc::new(tiny_http::Server::http("127.0.0.1:0").map_err(|error| error.to_string())?);
    let address = server.server_addr().to_ip().ok_or("no address")?;
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            std::thread::spawn(move || {
                std::thread::sleep(DELAY);
                let n = request.url().trim_start_matches("/page/").parse();
                let answer = match n {
                    Ok(n) => tiny_http::Response::from_string(page(n)),
                    Err(_) => {
                        tiny_http::Response::from_string("no such page").with_status_code(404)
                    }
                };
                // A client that has gone does not want its answer.
                let _ = request.respond(answer);
            });
        }
    });
    Ok(format!("http://{address}"))
}

/// Ends a child however this program goes on.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Echo {
    per_second: f64,
    bytes: usize,
    wrong: usize,
    peak_kib: u64,
}

/// Sends its own pattern and checks what comes back, byte by byte. Gives the bytes that were right.
fn client(address: &str, n: usize) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut right = 0;
    for m in 0..MESSAGES {
        let sent: [u8; MESSAGE] = std::array::from_fn(|i| (n * 31 + m * 7 + i) as u8);
        let mut back = [0; MESSAGE];
        stream.write_all(&sent)?;
        stream.read_exact(&mut back)?;
        right += sent
            .iter()
            .zip(back)
            .filter(|(sent, back)| **sent == *back)
            .count();
    }
    Ok(right)
}

fn echo(hub: &str) -> Result<Echo> {
    let mut server = Command::new(program("echo_server")?)
        .args(["127.0.0.1:0", hub])
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)?;
    let mut lines = BufReader::new(server.0.stdout.take().ok_or("no output")?).lines();
    let ready = lines.next().ok_or("the echo server did not start")??;
    let address = ready
        .strip_prefix("listening on ")
        .and_then(|rest| rest.split(' ').next())
        .ok_or("the echo server says something else")?
        .to_owned();
    let start = Instant::now();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            let address = address.clone();
            green::spawn(move || client(&address, n))
        })
        .collect();
    let mut bytes = 0;
    for client in clients {
        match client.join()? {
            Ok(right) => bytes += right,
            Err(error) => eprintln!("{hub}: a connection failed: {error}"),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Echo {
        per_second: (CONNECTIONS * MESSAGES) as f64 / seconds,
        bytes,
        wrong: CONNECTIONS * MESSAGES * MESSAGE - bytes,
        peak_kib: peak_memory(server.0.id()).unwrap_or(0),
    })
}

struct Crawl {
    pages: usize,
    wall: Duration,
    peak_kib: u64,
}

fn crawl(hub: &str, server: &str) -> Result<Crawl> {
    let urls: Vec<_> = (0..PAGES).map(|n| format!("{server}/page/{n}")).collect();
    let start = Instant::now();
    let mut crawler = Command::new(program("crawler")?)
        .args(["--concurrency", "300"])
        .args(&urls)
        .env(green::hubs::GREEN_HUB, hub)
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)?;
    let mut output = String::new();
    let stdout = crawler.0.stdout.as_mut().ok_or("no output")?;
    stdout.read_to_string(&mut output)?;
    let wall = start.elapsed();
    let expected: BTreeSet<String> = (0..PAGES)
        .map(|n| {
            let page = page(n);
            let mut hash = DefaultHasher::new();
            page.hash(&mut hash);
            format!("{} bytes {:016x} {}", page.len(), hash.finish(), urls[n])
        })
        .collect();
    let right = output
        .lines()
        .filter(|line| expected.contains(*line))
        .count();
    let peak = output
        .split_whitespace()
        .rev()
        .nth(1)
        .and_then(|kib| kib.parse().ok());
    Ok(Crawl {
        pages: right,
        wall,
        peak_kib: peak.unwrap_or(0),
    })
}

/// The most memory that a process has had resident, in KiB, where `/proc` tells it.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn main() -> Result<()> {
    let pages = serve_pages()?;
    let mut failures = 0;
    println!(
        "One OS thread serves {CONNECTIONS} connections, {MESSAGES} echoes of {MESSAGE} bytes on each;"
    );
    println!(
        "one OS thread fetches {PAGES} pages, each of which its server holds back for {} ms.",
        DELAY.as_millis()
    );
    println!();
    println!(
        "| hub     | echoes/s | bytes verified | server peak | pages | wall time | sum of delays | crawler peak |"
    );
    println!(
        "|---------|---------:|---------------:|------------:|------:|----------:|--------------:|-------------:|"
    );
    let hubs: Vec<_> = green::hubs::hub_names().collect();
    // Not shown: the first time the clients here get their stacks, which the first hub would seem to pay for.
    if let Some(first) = hubs.first() {
        echo(first)?;
    }
    for hub in hubs {
        let echo = echo(hub)?;
        let crawl = crawl(hub, &pages)?;
        println!(
            "| {hub:7} | {:8.0} | {:14} | {:7.1} MiB | {:5} | {:7.2} s | {:11.2} s | {:8.1} MiB |",
            echo.per_second,
            echo.bytes,
            echo.peak_kib as f64 / 1024.0,
            crawl.pages,
            crawl.wall.as_secs_f64(),
            DELAY.as_secs_f64() * PAGES as f64,
            crawl.peak_kib as f64 / 1024.0
        );
        failures += echo.wrong + (PAGES - crawl.pages);
    }
    if failures > 0 {
        return Err(format!("{failures} bytes or pages are wrong or missing").into());
    }
    Ok(())
}
