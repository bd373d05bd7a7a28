//! Every name of libc that is ours, by which the program is looked through.

use std::ffi::CStr;

use super::{
    accept, checked, close, connect, epoll, file, given, lock, many, mode, names, poll, process,
    receive, select, send, sleep, socket, splice,
};
use crate::active::Part;
use crate::{futex, keys, pthread};

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
    use Part::{Os, Select, Socket, Thread, Time};
    table! {
        Some(Os) => file::read file::readv file::write file::writev checked::__read_chk
            process::wait process::waitpid process::wait3 process::wait4 process::waitid process::system
            process::pclose splice::splice lock::flock lock::lockf lock::lockf64;
        Some(Select) => poll::poll poll::ppoll select::select select::pselect epoll::epoll_wait
            epoll::epoll_pwait epoll::epoll_pwait2 checked::__poll_chk checked::__ppoll_chk
            checked::__poll checked::__select;
        Some(Socket) => receive::recv receive::recvfrom receive::recvmsg send::send send::sendto
            send::sendmsg many::recvmmsg many::sendmmsg accept::accept accept::accept4
            connect::connect splice::sendfile splice::sendfile64 names::getaddrinfo
            names::getnameinfo names::gethostbyname names::gethostbyname2 names::gethostbyaddr
            checked::__recv_chk checked::__recvfrom_chk;
        Some(Thread) => futex::syscall pthread::pthread_mutex_lock pthread::pthread_mutex_timedlock
            pthread::pthread_mutex_clocklock pthread::pthread_mutex_unlock pthread::pthread_cond_wait
            pthread::pthread_cond_timedwait pthread::pthread_cond_clockwait pthread::pthread_cond_signal
            pthread::pthread_cond_broadcast pthread::pthread_rwlock_rdlock
            pthread::pthread_rwlock_timedrdlock pthread::pthread_rwlock_clockrdlock
            pthread::pthread_rwlock_wrlock pthread::pthread_rwlock_timedwrlock
            pthread::pthread_rwlock_clockwrlock pthread::pthread_rwlock_unlock pthread::sem_wait
            pthread::sem_timedwait pthread::sem_clockwait pthread::sem_post pthread::pthread_barrier_init
            pthread::pthread_barrier_destroy pthread::pthread_barrier_wait pthread::pthread_once
            pthread::pthread_join pthread::pthread_create pthread::fork pthread::sched_yield
            pthread::mtx_lock pthread::mtx_timedlock pthread::mtx_unlock pthread::cnd_wait
            pthread::cnd_timedwait pthread::cnd_signal pthread::cnd_broadcast pthread::call_once
            pthread::thrd_create pthread::thrd_join pthread::thrd_sleep pthread::thrd_yield
            pthread::tss_create pthread::tss_delete pthread::tss_set
            keys::pthread_key_create keys::pthread_key_delete keys::pthread_setspecific;
        Some(Time) => sleep::nanosleep sleep::clock_nanosleep sleep::usleep sleep::sleep;
        None => close::close close::close_range close::closefrom close::dup close::dup2 close::dup3
            close::shutdown mode::fcntl mode::fcntl64 mode::ioctl mode::setsockopt socket::socket
            socket::socketpair socket::pipe socket::pipe2 given::open given::open64 given::openat
            given::openat64 given::creat given::creat64 given::epoll_create given::epoll_create1
            given::eventfd given::timerfd_create given::signalfd given::inotify_init
            given::inotify_init1 given::memfd_create close::fclose checked::__open_2 checked::__open64_2
            checked::__openat_2 checked::__openat64_2;
    }
}
