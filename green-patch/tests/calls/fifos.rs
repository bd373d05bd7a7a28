//! The open of a FIFO waits for the other end.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

use green::Timeout;

use crate::common::{SHORT, cooperates, errno, later, patched};

/// A FIFO of this test's own, which is gone with it.
struct Fifo(PathBuf);

impl Fifo {
    fn new(name: &str) -> Fifo {
        let name = format!("green-patch-{}-{name}", std::process::id());
        let fifo = Fifo(std::env::temp_dir().join(name));
        // SAFETY: a text that ends with a zero.
        assert_eq!(unsafe { libc::mkfifo(fifo.path().as_ptr(), 0o600) }, 0);
        fifo
    }

    fn path(&self) -> CString {
        CString::new(self.0.to_str().unwrap()).unwrap()
    }

    fn writer(&self) -> std::io::Result<File> {
        OpenOptions::new().write(true).open(&self.0)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// True if the calls of the descriptor wait.
fn blocks(file: &File) -> bool {
    // SAFETY: a descriptor of this test's own.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    flags >= 0 && flags & libc::O_NONBLOCK == 0
}

#[test]
fn a_reader_waits_for_a_writer_that_says_nothing_yet() {
    patched(|| {
        let fifo = std::rc::Rc::new(Fifo::new("reader"));
        let writer = later({
            let fifo = fifo.clone();
            move || {
                let mut writer = fifo.writer().unwrap();
                green::sleep(SHORT);
                writer.write_all(b"word").unwrap();
                assert!(blocks(&writer));
            }
        });
        let (reader, took) = cooperates(|| File::open(&fifo.0).unwrap());
        assert!(took >= SHORT && blocks(&reader));
        let mut text = String::new();
        (&reader).read_to_string(&mut text).unwrap();
        assert_eq!(text, "word");
        writer.join().unwrap();
    });
}

#[test]
fn a_writer_waits_for_a_reader() {
    patched(|| {
        let fifo = std::rc::Rc::new(Fifo::new("writer"));
        let reader = later({
            let fifo = fifo.clone();
            move || std::fs::read_to_string(&fifo.0).unwrap()
        });
        let (writer, took) = cooperates(|| fifo.writer().unwrap());
        assert!(took >= SHORT);
        (&writer).write_all(b"word").unwrap();
        drop(writer);
        assert_eq!(reader.join().unwrap(), "word");
    });
}

/// Its word is there, and so is the end of the file.
#[test]
fn a_writer_that_has_come_and_gone_is_not_missed() {
    patched(|| {
        let fifo = std::rc::Rc::new(Fifo::new("gone"));
        let reader = green::spawn({
            let fifo = fifo.clone();
            move || {
                let mut text = String::new();
                File::open(&fifo.0)
                    .unwrap()
                    .read_to_string(&mut text)
                    .unwrap();
                text
            }
        });
        green::yield_now();
        let writer = fifo.writer();
        drop(writer.unwrap());
        assert_eq!(reader.join().unwrap(), "");
    });
}

#[test]
fn an_open_that_is_cut_short_leaves_nothing_behind() {
    patched(|| {
        let fifo = Fifo::new("cut");
        let path = fifo.path();
        for flags in [libc::O_RDONLY, libc::O_WRONLY] {
            let late = Timeout::new(Duration::from_millis(5)).run(|| {
                // SAFETY: a text that ends with a zero.
                assert_eq!(unsafe { libc::open(path.as_ptr(), flags) }, -1);
                assert_eq!(errno(), libc::ECANCELED);
            });
            assert!(late.is_err());
        }
        // Nobody has it open to read.
        // SAFETY: a text that ends with a zero.
        let said = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_NONBLOCK) };
        assert_eq!((said, errno()), (-1, libc::ENXIO));
    });
}
