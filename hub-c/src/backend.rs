use std::ffi::CStr;
use std::os::fd::AsRawFd;

use hub_core::Hub;
use hub_poll::Poll;
use hub_polling::Polling;
use hub_select::Select;

use crate::errno::{Errno, Result};

/// A hub that may be used by any thread, one at a time.
pub(crate) type Backend = Box<dyn Hub + Send>;

/// A hub by its name, the best of this system for none.
///
/// # Errors
/// EINVAL for a name that is not known here, and what the system says.
pub(crate) fn open(name: &[u8]) -> Result<Backend> {
    Ok(match name {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        b"epoll" | b"" => Box::new(hub_epoll::Epoll::new()?),
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        b"" => Box::new(Polling::new()?),
        b"poll" => Box::new(Poll::new()?),
        b"select" => Box::new(Select::new()?),
        b"polling" => Box::new(Polling::new()?),
        _ => return Err(Errno(libc::EINVAL)),
    })
}

/// The name of a hub as C reads it.
pub(crate) fn c_name(name: &str) -> &'static CStr {
    match name {
        "epoll" => c"epoll",
        "poll" => c"poll",
        "select" => c"select",
        _ => c"polling",
    }
}

/// Whether the system itself knows which descriptors are registered, and forgets those that are
/// closed.
pub(crate) fn is_remembered(hub: &dyn Hub) -> bool {
    hub.name() == "epoll"
}

/// Drops a hub in a child process, where the set of descriptors behind its own descriptor is
/// still the parent's: some hubs empty the set when they are dropped.
pub(crate) fn disown(hub: Backend) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(shared) = hub.as_fd() {
        // SAFETY: it takes no pointers.
        let empty = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        // SAFETY: both numbers are open, and of the same kind; the hub goes on with an empty set.
        if empty < 0 || unsafe { libc::dup3(empty, shared.as_raw_fd(), libc::O_CLOEXEC) } < 0 {
            std::mem::forget(hub); // Its descriptors are lost, which is better than the parent's.
        }
        if empty >= 0 {
            // SAFETY: this function has made it, and nobody else knows it.
            unsafe { libc::close(empty) };
        }
        return;
    }
    drop(hub);
}
