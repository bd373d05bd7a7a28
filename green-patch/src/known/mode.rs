//! What a descriptor is and how its calls wait.

use std::ffi::{c_int, c_void};
use std::mem;
use std::time::Duration;

use green::layer::Direction;

use crate::sys::sys;

/// What a descriptor is, as far as its calls differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A stream of bytes and nothing but bytes: a transfer of less than was asked says that its buffer is empty, or full.
    Tcp,
    /// Another socket whose bytes are a stream.
    Stream,
    /// A socket of messages.
    Datagram,
    Pipe,
    /// A terminal or another device.
    Device,
    /// An epoll, an eventfd, a process, a timer.
    Other,
    /// A regular file or a directory, whose calls do not wait in this sense.
    File,
}

impl Kind {
    pub(crate) fn is_socket(self) -> bool {
        matches!(self, Kind::Tcp | Kind::Stream | Kind::Datagram)
    }

    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Kind::Tcp | Kind::Stream)
    }

    /// Of a socket that is made with these arguments of `socket`.
    pub(crate) fn of_socket(domain: c_int, kind: c_int, protocol: c_int) -> Kind {
        let is_inet = domain == libc::AF_INET || domain == libc::AF_INET6;
        match kind & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) {
            libc::SOCK_STREAM if is_inet && [0, libc::IPPROTO_TCP].contains(&protocol) => Kind::Tcp,
            libc::SOCK_STREAM => Kind::Stream,
            _ => Kind::Datagram,
        }
    }
}

/// What a descriptor is and how its calls wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) kind: Kind,
    /// Its calls never wait: `O_NONBLOCK`.
    pub(crate) nonblocking: bool,
    /// It has a timeout for reading, for writing.
    timed: [bool; 2],
}

impl Mode {
    /// Of one that was just made.
    pub(crate) fn fresh(kind: Kind, nonblocking: bool) -> Mode {
        Mode {
            kind,
            nonblocking,
            timed: [false; 2],
        }
    }

    /// Of one that was accepted from a listener of this mode.
    pub(crate) fn accepted(self, nonblocking: bool) -> Mode {
        Mode {
            nonblocking,
            ..self
        }
    }

    /// Asks the system. `None` if it is not open.
    pub(crate) fn ask(fd: c_int) -> Option<Mode> {
        // SAFETY: asks for the flags of a number that may be open or not.
        let flags = unsafe { sys!(SYS_fcntl, fd, libc::F_GETFL) };
        if flags < 0 {
            return None;
        }
        Some(Mode::with(fd, flags, ask_kind(fd)?))
    }

    /// As `ask`, of one whose kind is known.
    pub(crate) fn confirm(self, fd: c_int) -> Option<Mode> {
        // SAFETY: asks for the flags of a number that may be open or not.
        let flags = unsafe { sys!(SYS_fcntl, fd, libc::F_GETFL) };
        (flags >= 0).then(|| Mode::with(fd, flags, self.kind))
    }

    fn with(fd: c_int, flags: isize, kind: Kind) -> Mode {
        let timed = match kind.is_socket() {
            true => DIRECTIONS.map(|direction| timeout(fd, direction).is_some()),
            false => [false; 2],
        };
        Mode {
            kind,
            nonblocking: flags & libc::O_NONBLOCK as isize != 0,
            timed,
        }
    }

    /// How long a call of this direction may wait, if that is bounded.
    pub(crate) fn timeout(self, fd: c_int, direction: Direction) -> Option<Duration> {
        self.timed[direction as usize].then(|| timeout(fd, direction))?
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Write];

fn ask_kind(fd: c_int) -> Option<Kind> {
    let mut stat = mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel writes at most what `stat` has room for.
    if unsafe { sys!(SYS_fstat, fd, stat.as_mut_ptr()) } < 0 {
        return None;
    }
    // SAFETY: zeroed, and then written by the kernel.
    let stat = unsafe { stat.assume_init() };
    Some(match stat.st_mode & libc::S_IFMT {
        libc::S_IFSOCK => ask_socket(fd),
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFCHR => Kind::Device,
        libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK | libc::S_IFLNK => file_or_other(fd),
        _ => Kind::Other,
    })
}

/// Some kernels call what has no file a regular one. It cannot be sought in.
fn file_or_other(fd: c_int) -> Kind {
    // SAFETY: asks for a position, and changes none.
    let position = unsafe { sys!(SYS_lseek, fd, 0, libc::SEEK_CUR) };
    match position == -(libc::ESPIPE as isize) {
        true => Kind::Other,
        false => Kind::File,
    }
}

fn ask_socket(fd: c_int) -> Kind {
    let option = |name| {
        let mut value: c_int = 0;
        let mut len = mem::size_of::<c_int>() as libc::socklen_t;
        let (value_at, len_at): (*mut c_int, *mut libc::socklen_t) = (&mut value, &mut len);
        // SAFETY: the kernel writes an int and its length.
        unsafe { sys!(SYS_getsockopt, fd, libc::SOL_SOCKET, name, value_at, len_at) };
        value
    };
    match option(libc::SO_TYPE) {
        libc::SOCK_STREAM if option(libc::SO_PROTOCOL) == libc::IPPROTO_TCP => Kind::Tcp,
        libc::SOCK_STREAM => Kind::Stream,
        _ => Kind::Datagram,
    }
}

/// `SO_RCVTIMEO` or `SO_SNDTIMEO`.
fn timeout(fd: c_int, direction: Direction) -> Option<Duration> {
    let name = match direction {
        Direction::Read => libc::SO_RCVTIMEO,
        Direction::Write => libc::SO_SNDTIMEO,
    };
    let mut value = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let mut len = mem::size_of::<libc::timeval>() as libc::socklen_t;
    let value_at: *mut c_void = (&raw mut value).cast();
    let len_at: *mut libc::socklen_t = &mut len;
    // SAFETY: the kernel writes a timeval and its length.
    let said = unsafe { sys!(SYS_getsockopt, fd, libc::SOL_SOCKET, name, value_at, len_at) };
    let after = Duration::new(
        value.tv_sec.max(0) as u64,
        value.tv_usec.max(0) as u32 * 1000,
    );
    (said == 0 && !after.is_zero()).then_some(after)
}
