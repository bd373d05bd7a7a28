use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::Instant;

use libc::{fd_set, pollfd, timespec, timeval};

use crate::common::{SHORT, cooperates, later, patched, tcp_pair};

unsafe extern "C" {
    fn epoll_pwait2(
        fd: i32,
        events: *mut libc::epoll_event,
        most: i32,
        time: *const timespec,
        mask: *const libc::sigset_t,
    ) -> i32;
}

fn wanted(fd: RawFd, events: i16) -> pollfd {
    pollfd {
        fd,
        events,
        revents: 0,
    }
}

fn poll(fds: &mut [pollfd], timeout: i32) -> i32 {
    // SAFETY: they are there.
    unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as _, timeout) }
}

#[test]
fn a_poll_waits_for_one_and_for_several() {
    patched(|| {
        for count in [1, 2, 5] {
            let pairs: Vec<_> = (0..count).map(|_| UnixStream::pair().unwrap()).collect();
            let mut fds: Vec<_> = pairs
                .iter()
                .map(|(near, _)| wanted(near.as_raw_fd(), libc::POLLIN))
                .collect();
            let mut last = pairs[count - 1].1.try_clone().unwrap();
            let writer = later(move || last.write_all(b"x").unwrap());
            let (ready, took) = cooperates(|| poll(&mut fds, -1));
            assert_eq!(ready, 1);
            assert!(took >= SHORT);
            assert_eq!(fds[count - 1].revents, libc::POLLIN);
            writer.join().unwrap();
            // What is ready is ready at once, and again.
            assert_eq!((poll(&mut fds, -1), poll(&mut fds, 0)), (1, 1));
        }
    });
}

#[test]
fn a_poll_is_over_when_its_time_is() {
    patched(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        let (other, _end) = UnixStream::pair().unwrap();
        for fds in [
            &mut [][..],
            &mut [wanted(near.as_raw_fd(), libc::POLLIN)],
            &mut [
                wanted(near.as_raw_fd(), libc::POLLIN),
                wanted(other.as_raw_fd(), libc::POLLIN),
            ],
            &mut [wanted(-1, libc::POLLIN)],
        ] {
            let (ready, took) = cooperates(|| poll(fds, 20));
            assert_eq!(ready, 0);
            assert!(took >= SHORT);
        }
    });
}

#[test]
fn a_poll_without_a_timeout_never_switches() {
    patched(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        let other = green::spawn(|| ());
        for _ in 0..1000 {
            assert_eq!(poll(&mut [wanted(near.as_raw_fd(), libc::POLLIN)], 0), 0);
        }
        assert!(!other.is_dead());
    });
}

#[test]
fn a_poll_for_nothing_but_the_end_does_not_mind_what_can_be_read() {
    patched(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"x").unwrap();
        let closer = later(move || drop(far));
        let mut fds = [wanted(near.as_raw_fd(), 0)];
        let (ready, took) = cooperates(|| poll(&mut fds, -1));
        assert_eq!((ready, fds[0].revents), (1, libc::POLLHUP));
        assert!(took >= SHORT);
        closer.join().unwrap();
    });
}

#[test]
fn a_poll_waits_for_room() {
    patched(|| {
        let (near, mut far) = tcp_pair();
        near.set_nonblocking(true).unwrap();
        while (&near).write(&[0; 65536]).is_ok() {}
        let reader = later(move || {
            let mut buf = vec![0; 1 << 20];
            for _ in 0..8 {
                let _ = far.read(&mut buf);
            }
            far
        });
        let mut fds = [wanted(near.as_raw_fd(), libc::POLLOUT)];
        let (ready, _) = cooperates(|| poll(&mut fds, -1));
        assert_eq!((ready, fds[0].revents), (1, libc::POLLOUT));
        drop(near);
        drop(reader);
    });
}

#[test]
fn one_poll_for_both_directions() {
    patched(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        while (&near).write(&[0; 65536]).is_ok() {}
        let writer = later(move || {
            far.write_all(b"x").unwrap();
            far
        });
        let mut fds = [wanted(near.as_raw_fd(), libc::POLLIN | libc::POLLOUT)];
        let (ready, _) = cooperates(|| poll(&mut fds, -1));
        assert_eq!((ready, fds[0].revents), (1, libc::POLLIN));
        drop(writer.join().unwrap());
    });
}

#[test]
fn ppoll_lets_the_signals_of_its_mask_through() {
    extern "C" fn note(_: i32) {}
    patched(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        let mut fds = [wanted(near.as_raw_fd(), libc::POLLIN)];
        let time = timespec {
            tv_sec: 60,
            tv_nsec: 0,
        };
        // SAFETY: sets of signals on this stack, and a handler that does nothing.
        unsafe {
            let mut blocked: libc::sigset_t = std::mem::zeroed();
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigemptyset(&mut blocked);
            libc::sigaddset(&mut blocked, libc::SIGUSR2);
            libc::signal(libc::SIGUSR2, note as *const () as usize);
            libc::pthread_sigmask(libc::SIG_BLOCK, &blocked, ptr::null_mut());
            let thread = libc::pthread_self();
            let sender = later(move || assert_eq!(libc::pthread_kill(thread, libc::SIGUSR2), 0));
            let (said, _) = cooperates(|| libc::ppoll(fds.as_mut_ptr(), 1, &time, &none));
            assert_eq!((said, crate::common::errno()), (-1, libc::EINTR));
            sender.join().unwrap();
            let none: *const libc::sigset_t = ptr::null();
            let short = timespec {
                tv_sec: 0,
                tv_nsec: 20_000_000,
            };
            assert_eq!(
                cooperates(|| libc::ppoll(fds.as_mut_ptr(), 1, &short, none)).0,
                0
            );
        }
    });
}

#[test]
fn a_select_waits_and_says_what_is_left() {
    patched(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let fd = near.as_raw_fd();
        let writer = later(move || far.write_all(b"x").unwrap());
        // SAFETY: sets and times on this stack.
        unsafe {
            let mut read: fd_set = std::mem::zeroed();
            libc::FD_SET(fd, &mut read);
            let mut time = timeval {
                tv_sec: 60,
                tv_usec: 0,
            };
            let (ready, _) = cooperates(|| {
                libc::select(
                    fd + 1,
                    &mut read,
                    ptr::null_mut(),
                    ptr::null_mut(),
                    &mut time,
                )
            });
            assert!(ready == 1 && libc::FD_ISSET(fd, &read));
            assert!(time.tv_sec == 59 && time.tv_usec > 0);
            writer.join().unwrap();
            assert_eq!((&near).read(&mut [0; 8]).unwrap(), 1);

            let (other, _end) = UnixStream::pair().unwrap();
            let fd = other.as_raw_fd();
            let mut read: fd_set = std::mem::zeroed();
            libc::FD_SET(fd, &mut read);
            let time = timespec {
                tv_sec: 0,
                tv_nsec: 20_000_000,
            };
            let start = Instant::now();
            let (none, mask) = (ptr::null_mut(), ptr::null());
            let (ready, _) =
                cooperates(|| libc::pselect(fd + 1, &mut read, none, none, &time, mask));
            assert!(ready == 0 && !libc::FD_ISSET(fd, &read));
            assert!(start.elapsed() >= SHORT);
            let mut time = timeval {
                tv_sec: 0,
                tv_usec: 20_000,
            };
            assert_eq!(
                cooperates(|| libc::select(0, none, none, none, &mut time)).0,
                0
            );
        }
    });
}

#[test]
fn an_epoll_is_waited_for() {
    patched(|| {
        // SAFETY: makes a descriptor.
        let epoll = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(0)) };
        let (near, far) = UnixStream::pair().unwrap();
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: 7,
        };
        // SAFETY: an event on this stack.
        unsafe {
            libc::epoll_ctl(
                epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                near.as_raw_fd(),
                &mut event,
            )
        };
        let mut found = [libc::epoll_event { events: 0, u64: 0 }; 4];
        let at = found.as_mut_ptr();
        let time = timespec {
            tv_sec: 60,
            tv_nsec: 0,
        };
        for way in 0..3 {
            let mut far = far.try_clone().unwrap();
            let writer = later(move || far.write_all(b"x").unwrap());
            // SAFETY: room for so many events.
            let wait = |timeout| unsafe {
                let fd = epoll.as_raw_fd();
                match way {
                    0 => libc::epoll_wait(fd, at, 4, timeout),
                    1 => libc::epoll_pwait(fd, at, 4, timeout, ptr::null()),
                    _ if timeout < 0 => epoll_pwait2(fd, at, 4, &time, ptr::null()),
                    _ => libc::epoll_wait(fd, at, 4, timeout),
                }
            };
            let (count, took) = cooperates(|| wait(-1));
            assert_eq!(count, 1, "way {way}");
            assert!(took >= SHORT);
            writer.join().unwrap();
            assert_eq!(wait(0), 1, "it is a level");
            assert_eq!((&near).read(&mut [0; 8]).unwrap(), 1);
            assert_eq!(wait(0), 0);
            assert_eq!(cooperates(|| wait(20)).0, 0);
        }
    });
}
