//! A number that the hub has watched, and that was closed unseen: whatever gives it out again is waited for as what it is.
//! In a program of its own, which no other test makes descriptors in.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::{IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

unsafe extern "C" {
    /// Closes any number: within libc, which does not call its own names.
    fn mq_close(fd: RawFd) -> i32;
}

/// Watched by the hub, and then closed unseen. The next number of this process.
fn closed_unseen() -> RawFd {
    let (near, _far) = UnixStream::pair().unwrap();
    near.set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    assert!((&near).read(&mut [0]).is_err(), "it is remembered");
    let fd = near.into_raw_fd();
    // SAFETY: a number of this test's own.
    assert_eq!(unsafe { mq_close(fd) }, 0);
    fd
}

/// Writes eight bytes that say 1 there, in another greenthread and after a while.
fn written_later(fd: RawFd) -> green::GreenThread<()> {
    green::spawn(move || {
        green::sleep(Duration::from_millis(5));
        let one = 1u64.to_ne_bytes();
        // SAFETY: the bytes are there.
        assert_eq!(unsafe { libc::write(fd, one.as_ptr().cast(), 8) }, 8);
    })
}

/// What a wait gives, unless it is not served.
fn served(name: &str, wait: impl FnOnce() -> isize) -> isize {
    let said = green::Timeout::new(Duration::from_secs(20)).run(wait);
    said.unwrap_or_else(|_| panic!("{name}: what comes there is not seen"))
}

/// `give` gives out the number for something that is read once it was written to.
fn is_read(name: &str, give: impl FnOnce() -> RawFd) {
    let fd = closed_unseen();
    assert_eq!(give(), fd, "{name}");
    let writer = written_later(fd);
    let mut bytes = [0u8; 8];
    // SAFETY: there is room for eight bytes.
    let said = served(name, || unsafe {
        libc::read(fd, bytes.as_mut_ptr().cast(), 8)
    });
    assert_eq!((said, u64::from_ne_bytes(bytes)), (8, 1), "{name}");
    writer.join().unwrap();
    // SAFETY: a number of this test's own.
    unsafe { libc::close(fd) };
}

/// `give` gives out the number for an epoll.
fn is_an_epoll(name: &str, give: impl FnOnce() -> RawFd) {
    let fd = closed_unseen();
    assert_eq!(give(), fd, "{name}");
    // SAFETY: descriptors of this test's own, and events that there are.
    unsafe {
        let watched = libc::eventfd(0, 0);
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: 7,
        };
        let added = libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, watched, &mut event);
        assert_eq!(added, 0, "{name}");
        let writer = written_later(watched);
        let said = served(name, || libc::epoll_wait(fd, &mut event, 1, -1) as isize);
        assert_eq!(said, 1, "{name}");
        writer.join().unwrap();
        libc::close(watched);
        libc::close(fd);
    }
}

/// A FIFO, which is opened for both directions.
fn fifo() -> CString {
    let mut path = *b"/tmp/green-patch-given-XXXXXX\0";
    // SAFETY: names that end with a zero.
    unsafe {
        assert!(!libc::mkdtemp(path.as_mut_ptr().cast()).is_null());
        let directory = CStr::from_bytes_with_nul(&path).unwrap();
        let fifo = CString::new([directory.to_bytes(), b"/fifo"].concat()).unwrap();
        assert_eq!(libc::mkfifo(fifo.as_ptr(), 0o600), 0);
        fifo
    }
}

/// Who waits for a number hears of a close by `syscall`.
fn a_close_by_its_number_is_seen() {
    let (near, _far) = UnixStream::pair().unwrap();
    let fd = near.into_raw_fd();
    let reader = green::spawn(move || {
        let mut byte = 0u8;
        // SAFETY: there is room for a byte.
        unsafe { libc::recv(fd, (&raw mut byte).cast(), 1, 0) }
    });
    green::sleep(Duration::from_millis(5));
    // SAFETY: a number of this test's own.
    assert_eq!(unsafe { libc::syscall(libc::SYS_close, fd) }, 0);
    let said = green::Timeout::new(Duration::from_secs(20)).run(|| reader.join().unwrap());
    assert_eq!(said.ok(), Some(-1));
}

#[test]
fn whatever_gives_it_out_again_is_waited_for_as_what_it_is() {
    green_patch::monkey_patch().unwrap();
    green::yield_now();
    a_close_by_its_number_is_seen();
    let fifo = fifo();
    let (path, both) = (fifo.as_ptr(), libc::O_RDWR);
    let now = libc::AT_FDCWD;
    // SAFETY: names that end with a zero, and numbers.
    unsafe {
        is_read("open", || libc::open(path, both));
        is_read("open64", || libc::open64(path, both));
        is_read("openat", || libc::openat(now, path, both));
        is_read("openat64", || libc::openat64(now, path, both));
        is_read("eventfd", || libc::eventfd(0, 0));
        is_an_epoll("epoll_create", || libc::epoll_create(1));
        is_an_epoll("epoll_create1", || libc::epoll_create1(0));
        is_read("a system call by its number", || {
            libc::syscall(libc::SYS_eventfd2, 0, 0) as RawFd
        });
        is_an_epoll("a system call by its number", || {
            libc::syscall(libc::SYS_epoll_create1, 0) as RawFd
        });
        assert_eq!(libc::unlink(path), 0);
    }
    let directory = fifo.to_str().unwrap().trim_end_matches("/fifo");
    std::fs::remove_dir(directory).unwrap();
}
