//! The floor: one epoll loop, edge-triggered, each connection registered once.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};

use libc::{
    EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP,
};
use peers::sys;

use crate::raw::{Connection, Connections, Next};

const READ: i32 = EPOLLIN | EPOLLRDHUP | EPOLLET;
const HUNG_UP: u32 = (EPOLLRDHUP | EPOLLHUP | EPOLLERR) as u32;

pub fn serve(listener: TcpListener) -> io::Result<()> {
    let epoll = sys::epoll_create()?;
    let listening = listener.as_raw_fd() as u64;
    sys::epoll_ctl(
        epoll.as_fd(),
        EPOLL_CTL_ADD,
        listener.as_fd(),
        EPOLLIN,
        listening,
    )?;
    let mut connections = Connections::default();
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0; crate::BUFFER];
    loop {
        sys::epoll_wait(epoll.as_fd(), &mut events, -1)?;
        for event in &events {
            let number = event.u64;
            if number == listening {
                while let Some(connection) = Connection::accept(listener.as_fd())? {
                    let number = connection.fd().as_raw_fd() as u64;
                    sys::epoll_ctl(epoll.as_fd(), EPOLL_CTL_ADD, connection.fd(), READ, number)?;
                    connections.insert(number as usize, connection);
                }
                continue;
            }
            let Some(connection) = connections.get(number as usize) else {
                continue;
            };
            match connection.echo(&mut buffer, event.events & HUNG_UP != 0) {
                Next::Read => {}
                Next::Write => {
                    let both = READ | EPOLLOUT;
                    sys::epoll_ctl(epoll.as_fd(), EPOLL_CTL_MOD, connection.fd(), both, number)?;
                }
                Next::Close => connections.remove(number as usize),
            }
        }
    }
}
