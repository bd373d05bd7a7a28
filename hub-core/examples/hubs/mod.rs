//! A hub by its name, for the examples

use std::{env, io};

use hub_core::Hub;

/// The hub that an argument of the command line names, or else the default.
pub(crate) fn argument(number: usize, default: &str) -> io::Result<Box<dyn Hub>> {
    named(env::args().nth(number).as_deref().unwrap_or(default))
}

fn named(name: &str) -> io::Result<Box<dyn Hub>> {
    Ok(match name {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        "epoll" => Box::new(hub_epoll::Epoll::new()?),
        "poll" => Box::new(hub_poll::Poll::new()?),
        "select" => Box::new(hub_select::Select::new()?),
        "polling" => Box::new(hub_polling::Polling::new()?),
        _ => {
            let what = format!("no hub {name:?}: there are epoll, poll, select and polling");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
    })
}
