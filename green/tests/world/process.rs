//! Child processes while other greenthreads run.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::process::{
    CalledProcessError, Command, Stdio, TimeoutExpired, call, check_call, check_output,
};
use green::{Timeout, is_timeout};
use rustix::process::{Pid, test_kill_process};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(LONG).run(f).expect("the test hangs")
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// True while there is a process of this number, a zombie included.
fn exists(pid: u32) -> bool {
    test_kill_process(Pid::from_raw(pid as i32).unwrap()).is_ok()
}

#[test]
fn waiting_lets_others_run_and_is_event_driven() {
    bounded(|| {
        let ticks = Rc::new(Cell::new(0));
        let counter = Rc::clone(&ticks);
        let other = green::spawn(move || {
            loop {
                counter.set(counter.get() + 1);
                green::sleep(Duration::from_millis(1));
            }
        });
        let start = Instant::now();
        let mut child = Command::new("sleep").arg("0.05").spawn().unwrap();
        assert!(child.try_wait().unwrap().is_none());
        assert!(child.wait().unwrap().success());
        assert!(start.elapsed() >= Duration::from_millis(50));
        assert!(ticks.get() > 1);
        // Any number of times.
        assert!(child.wait().unwrap().success());
        assert!(child.try_wait().unwrap().unwrap().success());
        other.kill();
    });
}

#[test]
fn many_children_are_waited_for_at_once() {
    bounded(|| {
        let waits: Vec<_> = (0..20)
            .map(|n| green::spawn(move || shell(&format!("exit {n}")).status().unwrap().code()))
            .collect();
        for (n, wait) in (0..20).zip(waits) {
            assert_eq!(wait.join().unwrap(), Some(n));
        }
    });
}

#[test]
fn much_goes_both_ways_at_once() {
    bounded(|| {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input: Vec<u8> = (0..5_000_000u32).map(|n| (n % 253) as u8).collect();
        let output = child.communicate(&input).unwrap();
        assert!(output.status.success());
        assert!(output.stdout == input);
        assert!(output.stderr.is_empty());
    });
}

#[test]
fn both_outputs_are_read_at_once() {
    bounded(|| {
        let output = shell(
            "head -c 300000 /dev/zero >&2; head -c 400000 /dev/zero; head -c 300000 /dev/zero >&2",
        )
        .output()
        .unwrap();
        assert_eq!(output.stdout.len(), 400_000);
        assert_eq!(output.stderr.len(), 600_000);
    });
}

#[test]
fn communicate_goes_on_after_a_timeout() {
    bounded(|| {
        let mut child = shell("echo early; cat; sleep 0.2; echo late")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let start = Instant::now();
        let error = child
            .communicate_timeout(b"input\n", Duration::from_millis(50))
            .unwrap_err();
        assert!(start.elapsed() >= Duration::from_millis(50));
        assert!(is_timeout(&error));
        let again = child.communicate(b"more").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::InvalidInput);
        let output = child.communicate(&[]).unwrap();
        assert_eq!(output.stdout, b"early\ninput\nlate\n");
        assert!(output.status.success());
    });
}

#[test]
fn a_child_that_reads_nothing_is_no_error() {
    bounded(|| {
        let mut child = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let output = child.communicate(&vec![0; 1_000_000]).unwrap();
        assert!(output.status.success());
        let mut child = Command::new("true").spawn().unwrap();
        let error = child.communicate(b"input").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_conversation_line_by_line() {
    bounded(|| {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for n in 0..20 {
            writeln!(to, "line {n}").unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), format!("line {n}"));
        }
        drop(to);
        assert!(lines.next().is_none());
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn the_streams_of_a_child_have_timeouts() {
    bounded(|| {
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        out.set_read_timeout(Some(SHORT)).unwrap();
        assert!(is_timeout(&out.read(&mut [0]).unwrap_err()));
        let mut to = child.stdin.take().unwrap();
        to.set_write_timeout(Some(SHORT)).unwrap();
        assert!(is_timeout(&to.write_all(&[0; 200_000]).unwrap_err()));
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn a_wait_that_times_out_says_what_has_not_ended() {
    bounded(|| {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let start = Instant::now();
        let error = child.wait_timeout(SHORT).unwrap_err();
        assert!(start.elapsed() >= SHORT);
        assert!(is_timeout(&error));
        let expired: &TimeoutExpired = error.get_ref().unwrap().downcast_ref().unwrap();
        assert_eq!((expired.command(), expired.after()), ("\"sleep\"", SHORT));
        assert!(error.to_string().contains(&child.id().to_string()));
        assert!(child.try_wait().unwrap().is_none(), "it was killed");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        // Ended and waited for: nobody is killed who has this number by now.
        child.kill().unwrap();
    });
}

#[test]
fn a_child_killed_by_a_signal() {
    bounded(|| {
        let status = shell("kill -TERM $$").status().unwrap();
        assert_eq!((status.code(), status.signal()), (None, Some(15)));
        let error = check_call(&mut shell("kill -KILL $$")).unwrap_err();
        let called: &CalledProcessError = error.get_ref().unwrap().downcast_ref().unwrap();
        assert_eq!(called.output().status.signal(), Some(9));
        assert_eq!(called.command(), "\"sh\"");
    });
}

#[test]
fn a_command_that_does_not_exist() {
    bounded(|| {
        for result in [
            Command::new("no-such-command-here").spawn().map(drop),
            Command::new("no-such-command-here").status().map(drop),
            Command::new("no-such-command-here").output().map(drop),
            check_call(&mut Command::new("/no/such/file")),
        ] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert!(error.to_string().contains("no"), "{error}");
        }
        let error = Command::new("true").current_dir("/no/such").spawn();
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NotFound);
        let error = Command::new("/etc/passwd").spawn().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(Command::new("a\0b").spawn().is_err());
    });
}

#[test]
fn call_and_its_checked_forms() {
    bounded(|| {
        assert_eq!(call(&mut shell("exit 5")).unwrap().code(), Some(5));
        check_call(&mut Command::new("true")).unwrap();
        assert_eq!(check_output(&mut shell("printf x")).unwrap(), b"x");
        let error = check_output(&mut shell("printf partial; exit 2")).unwrap_err();
        let called: &CalledProcessError = error.get_ref().unwrap().downcast_ref().unwrap();
        assert_eq!(called.output().stdout, b"partial");
        assert_eq!(called.output().status.code(), Some(2));
    });
}

#[test]
fn the_defaults_of_streams_depend_on_the_call() {
    bounded(|| {
        // An empty input, else this would wait for a terminal.
        let mut cat = Command::new("cat");
        assert_eq!(cat.output().unwrap().stdout, b"");
        assert_eq!(cat.output().unwrap().stdout, b"");
        // What was chosen stays.
        let mut echo = Command::new("echo");
        echo.arg("x").stdout(Stdio::null());
        assert_eq!(echo.output().unwrap().stdout, b"");
        // And what was not is inherited again.
        let mut child = shell("exit 0");
        child.output().unwrap();
        let child = child.spawn().unwrap();
        assert!(child.stdout.is_none() && child.stdin.is_none());
        let mut child = child;
        child.wait().unwrap();
    });
}

#[test]
fn environment_directory_and_arguments() {
    bounded(|| {
        let mut command = shell("echo $ONE $TWO; pwd; echo $0 $1");
        command
            .args(["zero", "one"])
            .env_clear()
            .env("ONE", "1")
            .envs([("TWO", "2"), ("THREE", "3")])
            .env_remove("THREE")
            .current_dir("/");
        assert_eq!(command.get_program(), "sh");
        assert_eq!(command.get_args().count(), 4);
        assert_eq!(command.get_current_dir().unwrap().to_str(), Some("/"));
        let said = command.output().unwrap().stdout;
        assert_eq!(String::from_utf8(said).unwrap(), "1 2\n/\nzero one\n");
    });
}

#[test]
fn children_are_connected() {
    bounded(|| {
        let mut first = shell("seq 1 50000").stdout(Stdio::piped()).spawn().unwrap();
        let between: Stdio = first.stdout.take().unwrap().try_into().unwrap();
        let output = Command::new("wc")
            .arg("-l")
            .stdin(between)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "50000");
        assert!(first.wait().unwrap().success());
    });
}

#[test]
fn no_descriptor_leaks_into_other_children() {
    bounded(|| {
        let mut reader = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Alive while the first one's input is closed: if it held that, `cat` would never end.
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        drop(reader.stdin.take());
        assert!(reader.wait().unwrap().success());
        other.kill().unwrap();
        other.wait().unwrap();
    });
}

#[test]
fn a_deadline_around_output_ends_the_child() {
    bounded(|| {
        let mut command = Command::new("sleep");
        command.arg("60").stdout(Stdio::piped());
        let pid = Rc::new(Cell::new(0));
        let seen = Rc::clone(&pid);
        let left = Timeout::new(Duration::from_millis(50)).run(move || {
            let child = command.spawn().unwrap();
            seen.set(child.id());
            child.wait_with_output()
        });
        assert!(left.is_err());
        // Killed, and reaped in the background.
        while exists(pid.get()) {
            green::sleep(Duration::from_millis(1));
        }
    });
}

#[test]
fn a_kill_of_the_waiting_greenthread_leaves_the_child_alone() {
    bounded(|| {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let child = Rc::new(std::cell::RefCell::new(Some(child)));
        let waits = green::spawn({
            let mut taken = child.take().unwrap();
            let back = Rc::clone(&child);
            move || {
                struct Back(
                    Option<green::process::Child>,
                    Rc<std::cell::RefCell<Option<green::process::Child>>>,
                );
                impl Drop for Back {
                    fn drop(&mut self) {
                        *self.1.borrow_mut() = self.0.take();
                    }
                }
                let mut keep = Back(
                    Some({
                        drop(taken.stdin.take());
                        taken
                    }),
                    back,
                );
                keep.0.as_mut().unwrap().wait()
            }
        });
        green::yield_now();
        waits.kill();
        assert!(waits.join().is_err());
        assert!(exists(pid));
        let mut child = child.take().unwrap();
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!exists(pid));
    });
}

#[test]
fn a_destructor_may_end_its_child_while_the_thread_unwinds() {
    struct Owner(green::process::Child, Rc<Cell<bool>>);
    impl Drop for Owner {
        fn drop(&mut self) {
            let early = self.0.wait_timeout(Duration::from_millis(1)).unwrap_err();
            assert_eq!(early.kind(), io::ErrorKind::WouldBlock);
            self.0.kill().unwrap();
            self.1.set(self.0.wait().is_ok());
        }
    }
    bounded(|| {
        let reaped: Vec<_> = (0..2)
            .map(|_| {
                let reaped = Rc::new(Cell::new(false));
                let child = Command::new("sleep").arg("60").spawn().unwrap();
                let owner = Owner(child, Rc::clone(&reaped));
                let gt = green::spawn(move || {
                    let _owner = owner;
                    green::sleep(LONG);
                });
                (gt, reaped)
            })
            .collect();
        green::yield_now();
        for (gt, _) in &reaped {
            gt.kill();
        }
        for (gt, reaped) in reaped {
            assert!(gt.join().is_err());
            assert!(reaped.get());
        }
    });
}

#[test]
fn dropping_a_child_leaves_it_running() {
    bounded(|| {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (pid, to, mut from) = (
            child.id(),
            child.stdin.take().unwrap(),
            child.stdout.take().unwrap(),
        );
        drop(child);
        (&to).write_all(b"still here").unwrap();
        let mut said = [0; 10];
        from.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"still here");
        drop(to);
        assert!(green::os::waitpid(pid).unwrap().success());
    });
}
