//! Descriptors that are no sockets: pipes, the standard streams, any number; children by number.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::again::{again, is_again};
use crate::common::settle;
use green::os::{self, PipeReader, PipeWriter};
use green::{Timeout, is_timeout};
use rustix::fs::{OFlags, fcntl_getfl};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(LONG).run(f).expect("the test hangs")
}

/// Runs one test of this program again in a child process.
fn probe(test: &str) -> Command {
    let mut command = again(module_path!(), test);
    command.arg("--quiet");
    command
}

#[test]
fn a_pipe_carries_much_while_both_sides_take_turns() {
    bounded(|| {
        let (mut reader, mut writer) = os::pipe().unwrap();
        let sent: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writes = green::spawn(move || writer.write_all(&sent).unwrap());
        let mut got = Vec::new();
        let mut buffer = [0; 1031];
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => break,
                n => got.extend_from_slice(&buffer[..n]),
            }
        }
        writes.join().unwrap();
        assert!(got == expected);
    });
}

#[test]
fn an_unbuffered_reader_gets_what_is_there() {
    bounded(|| {
        let (mut reader, mut writer) = os::pipe().unwrap();
        writer.write_all(b"one\ntw").unwrap();
        let mut byte = [0];
        let mut line = Vec::new();
        while reader.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        assert_eq!(line, b"one");
        let mut rest = [0; 64];
        assert_eq!(reader.read(&mut rest).unwrap(), 2);
    });
}

#[test]
fn lines_end_with_the_last_writer() {
    bounded(|| {
        let (reader, mut writer) = os::pipe().unwrap();
        green::spawn_n(move || {
            for n in 0..3 {
                green::yield_now();
                writeln!(writer, "line {n}").unwrap();
            }
            write!(writer, "no newline").unwrap();
        });
        let lines: Vec<_> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(lines, ["line 0", "line 1", "line 2", "no newline"]);
    });
}

#[test]
fn a_pipe_without_a_reader_is_broken() {
    bounded(|| {
        let (reader, mut writer) = os::pipe().unwrap();
        let full = green::spawn(move || writer.write_all(&[0; 1_000_000]).unwrap_err().kind());
        settle();
        drop(reader);
        assert_eq!(full.join().unwrap(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn pipes_have_timeouts() {
    bounded(|| {
        let (mut reader, mut writer) = os::pipe().unwrap();
        reader.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(reader.read_timeout(), Some(SHORT));
        let start = Instant::now();
        assert!(is_timeout(&reader.read(&mut [0]).unwrap_err()));
        assert!(start.elapsed() >= SHORT);
        writer.set_write_timeout(Some(SHORT)).unwrap();
        let full = loop {
            if let Err(error) = writer.write(&[0; 65536]) {
                break error;
            }
        };
        assert!(is_timeout(&full));
        let zero = reader.set_read_timeout(Some(Duration::ZERO));
        assert_eq!(zero.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        // It goes on after both.
        assert_eq!(reader.read(&mut [0; 16]).unwrap(), 16);
    });
}

#[test]
fn closing_an_end_wakes_who_uses_it() {
    bounded(|| {
        let (reader, _writer) = os::pipe().unwrap();
        let reader = Rc::new(reader);
        let reads = green::spawn({
            let reader = Rc::clone(&reader);
            move || (&*reader).read(&mut [0]).is_err()
        });
        settle();
        reader.close();
        assert!(reads.join().unwrap());
    });
}

#[test]
fn a_child_gets_a_pipe_in_blocking_mode() {
    bounded(|| {
        let (mut reader, writer) = os::pipe().unwrap();
        let shared = writer;
        let writer: OwnedFd = shared.try_into().unwrap();
        assert!(!fcntl_getfl(&writer).unwrap().contains(OFlags::NONBLOCK));
        let mut child = Command::new("echo")
            .arg("hello")
            .stdout(Stdio::from(writer))
            .spawn()
            .unwrap();
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello\n");
        child.wait().unwrap();
    });
}

#[test]
fn foreign_pipes_are_taken_over() {
    bounded(|| {
        let (reader, writer) = io::pipe().unwrap();
        let mut reader = PipeReader::try_from(OwnedFd::from(reader)).unwrap();
        let mut writer = PipeWriter::try_from(OwnedFd::from(writer)).unwrap();
        let reads = green::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        settle();
        writer.write_all(b"taken").unwrap();
        drop(writer);
        assert_eq!(reads.join().unwrap(), "taken");
    });
}

#[test]
fn any_descriptor_is_read_and_written_in_its_own_mode() {
    bounded(|| {
        let (reader, writer) = io::pipe().unwrap();
        let (ticks, counter) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let other = green::spawn({
            let ticks = Rc::clone(&ticks);
            move || {
                loop {
                    ticks.set(ticks.get() + 1);
                    green::sleep(Duration::from_millis(1));
                }
            }
        });
        let sent = Rc::clone(&counter);
        let writes = green::spawn(move || {
            green::sleep(SHORT);
            let bytes = vec![3; 300_000];
            let mut left = &bytes[..];
            while !left.is_empty() {
                let n = os::write(&writer, left).unwrap();
                sent.set(sent.get() + n);
                left = &left[n..];
            }
            assert!(!fcntl_getfl(&writer).unwrap().contains(OFlags::NONBLOCK));
        });
        let mut got = 0;
        let mut buffer = [0; 5000];
        loop {
            match os::read(&reader, &mut buffer).unwrap() {
                0 => break,
                n => got += n,
            }
        }
        writes.join().unwrap();
        other.kill();
        assert_eq!((got, counter.get()), (300_000, 300_000));
        assert!(ticks.get() > 1, "nobody else ran");
        assert!(!fcntl_getfl(&reader).unwrap().contains(OFlags::NONBLOCK));
    });
}

#[test]
fn a_read_of_any_descriptor_times_out() {
    bounded(|| {
        let (reader, writer) = io::pipe().unwrap();
        let start = Instant::now();
        let error = os::read_timeout(&reader, &mut [0], SHORT).unwrap_err();
        assert!(is_timeout(&error));
        assert!(start.elapsed() >= SHORT);
        while os::write_timeout(&writer, &[0; 4096], SHORT).is_ok() {}
        assert_eq!(os::read_timeout(&reader, &mut [0; 9], SHORT).unwrap(), 9);
    });
}

#[test]
fn regular_files_go_straight() {
    bounded(|| {
        let path = std::env::temp_dir().join(format!("green-os-{}", std::process::id()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        let bytes = vec![9; 100_000];
        assert_eq!(os::write(&file, &bytes).unwrap(), bytes.len());
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut back = vec![0; 200_000];
        assert_eq!(os::read(&file, &mut back).unwrap(), bytes.len());
        assert_eq!(os::read(&file, &mut back).unwrap(), 0);
        let null = File::open("/dev/null").unwrap();
        assert_eq!(os::read(&null, &mut back).unwrap(), 0);
    });
}

#[test]
fn a_descriptor_of_the_wrong_kind_is_an_error() {
    bounded(|| {
        let directory = File::open("/").unwrap();
        assert!(os::read(&directory, &mut [0]).is_err());
        let (reader, _writer) = io::pipe().unwrap();
        assert!(os::write(&reader, b"x").is_err());
    });
}

/// The shell, the parent and the next in a pipeline share the open files of the standard streams.
#[test]
fn standard_streams_are_green_and_left_as_they_were() {
    if is_again() {
        let ticks = Rc::new(Cell::new(0));
        let counter = Rc::clone(&ticks);
        green::spawn_n(move || {
            loop {
                counter.set(counter.get() + 1);
                green::sleep(Duration::from_millis(1));
            }
        });
        let mut out = os::stdout().unwrap();
        for line in os::stdin().unwrap().lines() {
            writeln!(out, "echo: {}", line.unwrap()).unwrap();
        }
        let mut error = os::stderr().unwrap();
        writeln!(error, "others ran: {}", ticks.get() > 1).unwrap();
        return;
    }
    let (to_child, from_parent) = (io::pipe().unwrap(), io::pipe().unwrap());
    let (child_in, mut parent_out) = to_child;
    let (mut parent_in, child_out) = from_parent;
    let kept = [
        child_in.as_fd().try_clone_to_owned().unwrap(),
        child_out.as_fd().try_clone_to_owned().unwrap(),
    ];
    let child = probe("standard_streams_are_green_and_left_as_they_were")
        .stdin(child_in)
        .stdout(child_out)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The child has to wait for the second line.
    parent_out.write_all(b"one\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    for fd in &kept {
        assert!(!fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK));
    }
    parent_out.write_all(b"two\nthree").unwrap();
    drop(parent_out);
    drop(kept);
    let mut said = String::new();
    parent_in.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    let echoed: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("echo"))
        .collect();
    assert_eq!(echoed, ["echo: one", "echo: two", "echo: three"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("others ran: true"), "{errors}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_opened_once_more() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    if is_again() {
        let line = os::stdin().unwrap().lines().next().unwrap().unwrap();
        writeln!(os::stdout().unwrap(), "echo: {line}").unwrap();
        return;
    }
    let pty = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&pty).unwrap();
    unlockpt(&pty).unwrap();
    let name = ptsname(&pty, Vec::new()).unwrap();
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        // If this process leads a session it is not to be hung up with it.
        .custom_flags(OFlags::NOCTTY.bits() as i32)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut child = probe("a_terminal_is_opened_once_more")
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal.try_clone().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pty = File::from(pty);
    std::thread::sleep(Duration::from_millis(100));
    pty.write_all(b"typed\n").unwrap();
    let mut lines = BufReader::new(pty).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.trim_end() == "echo: typed"));
    assert!(!fcntl_getfl(&terminal).unwrap().contains(OFlags::NONBLOCK));
    assert!(child.wait().unwrap().success());
}

#[test]
#[expect(clippy::zombie_processes, reason = "waited for by number")]
fn a_child_is_waited_for_by_number() {
    bounded(|| {
        let child = Command::new("sh")
            .args(["-c", "sleep 0.05; exit 3"])
            .spawn()
            .unwrap();
        assert!(os::try_waitpid(child.id()).unwrap().is_none());
        let early = os::waitpid_timeout(child.id(), Duration::from_millis(1));
        assert!(is_timeout(&early.unwrap_err()));
        assert_eq!(os::waitpid(child.id()).unwrap().code(), Some(3));
        // Taken: no such child any more.
        assert!(os::waitpid(child.id()).is_err());
    });
}

#[test]
fn no_such_child_is_an_error() {
    bounded(|| {
        assert!(os::waitpid(0).is_err());
        assert!(os::waitpid(u32::MAX).is_err());
        assert!(os::waitpid(1).is_err());
        assert!(os::try_waitpid(1).is_err());
    });
}

/// `wait` takes any child's status, so nothing else may have children meanwhile: a process of its own.
#[test]
#[expect(clippy::zombie_processes, reason = "waited for by number")]
fn any_child_is_waited_for() {
    if !is_again() {
        let output = again(module_path!(), "any_child_is_waited_for")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{output:?}"
        );
        return;
    }
    bounded(|| {
        assert!(os::wait().is_err(), "no children, no wait");
        let slow = Command::new("sleep").arg("0.15").spawn().unwrap();
        let fast = Command::new("sh")
            .args(["-c", "sleep 0.05; exit 4"])
            .spawn()
            .unwrap();
        let error = os::wait_timeout(Duration::from_millis(1)).unwrap_err();
        assert!(is_timeout(&error));
        let (pid, status) = os::wait().unwrap();
        assert_eq!((pid, status.code()), (fast.id(), Some(4)));
        let (pid, status) = os::wait().unwrap();
        assert!(pid == slow.id() && status.success());
        assert!(os::wait().is_err());
    });
}
