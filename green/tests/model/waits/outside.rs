//! Waits that something outside the thread would end.

use std::io::Read;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use green::net::{TcpListener, UdpSocket, UnixStream};
use green::process::{Child, Command};
use green::signal::Signals;
use green::tpool::ThreadPool;

use super::{Entry, Wait};

pub(super) const ALL: &[Entry] = &[
    ("read", read, 60),
    ("write", write, 30),
    ("accept", accept, 60),
    ("receive", receive, 60),
    ("a peer that hung up elsewhere", hung_up, 30),
    ("select", select, 60),
    ("a job of a thread", job, 30),
    ("a process", process, 9),
    ("a signal", signal, 60),
];

const LONG: Duration = Duration::from_secs(600);

fn read() -> Wait {
    Rc::new(|| {
        let (mut near, _far) = UnixStream::pair().unwrap();
        drop(near.read(&mut [0]));
    })
}

fn write() -> Wait {
    Rc::new(|| {
        let (mut near, _far) = UnixStream::pair().unwrap();
        let piece = [0; 64 * 1024];
        while std::io::Write::write(&mut near, &piece).is_ok() {}
    })
}

fn accept() -> Wait {
    Rc::new(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        drop(listener.accept());
    })
}

fn receive() -> Wait {
    Rc::new(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        drop(socket.recv_from(&mut [0]));
    })
}

/// A registered descriptor that nobody waits for, and whose other end is gone.
fn hung_up() -> Wait {
    Rc::new(|| {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.set_read_timeout(Some(Duration::from_micros(1)))
            .unwrap();
        assert!(near.read(&mut [0]).is_err());
        drop(far);
        green::sleep(LONG);
    })
}

fn select() -> Wait {
    Rc::new(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        drop(green::select::select(&[near.as_fd()], &[], None));
    })
}

/// Threads whose jobs end when it is dropped.
struct Jobs {
    pool: ThreadPool,
    end: Option<Sender<()>>,
    ended: Arc<Mutex<Receiver<()>>>,
}

impl Drop for Jobs {
    fn drop(&mut self) {
        drop(self.end.take());
        assert!(self.pool.killall(None));
    }
}

fn job() -> Wait {
    let (end, ended) = channel();
    let jobs = Jobs {
        pool: ThreadPool::new(2),
        end: Some(end),
        ended: Arc::new(Mutex::new(ended)),
    };
    Rc::new(move || {
        let ended = Arc::clone(&jobs.ended);
        drop(
            jobs.pool
                .execute(move || drop(ended.lock().map(|ended| ended.recv()))),
        );
    })
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _gone = self.0.kill().and_then(|()| self.0.try_wait());
    }
}

fn process() -> Wait {
    Rc::new(|| {
        let mut child = Killed(Command::new("sleep").arg("600").spawn().unwrap());
        drop(child.0.wait());
    })
}

fn signal() -> Wait {
    Rc::new(|| {
        let signals = Signals::new([libc::SIGUSR2]).unwrap();
        drop(signals.wait());
    })
}
