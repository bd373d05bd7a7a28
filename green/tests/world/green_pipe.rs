//! Descriptors and files with Python's modes.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;

use green::os::GreenPipe;
use green::raw_os_error;

use crate::common::bounded;
use crate::common::place::Place;

fn text(pipe: &mut GreenPipe) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn files_are_opened_as_python_does() {
    bounded(|| {
        let place = Place::new("modes");
        let path = place.at("file");
        let missing = GreenPipe::open(&path, "r").unwrap_err();
        assert_eq!(raw_os_error(&missing), Some(libc::ENOENT));
        assert!(missing.to_string().contains("file"), "{missing}");
        GreenPipe::open(&path, "x")
            .unwrap()
            .write_all(b"one\n")
            .unwrap();
        assert!(GreenPipe::open(&path, "xb").is_err());
        GreenPipe::open(&path, "ab")
            .unwrap()
            .write_all(b"two\n")
            .unwrap();
        assert_eq!(
            text(&mut GreenPipe::open(&path, "rt").unwrap()),
            "one\ntwo\n"
        );
        assert!(GreenPipe::open(&path, "r").unwrap().write(b"x").is_err());
        assert!(GreenPipe::open(&path, "a").unwrap().read(&mut [0]).is_err());
        let mut both = GreenPipe::open(&path, "r+").unwrap();
        let mut line = String::new();
        both.read_line(&mut line).unwrap();
        // What was read ahead does not count.
        assert_eq!(
            (line.as_str(), both.stream_position().unwrap()),
            ("one\n", 4)
        );
        both.write_all(b"TWO").unwrap();
        assert_eq!(text(&mut both), "\n");
        assert_eq!(both.seek(SeekFrom::Start(4)).unwrap(), 4);
        assert_eq!(both.truncate().unwrap(), 4);
        both.rewind().unwrap();
        assert_eq!(text(&mut both), "one\n");
        // Emptied.
        assert_eq!(text(&mut GreenPipe::open(&path, "w+").unwrap()), "");
        for mode in ["", "q", "rw", "r++", "rbt", "+"] {
            let error = GreenPipe::open(&path, mode).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{mode:?}");
        }
    });
}

#[test]
fn a_descriptor_must_be_open_for_the_mode() {
    bounded(|| {
        let (reader, writer) = io::pipe().unwrap();
        let wrong = GreenPipe::fdopen(reader.try_clone().unwrap(), "w").unwrap_err();
        assert_eq!(wrong.kind(), io::ErrorKind::InvalidInput);
        assert!(GreenPipe::fdopen(writer.try_clone().unwrap(), "r+").is_err());
        let mut reader = GreenPipe::fdopen(reader, "r").unwrap();
        let error = reader.seek(SeekFrom::Start(0)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESPIPE));
        assert!(GreenPipe::fdopen(writer, "w").unwrap().truncate().is_err());
        // Its only writer was dropped, and closed by that.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn a_regular_file_by_descriptor_is_appended_to_and_not_emptied() {
    bounded(|| {
        let place = Place::new("fdopen");
        let path = place.at("file");
        std::fs::write(&path, "old ").unwrap();
        let fd = || {
            let file = std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path);
            OwnedFd::from(file.unwrap())
        };
        GreenPipe::fdopen(fd(), "a")
            .unwrap()
            .write_all(b"new")
            .unwrap();
        assert_eq!(text(&mut GreenPipe::fdopen(fd(), "w+").unwrap()), "old new");
    });
}

#[test]
fn much_goes_through_while_the_reader_takes_lines() {
    bounded(|| {
        let (reader, writer) = io::pipe().unwrap();
        let mut to = GreenPipe::fdopen(writer, "w").unwrap();
        let line = "x".repeat(99) + "\n";
        let all = line.repeat(20_000);
        let sent = green::spawn(move || to.write_all(all.as_bytes()));
        let from = GreenPipe::fdopen(reader, "r").unwrap();
        let lines = from.lines().map(|line| line.unwrap().len());
        assert_eq!(lines.filter(|&length| length == 99).count(), 20_000);
        sent.join().unwrap().unwrap();
    });
}

#[test]
fn a_line_that_is_there_is_read_without_waiting_for_more() {
    bounded(|| {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut near = GreenPipe::fdopen(near, "r+").unwrap();
        let mut far = GreenPipe::fdopen(far, "r+").unwrap();
        for word in ["ping", "pong"] {
            writeln!(near, "{word}").unwrap();
            let mut line = String::new();
            far.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), word);
            writeln!(far, "{line}").unwrap();
            line.clear();
            near.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), word);
            near.read_line(&mut line).unwrap();
        }
    });
}
