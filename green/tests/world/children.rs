//! Child processes: whom a signal reaches, what an error says, what a timeout keeps.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Command as StdCommand;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::again::{again, is_again};
use crate::common::{SHORT, bounded};
use green::process::{
    Child, Command, Stdio, TimeoutExpired, call, check_call, check_output, universal_newlines,
};
use green::signal::{SIGHUP, SIGKILL, SIGTERM};
use green::{OsError, Timeout, is_timeout, os, raw_os_error};
use rustix::process::{Pid, test_kill_process};

fn sleeper() -> Child {
    Command::new("sleep").arg("60").spawn().unwrap()
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// True while there is a process of this number, a zombie included.
fn exists(pid: u32) -> bool {
    test_kill_process(Pid::from_raw(pid.cast_signed()).unwrap()).is_ok()
}

/// Waits until a process that is no child of this one has ended. Whoever inherits it takes its status.
fn ended(pid: u32) {
    let is_dead = |pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    while exists(pid) && !is_dead(pid) {
        green::sleep(Duration::from_millis(1));
    }
}

/// Starts a process that has this number. `None` if the system does not let this one choose, or others were faster.
fn stranger(pid: u32) -> Option<Child> {
    for _ in 0..200 {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
        let mut stranger = sleeper();
        if stranger.id() == pid {
            return Some(stranger);
        }
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
    None
}

#[test]
fn a_stranger_with_the_number_of_a_dead_child_is_left_alone() {
    let test = "a_stranger_with_the_number_of_a_dead_child_is_left_alone";
    // By itself, since `wait` takes the children of other tests.
    if !is_probe(test, &[]) {
        return;
    }
    bounded(|| {
        let mut child = Command::new("true").process_group(0).spawn().unwrap();
        let handle = child.handle();
        assert_eq!(os::wait().unwrap().0, child.id());
        let Some(mut stranger) = stranger(child.id()) else {
            eprintln!("skipped: the number of a process cannot be chosen here");
            return;
        };
        child.kill().unwrap();
        handle.terminate().unwrap();
        assert!(child.kill_group().is_err());
        // Nor is its status taken for the child's.
        let error = child.try_wait().unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::ECHILD));
        let error = child.wait_timeout(SHORT).unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::ECHILD), "{error}");
        green::sleep(Duration::from_millis(20));
        assert!(stranger.try_wait().unwrap().is_none(), "it was killed");
        stranger.kill().unwrap();
        assert_eq!(stranger.wait().unwrap().signal(), Some(SIGKILL));
    });
}

#[test]
fn a_handle_ends_a_child_that_another_greenthread_waits_for() {
    bounded(|| {
        type End = fn(&green::process::ChildHandle) -> io::Result<()>;
        let ends: [(End, i32); 3] = [
            (|handle| handle.kill(), SIGKILL),
            (|handle| handle.terminate(), SIGTERM),
            (|handle| handle.send_signal(SIGHUP), SIGHUP),
        ];
        for (end, signal) in ends {
            let mut child = sleeper();
            let handle = child.handle();
            let waits = green::spawn(move || child.wait());
            green::yield_now();
            assert!(handle.try_wait().unwrap().is_none());
            end(&handle).unwrap();
            let status = waits.join().unwrap().unwrap();
            assert_eq!(status.signal(), Some(signal));
            // Known to all, and left alone from now on.
            assert_eq!(handle.try_wait().unwrap(), Some(status));
            end(&handle).unwrap();
        }
    });
}

#[test]
fn a_handle_is_good_in_another_thread() {
    bounded(|| {
        let mut child = sleeper();
        let handle = child.handle();
        let thread = std::thread::spawn(move || handle.terminate());
        assert_eq!(child.wait().unwrap().signal(), Some(SIGTERM));
        thread.join().unwrap().unwrap();
    });
}

#[test]
fn what_a_handle_finds_out_the_child_knows() {
    bounded(|| {
        let mut child = shell("exit 7").spawn().unwrap();
        let handle = child.handle();
        let status = loop {
            if let Some(status) = handle.try_wait().unwrap() {
                break status;
            }
            green::sleep(Duration::from_millis(1));
        };
        assert_eq!(status.code(), Some(7));
        assert_eq!(child.wait().unwrap(), status);
        assert_eq!(child.try_wait().unwrap(), Some(status));
    });
}

#[test]
fn no_signal_without_a_name_is_sent() {
    bounded(|| {
        let mut child = sleeper();
        for signal in [0, -1, 1000] {
            let error = child.send_signal(signal).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn a_group_is_ended_with_those_that_its_leader_has_left_behind() {
    bounded(|| {
        // The shell ends at once; what it has started keeps the pipe open.
        let mut child = shell("sleep 60 & echo $!")
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let error = child.communicate_timeout(b"", SHORT).unwrap_err();
        assert!(is_timeout(&error));
        ended(child.id());
        child.kill_group().unwrap();
        let output = child.communicate(b"").unwrap();
        assert!(output.status.success(), "the shell itself had ended");
        let left: u32 = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap();
        ended(left);
        // Waited for: its number may be anybody's.
        let error = child.kill_group().unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::ESRCH), "{error}");
    });
}

#[test]
fn only_a_leader_has_a_group() {
    bounded(|| {
        let mut child = sleeper();
        let error = child.kill_group().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("process_group(0)"), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn an_expired_timeout_has_what_was_said_by_then() {
    bounded(|| {
        let mut child = shell("echo out; echo err >&2; sleep 60 & wait; echo late")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut patience = Duration::from_millis(50);
        let error = loop {
            let error = child.communicate_timeout(b"", patience).unwrap_err();
            let expired: &TimeoutExpired = error.get_ref().unwrap().downcast_ref().unwrap();
            if expired.stdout() == b"out\n" && expired.stderr() == b"err\n" {
                break error;
            }
            // A slow machine.
            patience *= 2;
            assert!(patience < Duration::from_secs(30), "{error:?}");
        };
        assert!(format!("{error:?}").contains("out"));
        child.kill_group().unwrap();
        // And nothing was lost by looking.
        let output = child.communicate(b"").unwrap();
        assert_eq!(
            (&*output.stdout, &*output.stderr),
            (&b"out\n"[..], &b"err\n"[..])
        );
    });
}

#[test]
fn a_command_with_a_timeout_is_killed_and_reaped() {
    bounded(|| {
        let start = Instant::now();
        let mut command = shell("echo $$; exec sleep 60");
        command.timeout(Duration::from_millis(300));
        let error = command.output().unwrap_err();
        assert!(is_timeout(&error));
        assert!(start.elapsed() >= Duration::from_millis(300));
        let expired: &TimeoutExpired = error.get_ref().unwrap().downcast_ref().unwrap();
        let pid: u32 = String::from_utf8_lossy(expired.stdout())
            .trim()
            .parse()
            .unwrap();
        while exists(pid) {
            green::sleep(Duration::from_millis(1));
        }
        let mut sleep = Command::new("sleep");
        sleep.arg("60").timeout(SHORT);
        assert!(is_timeout(&call(&mut sleep).unwrap_err()));
        assert!(is_timeout(&check_call(&mut sleep).unwrap_err()));
        assert!(is_timeout(&check_output(&mut sleep).unwrap_err()));
        let mut fast = shell("exit 3");
        assert_eq!(
            call(fast.timeout(Duration::from_secs(50))).unwrap().code(),
            Some(3)
        );
    });
}

#[test]
fn a_deadline_ends_the_whole_group_of_a_command() {
    bounded(|| {
        let mut command = shell("sleep 60 & echo $!; wait");
        command.process_group(0).timeout(Duration::from_millis(300));
        let error = command.output().unwrap_err();
        let expired: &TimeoutExpired = error.get_ref().unwrap().downcast_ref().unwrap();
        let said = String::from_utf8_lossy(expired.stdout()).into_owned();
        ended(said.trim().parse().unwrap());
    });
}

#[test]
fn a_command_gets_its_input() {
    bounded(|| {
        let much = vec![b'x'; 1_000_000];
        let output = Command::new("cat").input(much.clone()).output().unwrap();
        assert!(output.stdout == much);
        // No input is the end of the input, where a process would else inherit ours.
        assert!(Command::new("cat").input("").status().unwrap().success());
        let mut twice = Command::new("cat");
        twice.input("again");
        for _ in 0..2 {
            assert_eq!(check_output(&mut twice).unwrap(), b"again");
        }
        assert_eq!(universal_newlines(b"a\r\nb\rc\n").unwrap(), "a\nb\nc\n");
        assert!(universal_newlines(b"\xff").is_err());
    });
}

#[test]
fn an_error_names_what_is_missing_and_keeps_its_number() {
    bounded(|| {
        let place = std::env::temp_dir().join(format!("green-children-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let script = place.join("script");
        std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&script, executable).unwrap();
        let long = "x".repeat(1 << 20);
        let script = script.to_str().unwrap();
        let none = [None::<&str>; 2];
        // Program, directory and argument; number, words.
        let cases = [
            (
                "true",
                [Some("/no/such/directory"), None],
                libc::ENOENT,
                "/no/such/directory",
            ),
            (
                "true",
                [Some(script), None],
                libc::ENOTDIR,
                "cannot enter the directory",
            ),
            (
                "no-such-program",
                none,
                libc::ENOENT,
                "cannot run \"no-such-program\": No",
            ),
            (
                "no-such-program",
                [Some("/"), None],
                libc::ENOENT,
                "cannot run \"no-such-program\": No",
            ),
            (script, none, libc::ENOENT, "interpreter"),
            (
                "true",
                [None, Some(&*long)],
                libc::E2BIG,
                "cannot run \"true\"",
            ),
        ];
        for (program, [directory, argument], number, text) in cases {
            let command = &mut Command::new(program);
            directory.map(|directory| command.current_dir(directory));
            argument.map(|argument| command.arg(argument));
            for error in [
                command.spawn().map(drop).unwrap_err(),
                command.status().map(drop).unwrap_err(),
                command.output().map(drop).unwrap_err(),
                check_call(command).unwrap_err(),
            ] {
                assert_eq!(raw_os_error(&error), Some(number), "{error}");
                assert_eq!(
                    error.kind(),
                    io::Error::from_raw_os_error(number).kind(),
                    "{error}"
                );
                assert!(error.to_string().contains(text), "{error}");
                let inner = error.get_ref().unwrap().downcast_ref::<OsError>().unwrap();
                assert_eq!(inner.error().raw_os_error(), Some(number));
            }
        }
        std::fs::remove_dir_all(&place).unwrap();
        let error = os::waitpid(1).unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::ECHILD));
        assert_eq!(
            error.kind(),
            io::Error::from_raw_os_error(libc::ECHILD).kind()
        );
        // Wrapped once more by somebody else.
        let again = io::Error::other(error);
        assert_eq!(raw_os_error(&again), Some(libc::ECHILD));
        assert_eq!(raw_os_error(&io::Error::other("text")), None);
    });
}

/// Runs `test` again in a process of its own, behind the program and arguments of `before`. True in that process.
fn is_probe(test: &str, before: &[&str]) -> bool {
    if is_again() {
        return true;
    }
    let again = again(module_path!(), test);
    let mut words = before.iter().map(std::ffi::OsStr::new).collect::<Vec<_>>();
    words.push(again.get_program());
    words.extend(again.get_args());
    let variables = again
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let output = StdCommand::new(words[0])
        .args(&words[1..])
        .envs(variables)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

#[test]
fn any_child_is_waited_for_while_sigchld_is_blocked() {
    // The mask goes through an exec.
    let block = ["env", "--block-signal=CHLD"];
    let knows = StdCommand::new("env").args([block[1], "true"]).output();
    if !knows.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: env cannot block signals here");
        return;
    }
    if !is_probe("any_child_is_waited_for_while_sigchld_is_blocked", &block) {
        return;
    }
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let mask = status.lines().find(|line| line.starts_with("SigBlk:"));
    assert!(mask.unwrap().ends_with("0010000"), "{mask:?}");
    bounded(|| {
        let child = Command::new("sleep").arg("0.1").spawn().unwrap();
        let (pid, status) = os::wait().unwrap();
        assert!(pid == child.id() && status.success());
        let mut other = sleeper();
        let start = Instant::now();
        let error = os::wait_timeout(Duration::from_millis(150)).unwrap_err();
        assert!(is_timeout(&error) && start.elapsed() >= Duration::from_millis(150));
        other.kill().unwrap();
        other.wait().unwrap();
        child.kill().unwrap();
    });
}

#[test]
fn a_wait_under_a_deadline_leaves_the_child_to_the_next() {
    bounded(|| {
        let child = sleeper();
        let handle = child.handle();
        let child = Rc::new(std::cell::RefCell::new(child));
        for _ in 0..3 {
            let mut borrowed = child.borrow_mut();
            let left = Timeout::new(SHORT).run(|| borrowed.wait());
            assert!(left.is_err());
        }
        handle.kill().unwrap();
        assert_eq!(child.borrow_mut().wait().unwrap().signal(), Some(SIGKILL));
    });
}
