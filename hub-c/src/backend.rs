use std::ffi::CStr;

use hub_core::Hub;

use crate::errno::{Errno, Result};

/// A hub that may be used by any thread, one at a time.
pub(crate) type Backend = Box<dyn Hub + Send>;

/// A backend that can be chosen by its name.
pub(crate) struct Kind {
    pub(crate) name: &'static CStr,
    make: fn() -> std::io::Result<Backend>,
}

/// The best of this system first.
static KINDS: &[Kind] = &[
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Kind {
        name: c"epoll",
        make: || Ok(Box::new(hub_epoll::Epoll::new()?)),
    },
    Kind {
        name: c"polling",
        make: || Ok(Box::new(hub_polling::Polling::new()?)),
    },
    Kind {
        name: c"poll",
        make: || Ok(Box::new(hub_poll::Poll::new()?)),
    },
    Kind {
        name: c"select",
        make: || Ok(Box::new(hub_select::Select::new()?)),
    },
];

impl Kind {
    /// The backend of this name, the best of this system for none.
    ///
    /// # Errors
    /// EINVAL for a name that is not known here.
    pub(crate) fn named(name: &CStr) -> Result<&'static Kind> {
        let mut kinds = KINDS.iter();
        let kind = kinds.find(|kind| name.is_empty() || kind.name == name);
        kind.ok_or(Errno(libc::EINVAL))
    }

    /// # Errors
    /// What the system says.
    pub(crate) fn open(&self) -> Result<Backend> {
        Ok((self.make)()?)
    }
}
