use std::ffi::{CStr, CString};
use std::io::Write;
use std::mem;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::process::{Command, Stdio};
use std::ptr;

use crate::common::{LONG, SHORT, cooperates, patched};

#[test]
fn a_command_is_waited_for() {
    patched(|| {
        let (output, _) = cooperates(|| {
            Command::new("sh")
                .args(["-c", "sleep 0.05; echo said; exit 3"])
                .output()
                .unwrap()
        });
        assert_eq!(
            (&output.stdout[..], output.status.code()),
            (&b"said\n"[..], Some(3))
        );
        let (status, _) = cooperates(|| Command::new("sleep").arg("0.05").status().unwrap());
        assert!(status.success());
    });
}

#[test]
fn both_ends_of_a_command_are_pipes() {
    patched(|| {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = vec![b'x'; 1 << 20];
        let same = bytes.clone();
        let writer = green::spawn(move || stdin.write_all(&same).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.stdout == bytes);
    });
}

#[test]
fn many_commands_run_at_once() {
    patched(|| {
        let start = std::time::Instant::now();
        let all: Vec<_> = (0..20)
            .map(|_| {
                green::spawn(|| {
                    Command::new("sleep")
                        .arg("0.3")
                        .output()
                        .unwrap()
                        .status
                        .success()
                })
            })
            .collect();
        for one in all {
            assert!(one.join().unwrap());
        }
        // In turn they take six seconds.
        assert!(start.elapsed().as_secs() < 5);
    });
}

#[test]
#[allow(clippy::zombie_processes, reason = "each is waited for by number")]
fn each_name_of_a_wait_lets_others_run() {
    patched(|| {
        let spawn = || {
            let child = Command::new("sh")
                .args(["-c", "sleep 0.05; exit 7"])
                .spawn()
                .unwrap();
            child.id() as libc::pid_t
        };
        // SAFETY: room for what each says.
        unsafe {
            let mut status = 0;
            let child = spawn();
            assert_eq!(cooperates(|| libc::waitpid(child, &mut status, 0)).0, child);
            assert_eq!(libc::WEXITSTATUS(status), 7);
            let child = spawn();
            assert_eq!(libc::waitpid(child, &mut status, libc::WNOHANG), 0);
            let waited =
                cooperates(|| libc::wait4(child, &mut status, libc::WUNTRACED, ptr::null_mut()));
            assert_eq!((waited.0, libc::WEXITSTATUS(status)), (child, 7));
            let child = spawn();
            let mut info: libc::siginfo_t = mem::zeroed();
            let wait = |info: *mut libc::siginfo_t| {
                libc::waitid(libc::P_PID, child as _, info, libc::WEXITED)
            };
            assert_eq!(cooperates(|| wait(&mut info)).0, 0);
            assert_eq!((info.si_pid(), info.si_status()), (child, 7));
            assert_eq!(
                (libc::waitpid(child, &mut status, 0), crate::common::errno()),
                (-1, libc::ECHILD)
            );
        }
    });
}

#[test]
fn a_kill_ends_the_wait_for_a_child() {
    patched(|| {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let waiter = green::Timeout::new(SHORT).run(|| child.wait().map(drop));
        assert!(waiter.is_err());
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn names_are_looked_up_elsewhere() {
    patched(|| {
        let found: Vec<_> = ("localhost", 80).to_socket_addrs().unwrap().collect();
        assert!(found.iter().any(|address| address.ip().is_loopback()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpStream::connect(("localhost", listener.local_addr().unwrap().port())).unwrap();
        let error = ("no-such-name.invalid", 80).to_socket_addrs().unwrap_err();
        assert!(error.to_string().contains("lookup"), "{error}");
    });
}

#[test]
fn each_name_of_a_lookup_works() {
    unsafe extern "C" {
        fn gethostbyname(name: *const i8) -> *mut libc::hostent;
        fn gethostbyname2(name: *const i8, family: i32) -> *mut libc::hostent;
        fn gethostbyaddr(address: *const u8, len: u32, family: i32) -> *mut libc::hostent;
    }
    patched(|| {
        let name = CString::new("127.0.0.1").unwrap();
        // SAFETY: names that end with a zero, and what libc gives for them.
        unsafe {
            for found in [
                gethostbyname(name.as_ptr()),
                gethostbyname2(name.as_ptr(), libc::AF_INET),
            ] {
                assert!(!found.is_null());
                let address = *(*found).h_addr_list.cast::<*const [u8; 4]>();
                assert_eq!(*address, [127, 0, 0, 1]);
            }
            let _ = gethostbyaddr([127, 0, 0, 1].as_ptr(), 4, libc::AF_INET);
            let mut address: libc::sockaddr_in = mem::zeroed();
            address.sin_family = libc::AF_INET as _;
            address.sin_port = 80u16.to_be();
            address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
            let (mut host, mut service) = ([0i8; 64], [0i8; 64]);
            let said = libc::getnameinfo(
                (&raw const address).cast(),
                mem::size_of_val(&address) as _,
                host.as_mut_ptr(),
                64,
                service.as_mut_ptr(),
                64,
                libc::NI_NUMERICHOST | libc::NI_NUMERICSERV,
            );
            assert_eq!(said, 0);
            assert_eq!(CStr::from_ptr(host.as_ptr()).to_str(), Ok("127.0.0.1"));
            assert_eq!(CStr::from_ptr(service.as_ptr()).to_str(), Ok("80"));
        }
    });
}

#[test]
fn a_child_of_a_fork_blocks_until_it_has_a_hub_of_its_own() {
    patched(|| {
        let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let forker = green::spawn(move || {
            // SAFETY: the child makes system calls and allocates, as a program with one thread may.
            match unsafe { libc::fork() } {
                0 => {
                    std::thread::sleep(SHORT);
                    (&far).write_all(b"from the child").unwrap();
                    // SAFETY: it ends the process, without what the parent has to do at its end.
                    unsafe { libc::_exit(0) }
                }
                child => child,
            }
        });
        let child = forker.join().unwrap();
        let mut text = String::new();
        let read =
            green::Timeout::new(LONG).run(|| std::io::Read::read_to_string(&mut near, &mut text));
        read.unwrap().unwrap();
        assert_eq!(text, "from the child");
        // SAFETY: room for a status.
        unsafe { libc::waitpid(child, ptr::null_mut(), 0) };
    });
}

#[test]
fn commands_of_c_are_waited_for() {
    patched(|| {
        // SAFETY: texts that end with a zero, and a file that is closed once.
        unsafe {
            let (said, took) = cooperates(|| libc::system(c"sleep 0.03; exit 3".as_ptr()));
            assert!(
                libc::WIFEXITED(said) && libc::WEXITSTATUS(said) == 3,
                "{said}"
            );
            assert!(took >= SHORT);
            let file = libc::popen(c"sleep 0.03; exit 4".as_ptr(), c"r".as_ptr());
            assert!(!file.is_null());
            let (said, took) = cooperates(|| libc::pclose(file));
            assert!(
                libc::WIFEXITED(said) && libc::WEXITSTATUS(said) == 4,
                "{said}"
            );
            assert!(took >= SHORT);
        }
    });
}
