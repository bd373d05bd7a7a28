//! The floor of the select hub: one select loop over bit sets that grow past FD_SETSIZE, as Linux allows.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};

use peers::sys;

use crate::raw::{Connection, Connections, Next};

/// A bit for each descriptor number.
#[derive(Default)]
struct Set(Vec<u64>);

impl Set {
    fn put(&mut self, number: usize, on: bool) {
        if self.0.len() <= number / 64 {
            self.0.resize(number / 64 + 1, 0);
        }
        let bit = 1 << (number % 64);
        if on {
            self.0[number / 64] |= bit;
        } else {
            self.0[number / 64] &= !bit;
        }
    }
}

pub fn serve(listener: TcpListener) -> io::Result<()> {
    let listening = listener.as_raw_fd() as usize;
    let (mut reading, mut writing) = (Set::default(), Set::default());
    let (mut readable, mut writable) = (Vec::new(), Vec::new());
    reading.put(listening, true);
    writing.put(listening, false);
    let mut connections = Connections::default();
    let mut buffer = vec![0; crate::BUFFER];
    loop {
        readable.clone_from(&reading.0);
        writable.clone_from(&writing.0);
        sys::select(readable.len() * 64, &mut readable, &mut writable)?;
        for word in 0..readable.len() {
            let mut bits = readable[word] | writable[word];
            while bits != 0 {
                let number = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if number == listening {
                    while let Some(connection) = Connection::accept(listener.as_fd())? {
                        let number = connection.fd().as_raw_fd() as usize;
                        reading.put(number, true);
                        writing.put(number, false);
                        connections.insert(number, connection);
                    }
                    continue;
                }
                let Some(connection) = connections.get(number) else {
                    continue;
                };
                let next = connection.echo(&mut buffer, false);
                reading.put(number, next == Next::Read);
                writing.put(number, next == Next::Write);
                if next == Next::Close {
                    connections.remove(number);
                }
            }
        }
    }
}
