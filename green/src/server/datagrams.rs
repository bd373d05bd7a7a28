//! Datagrams as connections of one message.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::Listener;
use crate::net::UdpSocket;

/// The longest that UDP can carry.
const LONGEST: usize = 65_535;

/// The datagrams that come to a socket, each as one "connection" for [`serve`](super::serve) or a
/// [`StreamServer`](super::StreamServer): gevent's `DatagramServer`.
///
/// The handlers answer through the socket.
///
/// ```
/// use std::rc::Rc;
/// use green::net::UdpSocket;
/// use green::server::{Datagrams, StreamServer};
///
/// let socket = Rc::new(UdpSocket::bind("127.0.0.1:0")?);
/// let address = socket.local_addr()?;
/// let answers = Rc::clone(&socket);
/// let server = StreamServer::new(Datagrams::new(socket), move |data: Vec<u8>, peer| {
///     answers.send_to(&data.to_ascii_uppercase(), peer).map(drop)
/// });
/// server.start();
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"hello", address)?;
/// let mut buf = [0; 5];
/// client.recv(&mut buf)?;
/// assert_eq!(&buf, b"HELLO");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Datagrams {
    socket: Rc<UdpSocket>,
    /// Filled without a wait: nobody else runs meanwhile.
    buffer: RefCell<Box<[u8]>>,
}

impl Datagrams {
    /// The datagrams of `socket`, which nobody else should receive from.
    pub fn new(socket: Rc<UdpSocket>) -> Datagrams {
        Datagrams {
            socket,
            buffer: RefCell::new(vec![0; LONGEST].into()),
        }
    }
}

impl Listener for Datagrams {
    type Stream = Vec<u8>;
    type Addr = SocketAddr;

    fn accept(&self) -> io::Result<(Vec<u8>, SocketAddr)> {
        loop {
            self.socket.readable()?;
            let mut buffer = self.buffer.borrow_mut();
            match self.socket.try_recv_from(&mut buffer) {
                Ok((len, peer)) => return Ok((buffer[..len].to_vec(), peer)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn close(&self) {
        self.socket.close();
    }
}
