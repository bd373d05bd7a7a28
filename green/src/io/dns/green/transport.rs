//! One question to one name server: over UDP, and over TCP if the answer does not fit.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use green_dns::{Answer, Query, Question, Reply};
use socket2::SockRef;

use crate::net::connecting::connect_first;
use crate::net::{Direction, TcpStream, UdpSocket};
use crate::threads::future::sleep::sleep;

/// No answer over UDP is longer, as nobody is told that it may be; more is taken in all the same.
const LONGEST_DATAGRAM: usize = 4096;

/// Why a name server gave no answer. Another may.
#[derive(Debug)]
pub(super) enum Failure {
    /// This machine could not ask.
    Unasked(io::Error),
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

/// Asks `server`, and waits for its answer for at most `timeout`; once more if that must be fetched over TCP.
pub(super) async fn ask(
    server: SocketAddr,
    question: &Question,
    timeout: Duration,
) -> Result<Answer, Failure> {
    let over_udp = async {
        let (socket, query) = send(server, question).await?;
        let reply = receive(&socket, server, &query).await?;
        Ok((reply, query))
    };
    let (mut reply, query) = within(timeout, over_udp).await?;
    if let Reply::Truncated = reply {
        reply = within(timeout, over_tcp(server, &query)).await?;
    }
    match reply {
        Reply::Answer(answer) => Ok(answer),
        Reply::Failed => Err(Failure::Failed),
        Reply::Refused(what) => Err(Failure::Refused(what)),
        Reply::Garbled(what) => Err(Failure::Garbled(what)),
        Reply::Truncated => Err(Failure::Garbled("it is cut off, over TCP".to_owned())),
    }
}

/// From a new socket, and so from a port that the system draws, with a number that the system draws too: what a process
/// draws by itself, a child draws alike after a fork.
async fn send(server: SocketAddr, question: &Question) -> Result<(UdpSocket, Query), Failure> {
    let number = getrandom::u32().map_err(|error| Failure::Unasked(io::Error::other(error)))?;
    let query = question
        .query(number as u16)
        .map_err(|why| Failure::Unasked(io::Error::other(why)))?;
    let local = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(local).map_err(Failure::Unasked)?;
    // The system then passes on nothing from others, and says if nobody listens there.
    socket.connect(server).map_err(Failure::Unreachable)?;
    // At once, so that the questions of a lookup go out in their order.
    match SockRef::from(&socket).send(query.bytes()) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let sent = |cx: &mut Context<'_>| {
                socket.poll_retry(cx, Direction::Write, |socket| socket.send(query.bytes()))
            };
            poll_fn(sent).await.map_err(Failure::Unreachable)?;
        }
        Err(error) => return Err(Failure::Unreachable(error)),
        Ok(_) => {}
    }
    Ok((socket, query))
}

/// Waits for the answer. Whatever else arrives is passed over.
async fn receive(socket: &UdpSocket, server: SocketAddr, query: &Query) -> Result<Reply, Failure> {
    let mut buf = vec![0; LONGEST_DATAGRAM];
    loop {
        let received = poll_fn(|cx| {
            socket.poll_retry(cx, Direction::Read, |socket| socket.recv_from(&mut buf))
        });
        let (len, from) = received.await.map_err(Failure::Unreachable)?;
        // Before the socket was connected anybody could send to it.
        if (from.ip(), from.port()) == (server.ip(), server.port())
            && let Some(reply) = query.reply(&buf[..len])
        {
            return Ok(reply);
        }
    }
}

async fn over_tcp(server: SocketAddr, query: &Query) -> Result<Reply, Failure> {
    let answer = exchange(server, query)
        .await
        .map_err(Failure::Unreachable)?;
    let reply = query.reply(&answer);
    reply.ok_or_else(|| Failure::Garbled("it answers another question".to_owned()))
}

async fn exchange(server: SocketAddr, query: &Query) -> io::Result<Vec<u8>> {
    let stream = connect_first(&[server], None).await?;
    let len = u16::try_from(query.bytes().len()).map_err(io::Error::other)?;
    let mut message = len.to_be_bytes().to_vec();
    message.extend(query.bytes());
    let mut left = &message[..];
    while !left.is_empty() {
        let written =
            poll_fn(|cx| stream.poll_retry(cx, Direction::Write, |mut stream| stream.write(left)));
        left = &left[written.await?..];
    }
    let mut len = [0; 2];
    read_exact(&stream, &mut len).await?;
    let mut answer = vec![0; u16::from_be_bytes(len).into()];
    read_exact(&stream, &mut answer).await?;
    Ok(answer)
}

async fn read_exact(stream: &TcpStream, buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buf.len() {
        let free = &mut buf[filled..];
        let read =
            poll_fn(|cx| stream.poll_retry(cx, Direction::Read, |mut stream| stream.read(free)));
        match read.await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(())
}

/// Waits for at most `timeout`. What has come by then is still taken.
async fn within<T>(
    timeout: Duration,
    asking: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let (mut asking, mut end) = (pin!(asking), sleep(timeout));
    poll_fn(|cx| match asking.as_mut().poll(cx) {
        Poll::Pending => {
            let end = Pin::new(&mut end).poll(cx);
            end.map(|()| Err(Failure::TimedOut))
        }
        ready => ready,
    })
    .await
}
