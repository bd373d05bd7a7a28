//! A server in another process, measured by the load that this one makes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::{Job, Sample, Task, churn, echo, idle, pairs, udp};
use crate::load::{self, Load, Tally};
use crate::meter::{Reading, thread_time};
use crate::serve::{MARK, MARK_SIZE, reading};

/// The size of every message in bytes.
pub(super) const MESSAGE: usize = 64;

/// How long a server may take to answer a mark.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to a server and measures it. It takes at most until `deadline`; what `stop` cuts short is no sample.
pub(crate) fn measure(
    job: &Job,
    address: SocketAddr,
    deadline: Instant,
    stop: &dyn Fn() -> bool,
) -> io::Result<Sample> {
    let size = job.case.size;
    let (mut load, active): (Box<dyn Load>, usize) = match job.case.task {
        Task::Idle => (Box::new(idle::load(address, size)?), echo::ACTIVE),
        Task::Churn => (Box::new(churn::load(address, size)?), size),
        Task::Udp => (Box::new(udp::load(address, size)?), size),
        _ => (Box::new(echo::load(address, size)?), size),
    };
    let mut marker = match job.case.task {
        Task::Udp => Marker::datagrams(address)?,
        _ => Marker::stream(address)?,
    };
    let mut warmup = Tally::new(active);
    load::drive(&mut *load, &mut warmup, job.warmup, deadline, stop)?;
    let mut tally = Tally::with_latency(active);
    let before = marker.read()?;
    let (began, client) = (Instant::now(), thread_time());
    let answers = load::drive(&mut *load, &mut tally, job.window, deadline, stop)?;
    let (seconds, client) = (began.elapsed().as_secs_f64(), thread_time() - client);
    let after = marker.read()?;
    if stop() {
        return Err(ErrorKind::Interrupted.into());
    }
    let used = |last: Option<u64>, first: Option<u64>| Some(last?.saturating_sub(first?));
    let client = client.saturating_sub(tally.waited());
    Ok(Sample {
        operation: job.case.task.name().into(),
        operations: answers,
        seconds,
        cpu_ns: after.cpu_ns.saturating_sub(before.cpu_ns),
        syscalls: used(after.syscalls, before.syscalls),
        resident: after.resident,
        client_ns: Some(client.as_nanos() as u64),
        latency: tally.latency().map_or_else(Vec::new, pairs),
    })
}

/// Asks the server what it has used, on a connection of its own.
enum Marker {
    Stream(TcpStream),
    Datagrams(UdpSocket),
}

impl Marker {
    fn stream(address: SocketAddr) -> io::Result<Marker> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Marker::Stream(stream))
    }

    fn datagrams(address: SocketAddr) -> io::Result<Marker> {
        let socket = UdpSocket::bind((address.ip(), 0))?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Marker::Datagrams(socket))
    }

    fn read(&mut self) -> io::Result<Reading> {
        let mut message = [0; MARK_SIZE];
        message[..MARK.len()].copy_from_slice(&MARK);
        let read = match self {
            Marker::Stream(stream) => stream
                .write_all(&message)
                .and_then(|()| stream.read_exact(&mut message)),
            Marker::Datagrams(socket) => socket
                .send(&message)
                .and_then(|_| socket.recv(&mut message))
                .map(drop),
        };
        read.map_err(|error| {
            let what = format!("the server does not say what it has used: {error}");
            io::Error::new(error.kind(), what)
        })?;
        Ok(reading(&message))
    }
}
