//! A C interface to the hubs: `libhub.so`, `libhub.a` and `hub.h`
//!
//! For event loops in other languages: one readiness backend (epoll, poll, select or what the
//! polling crate has), chosen by name at run time, behind 18 functions. The functions are
//! documented in [`hub.h`](https://docs.rs/crate/hub-c/latest/source/include/hub.h), how to use
//! them in `docs/embedding.md`. From Rust use the crates of the hubs, which need none of this.
//!
//! ```
//! use hub::{HUB_READ, HubEvent, hub_add, hub_create, hub_destroy, hub_wait};
//! use std::{io::Write, os::fd::AsRawFd, os::unix::net::UnixStream};
//!
//! let (mut near, far) = UnixStream::pair()?;
//! // SAFETY: the name is a C string, and there is room for one event.
//! unsafe {
//!     let hub = hub_create(c"poll".as_ptr());
//!     assert_eq!(hub_add(hub, far.as_raw_fd(), HUB_READ), 0);
//!     near.write_all(b"x")?;
//!     let mut event = HubEvent::default();
//!     assert_eq!(hub_wait(hub, -1, &mut event, 1), 1);
//!     assert_eq!((event.fd, event.ready), (far.as_raw_fd(), HUB_READ));
//!     assert_eq!(hub_destroy(hub), 0);
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! | part | is |
//! |---|---|
//! | [`hub_create`], [`hub_name`], [`hub_version`], [`hub_destroy`], [`hub_after_fork`] | a hub |
//! | [`hub_add`], [`hub_add_with`], [`hub_set_data`], [`hub_modify`], [`hub_remove`] | what it watches |
//! | [`hub_wait`], [`HubEvent`], [`hub_notify`], [`hub_fd`] | its reports |
//! | [`hub_timer_add`], [`hub_timer_cancel`], [`hub_timer_next`], [`hub_timer_expired`], [`hub_timer_clear`] | timers |
//!
//! **Features**: none. **Environment**: none is read. **Threads**: one waits in a hub, any may change
//! it meanwhile; [`hub_notify`] may be called in a signal handler. **Panics**: none gets out, and
//! nothing is printed; a defect of the library is `-EIO`. **Platforms**: Unix; tried on Linux.

mod abi;
mod backend;
mod errno;
mod event;
mod fork;
mod lock;
mod output;
mod slot;
mod system;
mod timers;
mod wait;
mod watch;

pub use abi::*;
pub use event::{
    HUB_EDGE, HUB_ERR, HUB_HUP, HUB_NVAL, HUB_ONESHOT, HUB_PRI, HUB_RDHUP, HUB_READ, HUB_WRITE,
    HubEvent,
};
