//! Questions to one name server: over UDP, and over TCP what does not fit.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::wire::{Answer, Question, Reply, Sent};
use crate::Timeout;
use crate::net::{TcpStream, UdpSocket};
use crate::time::now;

/// No answer over UDP is longer, as nobody is told that it may be; more is taken in all the same.
const LONGEST_DATAGRAM: usize = 4096;

/// The shortest timeout that a socket takes.
const SHORTEST: Duration = Duration::from_nanos(1);

/// Why a name server gave no answer. Another may.
#[derive(Debug)]
pub(super) enum Failure {
    /// This machine could not ask.
    Unasked(String),
    TimedOut,
    /// It cannot be reached, or does not keep up the connection.
    Unreachable(io::Error),
    /// It said that it has failed.
    Failed,
    /// It will not say.
    Refused(String),
    /// What it said makes no sense.
    Garbled(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unasked(why) => write!(f, "cannot ask: {why}"),
            Failure::TimedOut => f.write_str("no answer in time"),
            Failure::Unreachable(error) => write!(f, "{error}"),
            Failure::Failed => f.write_str("the server has failed"),
            Failure::Refused(what) => write!(f, "the server will not say: {what}"),
            Failure::Garbled(what) => write!(f, "the answer makes no sense: {what}"),
        }
    }
}

/// Asks `server` all the questions at once, each from a socket of its own, and waits for each answer for at most
/// `timeout`. The results are in the order of the questions.
pub(super) fn ask(
    server: SocketAddr,
    questions: &[&Question],
    timeout: Duration,
) -> Vec<Result<Answer, Failure>> {
    let asked: Vec<_> = questions
        .iter()
        .map(|question| send(server, question))
        .collect();
    let deadline = now() + timeout;
    asked
        .into_iter()
        .map(|asked| {
            let (socket, sent) = asked?;
            let mut reply = receive(&socket, server, &sent, deadline)?;
            drop(socket);
            if let Reply::Truncated = reply {
                reply = over_tcp(server, &sent, timeout)?;
            }
            match reply {
                Reply::Answer(answer) => Ok(answer),
                Reply::Failed => Err(Failure::Failed),
                Reply::Refused(what) => Err(Failure::Refused(what)),
                Reply::Garbled(what) => Err(Failure::Garbled(what)),
                Reply::Truncated => Err(Failure::Garbled("it is cut off, over TCP".to_owned())),
            }
        })
        .collect()
}

/// From a new socket, and so from a port that the system draws.
fn send(server: SocketAddr, question: &Question) -> Result<(UdpSocket, Sent), Failure> {
    let sent = question.send().map_err(Failure::Unasked)?;
    let local = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(local).map_err(|error| Failure::Unasked(error.to_string()))?;
    // The system then passes on nothing from others, and says if nobody listens there.
    socket.connect(server).map_err(Failure::Unreachable)?;
    socket.send(&sent.bytes).map_err(Failure::Unreachable)?;
    Ok((socket, sent))
}

/// Waits for the answer. Whatever else arrives is passed over.
fn receive(
    socket: &UdpSocket,
    server: SocketAddr,
    sent: &Sent,
    deadline: Instant,
) -> Result<Reply, Failure> {
    let mut buf = [0; LONGEST_DATAGRAM];
    loop {
        let left = deadline.saturating_duration_since(now());
        socket
            .set_read_timeout(Some(left.max(SHORTEST)))
            .map_err(Failure::Unreachable)?;
        // Tries before it waits: what has come is found also if the time is up.
        let (len, from) = match socket.recv_from(&mut buf) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(Failure::TimedOut),
            Err(error) => return Err(Failure::Unreachable(error)),
        };
        // Before the socket was connected anybody could send to it.
        if (from.ip(), from.port()) == (server.ip(), server.port())
            && let Some(reply) = sent.reply(&buf[..len])
        {
            return Ok(reply);
        }
        if left.is_zero() {
            return Err(Failure::TimedOut);
        }
    }
}

fn over_tcp(server: SocketAddr, sent: &Sent, timeout: Duration) -> Result<Reply, Failure> {
    let answer = Timeout::new(timeout).run(|| {
        let mut stream = TcpStream::connect_timeout(server, timeout)?;
        // The whole of it has a deadline; the thread's default is for other sockets.
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(None)?;
        let len = u16::try_from(sent.bytes.len()).map_err(io::Error::other)?;
        let mut message = len.to_be_bytes().to_vec();
        message.extend(&sent.bytes);
        stream.write_all(&message)?;
        let mut len = [0; 2];
        stream.read_exact(&mut len)?;
        let mut answer = vec![0; u16::from_be_bytes(len).into()];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    });
    match answer {
        Err(_) => Err(Failure::TimedOut),
        Ok(Err(error)) if crate::is_timeout(&error) => Err(Failure::TimedOut),
        Ok(Err(error)) => Err(Failure::Unreachable(error)),
        Ok(Ok(answer)) => sent
            .reply(&answer)
            .ok_or_else(|| Failure::Garbled("it answers another question".to_owned())),
    }
}
