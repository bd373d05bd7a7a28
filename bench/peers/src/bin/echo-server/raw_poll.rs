//! The floor of the poll hub: one poll loop over a dense array.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};

use libc::{POLLIN, POLLOUT, pollfd};
use peers::sys;

use crate::raw::{Connection, Next};

pub fn serve(listener: TcpListener) -> io::Result<()> {
    let entry = |fd| pollfd {
        fd,
        events: POLLIN,
        revents: 0,
    };
    // entries[0] is the listener; entries[i + 1] belongs to connections[i].
    let mut entries = vec![entry(listener.as_raw_fd())];
    let mut connections: Vec<Connection> = Vec::new();
    let mut buffer = vec![0; crate::BUFFER];
    loop {
        let mut ready = sys::poll(&mut entries)?;
        // From the end, so that the entry which replaces a removed one has been looked at.
        for at in (1..entries.len()).rev() {
            if ready == 0 {
                break;
            }
            if entries[at].revents == 0 {
                continue;
            }
            ready -= 1;
            match connections[at - 1].echo(&mut buffer, false) {
                Next::Read => entries[at].events = POLLIN,
                Next::Write => entries[at].events = POLLOUT,
                Next::Close => {
                    entries.swap_remove(at);
                    connections.swap_remove(at - 1);
                }
            }
        }
        if entries[0].revents != 0 {
            while let Some(connection) = Connection::accept(listener.as_fd())? {
                entries.push(entry(connection.fd().as_raw_fd()));
                connections.push(connection);
            }
        }
    }
}
