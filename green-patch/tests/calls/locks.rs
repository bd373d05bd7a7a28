//! Locks of files, which who blocks for them is given in the system's order, and a greenthread by asking from time to time.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use green::{Exit, Timeout};

use crate::common::{LONG, SHORT, cooperates, errno, later, patched};

/// A file of this test's own, which is gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("green-patch-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        File::create(&path).unwrap();
        Scratch(path)
    }

    fn open(&self) -> File {
        let mut how = OpenOptions::new();
        how.read(true).write(true).open(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// All of the file, to write.
fn all() -> libc::flock {
    // SAFETY: numbers.
    let mut part: libc::flock = unsafe { std::mem::zeroed() };
    part.l_type = libc::F_WRLCK as _;
    part
}

fn by_fcntl(file: &File, command: i32) -> io::Result<()> {
    // SAFETY: a descriptor of this test's own, and a description that is there.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &all()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[test]
fn a_lock_of_a_file_is_waited_for() {
    patched(|| {
        let scratch = Scratch::new("flock");
        let (held, wanted) = (scratch.open(), scratch.open());
        held.lock().unwrap();
        assert!(wanted.try_lock().is_err());
        let holder = later(move || drop(held));
        let (locked, took) = cooperates(|| wanted.lock());
        locked.unwrap();
        assert!(took >= SHORT);
        holder.join().unwrap();
    });
}

#[test]
fn a_lock_of_an_open_file_is_waited_for() {
    patched(|| {
        let scratch = Scratch::new("ofd");
        let (held, wanted) = (scratch.open(), scratch.open());
        by_fcntl(&held, libc::F_OFD_SETLKW).unwrap();
        assert!(by_fcntl(&wanted, libc::F_OFD_SETLK).is_err());
        let holder = later(move || drop(held));
        let (locked, took) = cooperates(|| by_fcntl(&wanted, libc::F_OFD_SETLKW));
        locked.unwrap();
        assert!(took >= SHORT);
        holder.join().unwrap();
    });
}

/// A child that holds a lock of the process on the file, if there is a Python to be it.
fn holder(scratch: &Scratch) -> Option<Child> {
    const CODE: &str = "import fcntl, sys
file = open(sys.argv[1], 'r+')
fcntl.lockf(file, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()";
    let mut python = Command::new("python3");
    python.args(["-c", CODE]).arg(&scratch.0);
    let python = python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = match python.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("left out: python3 does not run: {error}");
            return None;
        }
    };
    let mut said = [0; 5];
    io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
    Some(child)
}

#[test]
fn a_lock_of_another_process_is_waited_for() {
    patched(|| {
        let scratch = Scratch::new("lockf");
        for is_lockf in [false, true] {
            let Some(mut child) = holder(&scratch) else {
                return;
            };
            let file = scratch.open();
            assert!(by_fcntl(&file, libc::F_SETLK).is_err());
            let hand = child.stdin.take();
            let ends = later(move || drop(hand));
            let (locked, took) = cooperates(|| match is_lockf {
                // SAFETY: a descriptor of this test's own.
                true => unsafe { libc::lockf(file.as_raw_fd(), libc::F_LOCK, 0) },
                false => by_fcntl(&file, libc::F_SETLKW).map_or(-1, |()| 0),
            });
            assert_eq!(locked, 0);
            assert!(took >= SHORT);
            ends.join().unwrap();
            child.wait().unwrap();
        }
    });
}

#[test]
fn who_waits_for_a_lock_is_cut_short_and_has_not_got_it() {
    patched(|| {
        let scratch = Scratch::new("cut");
        let (held, wanted) = (scratch.open(), scratch.open());
        held.lock().unwrap();
        let late = Timeout::new(Duration::from_millis(5)).run(|| {
            // SAFETY: a descriptor of this test's own.
            let said = unsafe { libc::flock(wanted.as_raw_fd(), libc::LOCK_EX) };
            assert_eq!(said, -1);
            assert_eq!(errno(), libc::ECANCELED);
        });
        assert!(late.is_err());
        let killed = green::spawn(move || wanted.lock().is_ok());
        green::yield_now();
        killed.kill();
        assert!(matches!(killed.join(), Err(Exit::Killed(_))));
        held.unlock().unwrap();
        assert!(scratch.open().try_lock().is_ok(), "nobody has it");
    });
}

#[test]
fn a_lock_is_not_waited_for_under_a_number_that_is_another_files() {
    patched(|| {
        let scratch = Scratch::new("number");
        let (held, wanted) = (scratch.open(), scratch.open());
        held.lock().unwrap();
        let fd = wanted.as_raw_fd();
        let waiter = green::spawn(move || {
            // SAFETY: a number, which is closed meanwhile.
            let said = unsafe { libc::flock(fd, libc::LOCK_EX) };
            (said, errno())
        });
        green::yield_now();
        drop(wanted);
        let other = Timeout::new(LONG).run(|| waiter.join().unwrap());
        assert_eq!(other.unwrap(), (-1, libc::EBADF));
    });
}
