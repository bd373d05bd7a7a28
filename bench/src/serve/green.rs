//! In greenthreads: one for each connection, in plain blocking style.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net;
use std::rc::Rc;

use green::net::{TcpListener, TcpStream, UdpSocket};
use hub_core::Hub;

use super::{BUFFER, answer};
use crate::meter::Meter;
use crate::workload::use_hub;

pub(super) fn tcp(hub: Box<dyn Hub>, listener: net::TcpListener) -> io::Result<()> {
    use_hub(hub)?;
    let listener = TcpListener::from(listener);
    let meter = Rc::new(RefCell::new(Meter::new()));
    loop {
        let (stream, _) = listener.accept()?;
        let meter = meter.clone();
        // An error is the end of the connection.
        green::spawn_n(move || drop(echo(stream, &meter)));
    }
}

fn echo(mut stream: TcpStream, meter: &RefCell<Meter>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; BUFFER];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => {
                answer(&mut meter.borrow_mut(), &mut buffer[..count]);
                stream.write_all(&buffer[..count])?;
            }
        }
    }
}

pub(super) fn udp(hub: Box<dyn Hub>, socket: net::UdpSocket) -> io::Result<()> {
    use_hub(hub)?;
    let socket = UdpSocket::from(socket);
    let (mut meter, mut buffer) = (Meter::new(), [0; BUFFER]);
    loop {
        let (count, peer) = socket.recv_from(&mut buffer)?;
        answer(&mut meter, &mut buffer[..count]);
        socket.send_to(&buffer[..count], peer)?;
    }
}
