//! A C library that is loaded while the program runs, compiled to check its buffers.

use std::ffi::{CStr, CString, c_int};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::common::{SHORT, cooperates, later, patched};

const SOURCE: &str = r#"
#include <poll.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

/* How many bytes come, waited for by poll and then by read. */
int by_read(int fd, int most) {
    char buffer[64];
    struct pollfd wanted[1] = {{fd, POLLIN, 0}};
    if (poll(wanted, 1, -1) != 1) return -1;
    int all = read(fd, buffer, most);
    return all + (int) read(fd, buffer, most);
}

int by_recv(int fd, int most) {
    char buffer[64];
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    if (select(fd + 1, &set, 0, 0, 0) != 1) return -1;
    int all = recv(fd, buffer, most, 0);
    return all + (int) recvfrom(fd, buffer, most, 0, 0, 0);
}

int sleeps(int ms) { return usleep(ms * 1000); }
"#;

type Function = unsafe extern "C" fn(c_int, c_int) -> c_int;

/// The functions of the library, if there is a compiler.
fn library() -> Option<impl Fn(&CStr) -> Function> {
    let name = format!("/tmp/green-patch-{}-outside", std::process::id());
    std::fs::write(format!("{name}.c"), SOURCE).unwrap();
    let compiled = Command::new("cc")
        .args([
            "-shared",
            "-fPIC",
            "-O2",
            "-U_FORTIFY_SOURCE",
            "-D_FORTIFY_SOURCE=2",
            "-o",
        ])
        .args([format!("{name}.so"), format!("{name}.c")])
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        eprintln!("left out: there is no cc");
        return None;
    }
    let path = CString::new(format!("{name}.so")).unwrap();
    // SAFETY: a library that does nothing when it is loaded.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!library.is_null());
    for end in ["c", "so"] {
        std::fs::remove_file(format!("{name}.{end}")).unwrap();
    }
    Some(move |name: &CStr| {
        // SAFETY: functions that are declared so; one takes less.
        unsafe {
            std::mem::transmute::<*mut libc::c_void, Function>(libc::dlsym(library, name.as_ptr()))
        }
    })
}

#[test]
fn a_c_library_that_is_loaded_late_lets_others_run() {
    patched(|| {
        let Some(library) = library() else {
            return;
        };
        for name in [c"by_read", c"by_recv"] {
            let (near, mut far) = UnixStream::pair().unwrap();
            let writer = green::spawn(move || {
                for piece in [b"abc", b"def"] {
                    green::sleep(SHORT);
                    far.write_all(piece).unwrap();
                }
                far
            });
            let call = library(name);
            // SAFETY: a socket, and less than there is room for.
            let (all, took) = cooperates(|| unsafe { call(near.as_raw_fd(), 50) });
            assert_eq!(all, 6);
            assert!(took >= SHORT * 2);
            drop(writer.join().unwrap());
        }
        let sleeps = library(c"sleeps");
        later(|| ());
        // SAFETY: it takes one number.
        assert_eq!(cooperates(|| unsafe { sleeps(20, 0) }).0, 0);
    });
}
