//! Every name of libc that is ours, by which the program is looked through.

use std::ffi::CStr;

use super::{
    accept, checked, close, connect, epoll, file, many, mode, names, poll, process, receive,
    select, send, sleep, socket, splice,
};
use crate::active::Part;

/// One name.
#[derive(Clone, Copy)]
pub(crate) struct Hook {
    /// It ends with a zero.
    name: &'static str,
    /// `None` for one that only takes notice.
    pub(crate) part: Option<Part>,
    /// Where ours is.
    pub(crate) address: usize,
}

impl Hook {
    /// As the linker has it.
    pub(crate) fn c_name(&self) -> &'static CStr {
        CStr::from_bytes_with_nul(self.name.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name.trim_end_matches('\0')
    }
}

macro_rules! table {
    ($($part:expr => $($module:ident :: $name:ident)+;)+) => {
        vec![$($(Hook {
            name: concat!(stringify!($name), "\0"),
            part: $part,
            address: $module::$name as *const () as usize,
        },)+)+]
    };
}

/// All of them. Whoever asks for it has them linked: those in a library that nobody asks for are left out.
pub(crate) fn hooks() -> Vec<Hook> {
    use Part::{Os, Select, Socket, Time};
    table! {
        Some(Os) => file::read file::readv file::write file::writev checked::__read_chk
            process::wait process::waitpid process::wait3 process::wait4 process::waitid splice::splice;
        Some(Select) => poll::poll poll::ppoll select::select select::pselect epoll::epoll_wait
            epoll::epoll_pwait epoll::epoll_pwait2 checked::__poll_chk checked::__ppoll_chk
            checked::__poll checked::__select;
        Some(Socket) => receive::recv receive::recvfrom receive::recvmsg send::send send::sendto
            send::sendmsg many::recvmmsg many::sendmmsg accept::accept accept::accept4
            connect::connect splice::sendfile splice::sendfile64 names::getaddrinfo
            names::getnameinfo names::gethostbyname names::gethostbyname2 names::gethostbyaddr
            checked::__recv_chk checked::__recvfrom_chk;
        Some(Time) => sleep::nanosleep sleep::clock_nanosleep sleep::usleep sleep::sleep;
        None => close::close close::close_range close::closefrom close::dup close::dup2 close::dup3
            close::shutdown mode::fcntl mode::fcntl64 mode::ioctl mode::setsockopt socket::socket
            socket::socketpair socket::pipe socket::pipe2;
    }
}
