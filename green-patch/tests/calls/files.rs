use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::common::{SHORT, cooperates, errno, later, patched};

fn pipe() -> (io::PipeReader, io::PipeWriter) {
    io::pipe().unwrap()
}

#[test]
fn a_pipe_is_waited_for() {
    patched(|| {
        let (mut near, mut far) = pipe();
        let writer = later(move || far.write_all(b"word").unwrap());
        let mut buf = [0; 16];
        let (read, took) = cooperates(|| near.read(&mut buf).unwrap());
        assert_eq!(&buf[..read], b"word");
        assert!(took >= SHORT);
        writer.join().unwrap();
        assert_eq!(near.read(&mut buf).unwrap(), 0);
    });
}

#[test]
fn a_write_into_a_pipe_goes_on_until_all_is_written() {
    patched(|| {
        for vectored in [false, true] {
            let (mut near, mut far) = pipe();
            let bytes: Vec<u8> = (0..1_000_000).map(|at| at as u8).collect();
            let reader = later(move || {
                let mut all = Vec::new();
                near.read_to_end(&mut all).unwrap();
                all
            });
            let (written, _) = cooperates(|| match vectored {
                false => far.write(&bytes).unwrap(),
                true => {
                    let parts: Vec<_> = bytes.chunks(70_000).map(IoSlice::new).collect();
                    far.write_vectored(&parts).unwrap()
                }
            });
            assert_eq!(written, bytes.len());
            drop(far);
            assert!(reader.join().unwrap() == bytes);
        }
    });
}

#[test]
fn a_small_write_into_a_pipe_is_one_piece() {
    patched(|| {
        let (mut near, far) = pipe();
        let writers: Vec<_> = (0..4u8)
            .map(|id| {
                let mut far = far.try_clone().unwrap();
                green::spawn(move || {
                    (0..200).for_each(|_| assert_eq!(far.write(&[id; 1000]).unwrap(), 1000))
                })
            })
            .collect();
        drop(far);
        let mut piece = [0; 1000];
        for _ in 0..800 {
            near.read_exact(&mut piece).unwrap();
            assert!(
                piece.iter().all(|byte| *byte == piece[0]),
                "pieces are mixed"
            );
        }
        green::joinall(&writers);
        assert_eq!(near.read(&mut piece).unwrap(), 0);
    });
}

#[test]
fn several_buffers_are_filled_by_one_call() {
    patched(|| {
        let (mut near, mut far) = pipe();
        let writer = later(move || far.write_all(b"abcdef").unwrap());
        let (mut a, mut b) = ([0; 4], [0; 4]);
        let (read, _) = cooperates(|| {
            near.read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)])
                .unwrap()
        });
        assert_eq!((read, &a, &b[..2]), (6, b"abcd", &b"ef"[..]));
        writer.join().unwrap();
    });
}

#[test]
fn who_writes_into_a_pipe_that_nobody_reads_hears_of_it() {
    patched(|| {
        let (near, mut far) = pipe();
        drop(near);
        // std has the signal ignored.
        assert_eq!(
            far.write(b"x").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    });
}

#[test]
fn an_eventfd_is_waited_for() {
    patched(|| {
        // SAFETY: makes a descriptor.
        let event = File::from(unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, 0)) });
        let mut same = event.try_clone().unwrap();
        let writer = later(move || same.write_all(&7u64.to_ne_bytes()).unwrap());
        let mut word = [0; 8];
        let (read, _) = cooperates(|| (&event).read(&mut word).unwrap());
        assert_eq!((read, u64::from_ne_bytes(word)), (8, 7));
        writer.join().unwrap();
    });
}

#[test]
fn a_terminal_is_waited_for() {
    patched(|| {
        let (mut near, mut far) = (0, 0);
        let (name, modes, size) = (std::ptr::null_mut(), std::ptr::null(), std::ptr::null());
        // SAFETY: room for two numbers.
        let made = unsafe { libc::openpty(&mut near, &mut far, name, modes, size) };
        assert_eq!(made, 0);
        // SAFETY: they were just made.
        let (mut near, mut far) = unsafe { (File::from_raw_fd(near), File::from_raw_fd(far)) };
        let writer = later(move || {
            near.write_all(b"line\n").unwrap();
            near
        });
        let mut buf = [0; 16];
        let (read, _) = cooperates(|| far.read(&mut buf).unwrap());
        assert_eq!(&buf[..read], b"line\n");
        drop(writer.join().unwrap());
    });
}

#[test]
fn a_regular_file_is_as_ever() {
    patched(|| {
        let name = format!("/tmp/green-patch-{}-file", std::process::id());
        fs::write(&name, b"text").unwrap();
        assert_eq!(fs::read_to_string(&name).unwrap(), "text");
        let file = File::open(&name).unwrap();
        assert_eq!((&file).read(&mut [0; 8]).unwrap(), 4);
        assert_eq!((&file).read(&mut [0; 8]).unwrap(), 0);
        fs::remove_file(&name).unwrap();
    });
}

#[test]
fn a_length_of_zero_is_no_wait() {
    patched(|| {
        let (mut near, mut far) = pipe();
        assert_eq!(near.read(&mut []).unwrap(), 0);
        assert_eq!(far.write(&[]).unwrap(), 0);
    });
}

#[test]
fn a_number_that_is_not_open_is_an_error_as_ever() {
    patched(|| {
        let mut byte = 0u8;
        for fd in [-1, 1_000_000] {
            // SAFETY: room for one byte.
            let said = unsafe { libc::read(fd, (&raw mut byte).cast(), 1) };
            assert_eq!((said, errno()), (-1, libc::EBADF));
            // SAFETY: room for one byte.
            let said = unsafe { libc::recv(fd, (&raw mut byte).cast(), 1, 0) };
            assert_eq!((said, errno()), (-1, libc::EBADF));
        }
    });
}

#[test]
fn bytes_are_spliced_and_sent_from_files() {
    patched(|| {
        let name = format!("/tmp/green-patch-{}-send", std::process::id());
        let bytes = vec![5; 24 << 20];
        fs::write(&name, &bytes).unwrap();
        let file = File::open(&name).unwrap();
        let (near, mut far) = crate::common::tcp_pair();
        let reader = later(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        let mut left = bytes.len();
        let ((), _) = cooperates(|| {
            while left > 0 {
                let none = std::ptr::null_mut();
                // SAFETY: descriptors that are open.
                let said =
                    unsafe { libc::sendfile(near.as_raw_fd(), file.as_raw_fd(), none, left) };
                left -= usize::try_from(said).unwrap();
            }
        });
        drop(near);
        assert!(reader.join().unwrap() == bytes);
        fs::remove_file(&name).unwrap();

        let ((from, mut to_from), (mut from_to, to)) = (pipe(), pipe());
        let writer = later(move || to_from.write_all(b"through").unwrap());
        let none = || std::ptr::null_mut();
        // SAFETY: descriptors that are open.
        let splice =
            || unsafe { libc::splice(from.as_raw_fd(), none(), to.as_raw_fd(), none(), 100, 0) };
        assert_eq!(cooperates(splice).0, 7);
        let mut buf = [0; 16];
        assert_eq!(from_to.read(&mut buf).unwrap(), 7);
        writer.join().unwrap();
        assert_eq!(splice(), 0, "the end");
    });
}
