//! Children, files, names and jobs when the system has no more descriptors, memory or threads.
//!
//! Each test runs itself again in a process of its own, which limits itself.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::Command as StdCommand;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::common::again;
use green::process::Command;
use green::tpool::{self, JobError, ThreadPool};
use green::{Timeout, fs, os, raw_os_error};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

/// Runs `body` in a process of its own, which has what it needs for its own waits before anything is short.
fn alone(test: &str, body: impl FnOnce()) {
    again::alone(module_path!(), test, || {
        green::sleep(Duration::from_millis(1));
        Timeout::new(LONG).run(body).expect("the test hangs");
    });
}

fn limit(resource: Resource, most: u64) {
    let maximum = getrlimit(resource).maximum;
    let new = Rlimit {
        current: Some(most),
        maximum,
    };
    setrlimit(resource, new).unwrap();
}

/// Takes every descriptor that is left.
fn no_descriptors() -> Vec<File> {
    limit(Resource::Nofile, 64);
    let mut taken = Vec::new();
    let error = loop {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    taken
}

#[expect(clippy::zombie_processes, reason = "they are waited for by number")]
fn foreign_sleep() -> u32 {
    let child = StdCommand::new("sleep").arg("0.1").spawn().unwrap();
    child.id()
}

#[test]
fn a_child_is_waited_for_without_a_descriptor() {
    alone("a_child_is_waited_for_without_a_descriptor", || {
        let mut before = Command::new("sleep").arg("0.1").spawn().unwrap();
        let (by_number, timed, any) = (foreign_sleep(), foreign_sleep(), foreign_sleep());
        let taken = no_descriptors();
        let error = os::waitpid_timeout(timed, Duration::from_millis(1)).unwrap_err();
        assert!(green::is_timeout(&error), "{error}");
        assert!(before.wait().unwrap().success());
        assert!(os::waitpid(by_number).unwrap().success());
        assert!(os::waitpid_timeout(timed, LONG).unwrap().success());
        let (pid, status) = os::wait().unwrap();
        assert!(pid == any && status.success());
        let error = os::wait().unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::ECHILD));
        drop(taken);
    });
}

#[test]
fn a_command_is_not_started_and_then_given_up() {
    alone("a_command_is_not_started_and_then_given_up", || {
        let taken = no_descriptors();
        for _ in 0..3 {
            // If the system starts it, it is waited for; if not, the error has the number.
            match Command::new("sleep").arg("0.05").status() {
                Ok(status) => assert!(status.success()),
                Err(error) => assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}"),
            }
            let mut handle = None;
            match Command::new("sleep").arg("60").spawn() {
                Ok(mut child) => {
                    let killer = child.handle();
                    let waits = green::spawn(move || child.wait());
                    green::yield_now();
                    killer.kill().unwrap();
                    assert!(!waits.join().unwrap().unwrap().success());
                    handle = Some(killer);
                }
                Err(error) => assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}"),
            }
            // Known to be dead, though it never had a descriptor.
            handle.map_or(Ok(()), |dead| dead.kill()).unwrap();
            let error = Command::new("echo").output().unwrap_err();
            assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}");
        }
        // Nobody is left behind.
        let error = os::wait_timeout(SHORT).unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::ECHILD), "{error}");
        drop(taken);
        assert_eq!(Command::new("echo").output().unwrap().stdout, b"\n");
    });
}

#[test]
fn any_descriptor_is_waited_for_without_a_second_one() {
    alone("any_descriptor_is_waited_for_without_a_second_one", || {
        let (from, mut to) = io::pipe().unwrap();
        let (green_from, mut green_to) = os::pipe().unwrap();
        let taken = no_descriptors();
        green::spawn_n(move || {
            green::sleep(SHORT);
            to.write_all(b"x").unwrap();
            green_to.write_all(b"y").unwrap();
            green::sleep(LONG);
            drop(to);
        });
        let start = Instant::now();
        assert_eq!(os::read(&from, &mut [0; 4]).unwrap(), 1);
        assert!(start.elapsed() >= SHORT);
        assert_eq!((&green_from).read(&mut [0; 4]).unwrap(), 1);
        let start = Instant::now();
        let error = os::read_timeout(&from, &mut [0; 4], SHORT).unwrap_err();
        assert!(green::is_timeout(&error) && start.elapsed() >= SHORT);
        // Others run meanwhile, and a kill ends it.
        let waits = green::spawn(move || os::read(&from, &mut [0; 4]));
        green::sleep(SHORT);
        waits.kill();
        assert!(waits.is_dead());
        drop(taken);
    });
}

#[test]
fn a_job_that_has_run_is_not_called_refused() {
    alone("a_job_that_has_run_is_not_called_refused", || {
        // Before this thread has any wake-up channel.
        let taken = no_descriptors();
        let ran = Arc::new(AtomicUsize::new(0));
        for n in 1..=3 {
            let there = Arc::clone(&ran);
            let job = move || there.fetch_add(1, Ordering::SeqCst) + 1;
            assert_eq!(tpool::execute(job).unwrap(), n);
        }
        let (go, wait) = mpsc::channel::<()>();
        let mut late = tpool::submit(move || wait.recv()).unwrap();
        assert!(late.join_timeout(Duration::from_millis(1)).is_none());
        drop(go);
        assert!(late.join().unwrap().is_err());
        // Files and names say what the system says.
        assert!(fs::metadata("/proc").unwrap().is_dir());
        let error = fs::File::open("/proc/self/comm").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        assert!(tpool::killall(LONG));
        drop(taken);
        assert!(fs::File::open("/proc/self/comm").is_ok());
    });
}

#[test]
fn no_name_is_called_unknown_for_want_of_a_descriptor() {
    let test = "no_name_is_called_unknown_for_want_of_a_descriptor";
    alone(test, || {
        let taken = no_descriptors();
        for name in ["localhost", "no-such-name.invalid"] {
            // A system may know the first without a file.
            let asked = [
                green::dns::lookup(name, 1).map(drop),
                green::dns::gethostbyname(name)
                    .map(drop)
                    .map_err(io::Error::from),
            ];
            for error in asked.into_iter().filter_map(Result::err) {
                assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}");
                assert!(error.to_string().contains(name), "{error}");
            }
            let error = green::net::TcpStream::connect((name, 1)).unwrap_err();
            assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}");
        }
        drop(taken);
        let error = green::dns::lookup("no-such-name.invalid", 1).unwrap_err();
        assert_eq!(raw_os_error(&error), None, "{error}");
    });
}

#[test]
#[cfg(feature = "dns")]
fn the_green_resolver_says_that_there_is_no_descriptor() {
    alone(
        "the_green_resolver_says_that_there_is_no_descriptor",
        || {
            let nobody = "127.0.0.1:9".parse().unwrap();
            let resolver = green::dns::Resolver::green()
                .hosts_file("/no/such/file")
                .nameservers([nobody])
                .build();
            let taken = no_descriptors();
            let error = resolver.lookup("www.example.com", 1).unwrap_err();
            assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}");
            drop(taken);
        },
    );
}

#[test]
fn signals_and_dumps_say_that_there_is_no_descriptor() {
    alone("signals_and_dumps_say_that_there_is_no_descriptor", || {
        let taken = no_descriptors();
        let signal = green::signal::SIGUSR1;
        let errors = [
            green::signal::Signals::new([signal]).map(drop).unwrap_err(),
            green::debug::dump_on_signal(signal).map(drop).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}");
        }
        // By hand it needs none.
        assert!(green::debug::dump_all().contains("the thread's own greenthread"));
        drop(taken);
        green::debug::dump_on_signal(signal).unwrap().kill();
    });
}

/// The address space that is in use.
fn in_use() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_whitespace().next()?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[test]
fn jobs_and_children_when_no_stack_can_be_had() {
    alone("jobs_and_children_when_no_stack_can_be_had", || {
        let Some(used) = in_use() else {
            eprintln!("skipped: this system does not tell how much address space is in use");
            return;
        };
        let pool = ThreadPool::new(4);
        pool.set_idle_timeout(LONG);
        pool.execute(|| ()).unwrap();
        // Less than a thread's stack: that needs 2 MiB, and its arena 64.
        limit(Resource::As, used + (1 << 20));
        let error = ThreadPool::new(1).execute(|| ()).unwrap_err();
        let JobError::Refused(error) = error else {
            panic!("{error:?}");
        };
        assert!(raw_os_error(&error).is_some(), "{error:?}");
        assert!(
            error.to_string().contains("cannot start a thread"),
            "{error}"
        );
        // A thread that is there does what another one was wanted for.
        let jobs: Vec<_> = (0..8).map(|n| pool.submit(move || n).unwrap()).collect();
        for (n, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.join().unwrap(), n);
        }
        assert_eq!(pool.threads(), 1);
        match Command::new("true").status() {
            Ok(status) => assert!(status.success()),
            Err(error) => assert!(raw_os_error(&error).is_some(), "{error:?}"),
        }
        setrlimit(
            Resource::As,
            Rlimit {
                current: None,
                maximum: None,
            },
        )
        .unwrap();
        ThreadPool::new(1).execute(|| ()).unwrap();
    });
}

#[test]
fn jobs_and_children_when_no_process_can_be_had() {
    // Root is not bound by that limit.
    const NOBODY: u32 = 65534;
    let test = "jobs_and_children_when_no_process_can_be_had";
    if !again::is_again() && rustix::process::getuid().is_root() {
        use std::os::unix::process::CommandExt;
        let mut command = again::again(module_path!(), test);
        command.uid(NOBODY);
        match command.output() {
            Ok(output) => assert!(
                output.status.success(),
                "{}\n{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(error) => eprintln!("skipped: this program cannot be run by another user: {error}"),
        }
        return;
    }
    alone(test, || {
        limit(Resource::Nproc, 0);
        let error = tpool::execute(|| ()).unwrap_err();
        let JobError::Refused(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!(raw_os_error(&error), Some(libc::EAGAIN), "{error}");
        let error = fs::metadata("/").unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::EAGAIN), "{error}");
        let error = Command::new("true").status().unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::EAGAIN), "{error}");
        assert!(error.to_string().contains("\"true\""), "{error}");
        let maximum = getrlimit(Resource::Nproc).maximum;
        setrlimit(
            Resource::Nproc,
            Rlimit {
                current: maximum,
                maximum,
            },
        )
        .unwrap();
        tpool::execute(|| ()).unwrap();
        assert!(Command::new("true").status().unwrap().success());
    });
}
