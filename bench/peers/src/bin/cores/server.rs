//! The same HTTP server on one thread and on workers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use green_http::{Body, Request, Response, Server};
use peers::stats::table;
use peers::sys;
use rustls::{ClientConfig, RootCertStore};

use crate::Failure;
use crate::load::{CASES, Load};

pub const KINDS: &[&str] = &[
    "one thread",
    "1 worker",
    "2 workers",
    "2 workers, one queue",
];

/// Connections in step, by each of two threads that make the load.
const LOADS: usize = 2;

fn answer(request: Request<Body>) -> Response {
    match request.uri().path() {
        "/worker" => {
            let thread = std::thread::current();
            Response::new(thread.name().unwrap_or_default().to_owned())
        }
        _ => Response::new("Hello, World!").with_header("content-type", "text/plain"),
    }
}

/// The server's process.
pub fn serve(kind: &str) -> Result<(), Failure> {
    let server = || Server::new(answer).connections(20_000);
    if kind == KINDS[0] {
        let listener = green::listen("127.0.0.1:0")?;
        println!("{}", listener.local_addr()?);
        server().serve(listener)?;
        return Ok(());
    }
    let workers: usize = kind.split(' ').next().unwrap_or_default().parse()?;
    let running = Server::factory_of(server)
        .workers(workers)
        .one_queue(kind.ends_with("one queue"))
        .start("127.0.0.1:0")?;
    println!("{}", running.local_addr());
    running.join()?;
    Ok(())
}

/// A server that ends with this value.
struct Running {
    child: Child,
    address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself: nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(kind: &str) -> Result<Running, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--serve", kind]).stdout(Stdio::piped());
    let mut child = sys::die_with_parent(&mut command).spawn()?;
    let out = child.stdout.take().ok_or("a pipe is missing")?;
    let mut address = String::new();
    BufReader::new(out).read_line(&mut address)?;
    let address = address.trim().to_owned();
    Ok(Running { child, address })
}

/// Microseconds of the server's processor time for each request.
pub fn cost(kind: &str, requests: usize) -> Result<[f64; 1], Failure> {
    let server = start(kind)?;
    // No case here is over TLS.
    let tls = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let tls = Arc::new(tls);
    let mut loads = Vec::new();
    for _ in 0..LOADS {
        loads.push(Load::connect(&server.address, &CASES[0], &tls)?);
    }
    run(&mut loads, requests / 10)?;
    let clock = sys::CpuClock::of(server.child.id())?;
    let before = clock.now()?;
    let answered = run(&mut loads, requests)?;
    let cost = clock.now()? - before;
    Ok([cost.as_secs_f64() * 1e6 / answered as f64])
}

fn run(loads: &mut [Load], requests: usize) -> Result<usize, Failure> {
    let each = requests / loads.len();
    std::thread::scope(|scope| {
        let threads: Vec<_> = loads
            .iter_mut()
            .map(|load| scope.spawn(move || load.run(each)))
            .collect();
        threads.into_iter().try_fold(0, |sum, thread| {
            let answered = thread.join().map_err(|_| "a load has panicked")??;
            Ok(sum + answered)
        })
    })
}

/// How connections that come one after the other and stay are spread.
pub fn balance() -> Result<(), Failure> {
    const CONNECTIONS: usize = 1000;
    let mut rows = Vec::new();
    for kind in [
        "2 workers",
        "4 workers",
        "2 workers, one queue",
        "4 workers, one queue",
    ] {
        let server = start(kind)?;
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        let mut kept = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut stream = TcpStream::connect(&server.address)?;
            stream.write_all(b"GET /worker HTTP/1.1\r\nHost: here\r\n\r\n")?;
            let mut answer = [0; 1024];
            let len = stream.read(&mut answer)?;
            let text = String::from_utf8_lossy(&answer[..len]).into_owned();
            let name = text.rsplit("\r\n").next().unwrap_or_default();
            *counts.entry(name.to_owned()).or_default() += 1;
            kept.push(stream);
        }
        let counts: Vec<_> = counts.values().map(usize::to_string).collect();
        rows.push(vec![kind.to_owned(), counts.join(", ")]);
    }
    let header = ["", "connections of each"].map(String::from);
    println!("\n{CONNECTIONS} connections\n\n{}", table(&header, &rows));
    Ok(())
}
