//! The open of a FIFO, which waits until somebody opens the other end.

use std::ffi::{c_char, c_int};
use std::mem::MaybeUninit;

use green::layer::{self, Interest, WaitEnd};

use super::close::ends;
use super::poll::is_ready_now;
use crate::active::{Part, is_green};
use crate::known::borrow;
use crate::sys::{self, sys};
use crate::wait::Pause;

/// Opens the file as `openat` does, if it is a FIFO and whoever opens it would wait. `None` is any other file.
///
/// # Safety
/// As the manual of `openat` says.
pub(super) unsafe fn open(at: c_int, path: *const c_char, flags: c_int) -> Option<isize> {
    const AT_ONCE: c_int = libc::O_NONBLOCK | libc::O_PATH | libc::O_DIRECTORY;
    const NEW: c_int = libc::O_CREAT | libc::O_EXCL;
    let access = flags & libc::O_ACCMODE;
    if flags & AT_ONCE != 0 || flags & NEW == NEW || access == libc::O_RDWR || !is_green(Part::Os) {
        return None;
    }
    // SAFETY: as the caller vouches for.
    if !unsafe { is_fifo(at, path, flags) } {
        return None;
    }
    layer::spend();
    let errno = sys::errno();
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_openat, at, path, flags | libc::O_NONBLOCK, 0) };
    let opened = match access {
        libc::O_RDONLY => said,
        // SAFETY: as the caller vouches for.
        _ => unsafe { for_writing(said, at, path, flags) },
    };
    let ended = match opened {
        0.. => and_blocks(opened as c_int, access == libc::O_RDONLY),
        _ => opened,
    };
    sys::set_errno(errno);
    Some(ended)
}

/// # Safety
/// As for `open`.
unsafe fn is_fifo(at: c_int, path: *const c_char, flags: c_int) -> bool {
    let follow = match flags & libc::O_NOFOLLOW {
        0 => 0,
        _ => libc::AT_SYMLINK_NOFOLLOW,
    };
    let mut about = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: as the caller vouches for; there is room for what it says, and zeros say nothing.
    unsafe {
        let said = sys!(SYS_newfstatat, at, path, about.as_mut_ptr(), follow);
        said == 0 && about.assume_init().st_mode & libc::S_IFMT == libc::S_IFIFO
    }
}

/// Asks until there is a reader. `said` is what the system has said first.
///
/// # Safety
/// As for `open`.
unsafe fn for_writing(said: isize, at: c_int, path: *const c_char, flags: c_int) -> isize {
    let mut said = said;
    let mut pause = Pause::new();
    while sys::is(said, libc::ENXIO) {
        if let WaitEnd::Interrupted = pause.wait(None) {
            return -(libc::ECANCELED as isize);
        }
        // SAFETY: as the caller vouches for.
        said = unsafe { sys!(SYS_openat, at, path, flags | libc::O_NONBLOCK, 0) };
    }
    said
}

/// Waits for a writer, if it is the end of a reader; and makes it one that blocks, as it was asked for.
fn and_blocks(fd: c_int, reads: bool) -> isize {
    // What is remembered of this number is of a file that was closed unseen.
    ends(fd);
    let ended = match reads {
        true => for_reading(fd),
        false => 0,
    };
    // SAFETY: a number of this call's own, which nobody else knows.
    unsafe {
        if ended < 0 {
            sys!(SYS_close, fd);
            return ended;
        }
        let flags = sys!(SYS_fcntl, fd, libc::F_GETFL, 0);
        sys!(
            SYS_fcntl,
            fd,
            libc::F_SETFL,
            flags & !(libc::O_NONBLOCK as isize)
        );
    }
    fd as isize
}

/// Waits until somebody writes, or has opened it to write.
fn for_reading(fd: c_int) -> isize {
    let mut seldom = Pause::new();
    let writers = Writers::of(fd);
    loop {
        if is_ready_now(fd, layer::Direction::Read) || writers.any() {
            return 0;
        }
        // What is written ends the wait at once; that a writer has come without a word is looked for.
        let ended = layer::wait_fds(&[(borrow(fd), Interest::READ)], seldom.next());
        let ended = match ended {
            WaitEnd::Cannot(_) => seldom.wait(None),
            ended => ended,
        };
        if let WaitEnd::Interrupted = ended {
            return -(libc::ECANCELED as isize);
        }
    }
}

/// Says if a FIFO has writers: to copy what is in it, which takes nothing out, fails only if there are.
struct Writers {
    fifo: c_int,
    /// A pipe to copy to, unless there is none to be had.
    scratch: [c_int; 2],
}

impl Writers {
    fn of(fifo: c_int) -> Writers {
        let mut scratch = [-1; 2];
        // SAFETY: room for two numbers.
        unsafe { sys!(SYS_pipe2, scratch.as_mut_ptr(), libc::O_CLOEXEC) };
        scratch.into_iter().filter(|fd| *fd >= 0).for_each(ends);
        Writers { fifo, scratch }
    }

    fn any(&self) -> bool {
        let [_, to] = self.scratch;
        // SAFETY: descriptors that are open, or an error.
        let said = unsafe { sys!(SYS_tee, self.fifo, to, 1, libc::SPLICE_F_NONBLOCK) };
        said > 0 || sys::is(said, libc::EAGAIN)
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        for fd in self.scratch.into_iter().filter(|fd| *fd >= 0) {
            // SAFETY: made by `of`, and nobody else knows it.
            unsafe { sys!(SYS_close, fd) };
        }
    }
}
