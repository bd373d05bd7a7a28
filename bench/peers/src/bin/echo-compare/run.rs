//! Servers and load generators as processes, and one round of slices.

use std::io::{self, BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use peers::sys;

use crate::case::Case;

/// Every server, by the name that `--servers` takes.
pub const SERVERS: &[&str] = &[
    "raw-epoll",
    "raw-poll",
    "raw-select",
    "tokio",
    "may",
    "smol",
    "green-epoll",
    "green-shared-epoll",
    "green-poll",
    "green-select",
    "green-polling",
    "std-epoll",
    "std-shared-epoll",
];

const SERVER_CPU: &str = "0";
const CLIENT_CPU: &str = "1";
const WARMUP: f64 = 0.2; // of a slice

/// A process that ends with this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself: nothing is left to do then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of this package, or one at an absolute path, bound to one processor, with its output to be read.
fn start(cpu: &str, program: &str, arguments: &[&str], hub: Option<&str>) -> io::Result<Process> {
    let path = std::env::current_exe()?.with_file_name(program);
    if !path.exists() {
        let path = path.display();
        return Err(io::Error::other(format!(
            "cannot start {path}, which is not built: docs/benchmarks.md says how"
        )));
    }
    let mut command = Command::new("taskset");
    command.args(["-c", cpu]).arg(path).args(arguments);
    if let Some(hub) = hub {
        command.env("GREEN_HUB", hub);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    sys::die_with_parent(&mut command).spawn().map(Process)
}

fn pipe<T>(end: Option<T>) -> io::Result<T> {
    end.ok_or_else(|| io::Error::other("a pipe is missing"))
}

/// A fresh server and the load generator that is connected to it.
pub struct Pair {
    // Dropped in this order: the connections close first.
    _load: Process,
    server: Process,
    requests: ChildStdin,
    reports: BufReader<ChildStdout>,
}

/// What one window cost.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    pub requests: f64,
    pub total: f64,
    seconds: f64,
    server: f64,
    client: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.requests += other.requests;
        self.total += other.total;
        self.seconds += other.seconds;
        self.server += other.server;
        self.client += other.client;
    }
}

impl Cost {
    fn each(&self) -> Sample {
        Sample {
            server: self.server / self.requests / 1000.0,
            client: self.client / self.requests / 1000.0,
            busy: self.server / self.seconds / 1e9,
        }
    }
}

/// A round's figures of one server: microseconds for each request, and the share of the time it was at work.
#[derive(Clone, Copy)]
pub struct Sample {
    pub server: f64,
    pub client: f64,
    pub busy: f64,
}

impl Pair {
    pub fn start(server: &str, case: &Case) -> io::Result<Pair> {
        let own = match server.starts_with("std") {
            true => "std-server",
            false => "echo-server",
        };
        let (name, program) = server.split_once('@').unwrap_or((server, own));
        let (kind, hub) = match name.rsplit_once('-') {
            Some((kind @ ("green" | "green-shared" | "std" | "std-shared"), hub)) => {
                (kind, Some(hub))
            }
            _ => (name, None),
        };
        let mut server = start(SERVER_CPU, program, &[kind], hub)?;
        let mut line = String::new();
        BufReader::new(pipe(server.0.stdout.take())?).read_line(&mut line)?;
        let address = line.strip_prefix("listening ").ok_or_else(|| {
            io::Error::other(format!("the server {kind} did not start, it said {line:?}"))
        })?;
        let id = server.0.id().to_string();
        let arguments = [&[address.trim(), "--server", &id], case.load].concat();
        let mut load = start(CLIENT_CPU, "echo-load", &arguments, None)?;
        let mut pair = Pair {
            requests: pipe(load.0.stdin.take())?,
            reports: BufReader::new(pipe(load.0.stdout.take())?),
            server,
            _load: load,
        };
        match pair.line()?.trim() {
            "ready" => Ok(pair),
            other => Err(io::Error::other(format!(
                "the load is not ready, it said {other:?}"
            ))),
        }
    }

    pub fn server_id(&self) -> u32 {
        self.server.0.id()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reports.read_line(&mut line)?;
        Ok(line)
    }

    /// Lets the load run once.
    pub fn slice(&mut self, seconds: f64) -> io::Result<Cost> {
        writeln!(self.requests, "{} {seconds}", seconds * WARMUP)?;
        let line = self.line()?;
        let words: Vec<_> = line.split_whitespace().collect();
        let value = |name: &str| -> io::Result<f64> {
            let at = words.iter().position(|word| *word == name);
            let value = at.and_then(|at| words.get(at + 1)?.parse().ok());
            value.ok_or_else(|| io::Error::other(format!("no {name} in the report {line:?}")))
        };
        Ok(Cost {
            requests: value("requests")?,
            total: value("total")?,
            seconds: value("seconds")?,
            server: value("server-ns")?,
            client: value("client-ns")?,
        })
    }
}

/// One sample of each server, in the order of the list.
pub fn round(
    servers: &[String],
    case: &Case,
    seconds: f64,
    round: usize,
) -> io::Result<Vec<Sample>> {
    let of = |place: usize| move |error| io::Error::other(format!("{}: {error}", servers[place]));
    let order = (0..servers.len()).map(|turn| (turn + round) % servers.len());
    let mut pairs = Vec::with_capacity(servers.len());
    for place in order {
        let pair = Pair::start(&servers[place], case).map_err(of(place))?;
        pairs.push((place, pair));
    }
    let mut costs = vec![Cost::default(); servers.len()];
    // The first lap is the warm-up of each server.
    for lap in 0..=(seconds / case.slice).ceil() as usize {
        for (place, pair) in &mut pairs {
            let cost = pair.slice(case.slice).map_err(of(*place))?;
            if lap > 0 {
                costs[*place] += cost;
            }
        }
    }
    Ok(costs.iter().map(Cost::each).collect())
}
