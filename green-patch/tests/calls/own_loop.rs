//! Code with an event loop of its own, whose wait is cut short.

use std::io::Read;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use green::Timeout;

use crate::common::{SHORT, patched, tcp_pair};

fn epoll_of(fd: RawFd) -> OwnedFd {
    // SAFETY: makes a descriptor.
    let epoll = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(0)) };
    let mut event = libc::epoll_event {
        events: (libc::EPOLLIN | libc::EPOLLET) as u32,
        u64: 7,
    };
    // SAFETY: an event on this stack.
    let said = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) };
    assert_eq!(said, 0);
    epoll
}

/// How many events there were, or the number of the error.
fn wait(epoll: &OwnedFd) -> Result<i32, Option<i32>> {
    let mut found = [libc::epoll_event { events: 0, u64: 0 }; 4];
    // SAFETY: room for so many events.
    let count = unsafe { libc::epoll_wait(epoll.as_raw_fd(), found.as_mut_ptr(), 4, -1) };
    match count {
        -1 => Err(std::io::Error::last_os_error().raw_os_error()),
        count => Ok(count),
    }
}

/// As crates do that block on tokio: it must not see an error of its wait.
#[test]
fn its_connections_end() {
    patched(|| {
        let (near, far): (TcpStream, TcpStream) = tcp_pair();
        near.set_nonblocking(true).unwrap();
        let epoll = epoll_of(near.as_raw_fd());
        let mut seen = None;
        let late = Timeout::new(SHORT).run(|| {
            let count = wait(&epoll);
            seen = Some((count, (&near).read(&mut [0; 8]).unwrap()));
        });
        assert!(late.is_err());
        assert_eq!(seen, Some((Ok(1), 0)), "an event, and the end");
        assert_eq!((&far).read(&mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn without_a_connection_it_is_canceled() {
    patched(|| {
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let epoll = epoll_of(near.as_raw_fd());
        let mut seen = None;
        let late = Timeout::new(SHORT).run(|| seen = Some(wait(&epoll)));
        assert!(late.is_err());
        assert_eq!(seen, Some(Err(Some(libc::ECANCELED))));
        near.set_nonblocking(true).unwrap();
        let error = (&near).read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "it lives");
    });
}
