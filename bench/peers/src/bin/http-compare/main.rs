//! `http-compare [OPTIONS]`: the same load against every server of HTTP, TLS and WebSocket; prints markdown tables.
//!
//! Options: `--servers LIST` (comma separated; any that `http-server` knows) and `--cases LIST` (default all; `memory` is
//! one of them), `--rounds N` (9), `--requests N` of each sample (40000; a tenth of them where each has a connection).
//!
//! Each round starts every server afresh on the first processor; the load runs on the second. The rounds are interleaved,
//! in an order that rotates. A sample is the server's own processor time over the requests that it has answered.

mod load;
mod stream;

use std::io::{self, BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use peers::stats::{Samples, figure, table};
use peers::sys;
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};

use load::{CASES, Case, Load, MEASURED};

struct Options {
    servers: Option<Vec<String>>,
    cases: Vec<&'static Case>,
    memory: bool,
    rounds: usize,
    requests: usize,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        servers: None,
        cases: CASES.iter().collect(),
        memory: true,
        rounds: 9,
        requests: 40_000,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let wrong = || format!("{name} cannot be {value:?}");
        match name.as_str() {
            "--servers" => options.servers = Some(value.split(',').map(str::to_string).collect()),
            "--cases" => {
                let names: Vec<_> = value.split(',').collect();
                options.memory = names.contains(&"memory");
                let named = |name: &&str| CASES.iter().find(|case| case.name == *name);
                let cases = names.iter().filter(|name| **name != "memory");
                options.cases = cases
                    .map(|name| named(name).ok_or_else(wrong))
                    .collect::<Result<_, _>>()?;
            }
            "--rounds" => options.rounds = value.parse().map_err(|_| wrong())?,
            "--requests" => options.requests = value.parse().map_err(|_| wrong())?,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

/// A certificate in a directory that ends with this value, and who trusts it.
struct Secrets {
    directory: PathBuf,
    client: Arc<ClientConfig>,
}

impl Secrets {
    fn make() -> io::Result<Secrets> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .map_err(io::Error::other)?;
        let directory = std::env::temp_dir().join(format!("http-compare-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join("cert.pem"), made.cert.pem())?;
        std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots
            .add(made.cert.der().clone())
            .map_err(io::Error::other)?;
        let mut client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = Resumption::disabled();
        Ok(Secrets {
            directory,
            client: Arc::new(client),
        })
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A server that ends with this value.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself: nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(kind: &str, secrets: &Path) -> io::Result<Server> {
        let path = std::env::current_exe()?.with_file_name("http-server");
        let mut command = Command::new("taskset");
        command
            .args(["-c", "0"])
            .arg(path)
            .args([kind, "127.0.0.1:0"])
            .arg(secrets)
            .stdout(Stdio::piped());
        let mut child = sys::die_with_parent(&mut command).spawn()?;
        let out = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("a pipe is missing"))?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line
            .strip_prefix("listening ")
            .unwrap_or_default()
            .trim()
            .to_owned();
        let server = Server { child, address };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    /// may_minihttp says its address before it listens there.
    fn wait_until_it_listens(&self) -> io::Result<()> {
        for _ in 0..200 {
            match TcpStream::connect(&self.address) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                connected => return connected.map(drop),
            }
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    /// What it has in memory, in bytes.
    fn memory(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        kilobytes
            .map(|kilobytes| kilobytes * 1024)
            .ok_or_else(|| io::Error::other("the system does not say how much memory it has"))
    }
}

/// Microseconds of the server's processor time for each request.
fn sample(kind: &str, case: &'static Case, requests: usize, secrets: &Secrets) -> io::Result<f64> {
    let server = Server::start(kind, &secrets.directory)?;
    let mut load = Load::connect(&server.address, case, &secrets.client)?;
    load.run(requests / 10)?;
    let clock = sys::CpuClock::of(server.child.id())?;
    let before = clock.now()?;
    let answered = load.run(requests)?;
    let cost = clock.now()? - before;
    Ok(cost.as_secs_f64() * 1e6 / answered as f64)
}

/// KiB of a connection that is idle after one request.
fn sample_memory(kind: &str, secrets: &Secrets) -> io::Result<f64> {
    let server = Server::start(kind, &secrets.directory)?;
    let mut load = Load::connect(&server.address, &CASES[0], &secrets.client)?;
    let grown = load.fill(|| server.memory())?;
    Ok(grown as f64 / 1024.0 / MEASURED as f64)
}

/// Takes a sample of each server in each round, and prints them.
fn measure(
    options: &Options,
    case: &Case,
    (title, unit): (&str, &str),
    rounds: usize,
    sample: impl Fn(&str) -> io::Result<f64>,
) -> io::Result<()> {
    let servers: Vec<&str> = match &options.servers {
        None => case.servers.to_vec(),
        Some(wanted) => wanted
            .iter()
            .map(String::as_str)
            .filter(|server| case.is_for(server))
            .collect(),
    };
    let count = servers.len();
    let mut samples = vec![vec![0.0; count]; rounds];
    for (round, figures) in samples.iter_mut().enumerate() {
        for turn in 0..count {
            let at = (turn + round) % count;
            figures[at] = sample(servers[at])?;
        }
    }
    let over_rounds = |value: &dyn Fn(&[f64]) -> f64| {
        let mut all = Samples::default();
        samples.iter().for_each(|round| all.push(value(round)));
        all
    };
    let place = |name: &str| servers.iter().position(|server| *server == name);
    let row = |(at, server): (usize, &&str)| {
        let cost = over_rounds(&|round| round[at]);
        let over = |other: &&str| {
            figure(
                place(other)
                    .and_then(|other| over_rounds(&|round| round[at] / round[other]).median()),
            )
        };
        let mut row = vec![
            server.to_string(),
            figure(cost.median()),
            format!("{} %", figure(cost.spread())),
        ];
        row.extend(case.peers.iter().map(over));
        row
    };
    let rows: Vec<_> = servers.iter().enumerate().map(row).collect();
    let mut header = vec!["server".to_owned(), unit.to_owned(), "±".to_owned()];
    header.extend(case.peers.iter().map(|peer| format!("over {peer}")));
    println!("\n{title}.\n");
    println!("{}", table(&header, &rows));
    Ok(())
}

fn run(options: &Options) -> Result<(), String> {
    sys::pin(1)
        .and_then(|()| sys::raise_fd_limit())
        .map_err(|error| error.to_string())?;
    let secrets = Secrets::make().map_err(|error| error.to_string())?;
    for case in &options.cases {
        let requests = options.requests / if case.is_fresh() { 10 } else { 1 };
        let heading = (case.title, "us per request");
        measure(options, case, heading, options.rounds, |kind| {
            sample(kind, case, requests, &secrets)
        })
        .map_err(|error| format!("{}: {error}", case.title))?;
    }
    if options.memory {
        let heading = ("A connection that is idle after one request", "KiB");
        measure(options, &CASES[0], heading, options.rounds.min(3), |kind| {
            sample_memory(kind, &secrets)
        })
        .map_err(|error| format!("memory: {error}"))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("http-compare: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http-compare: {error}");
            ExitCode::FAILURE
        }
    }
}
