//! A hub that reports what the test has put in, and writes down what it is asked

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use hub_core::{Event, Hub, Interest, Token, Trigger};

#[derive(Default)]
pub(crate) struct Script {
    pub(crate) registered: HashMap<RawFd, Token>,
    /// Every `arm`.
    pub(crate) armed: Vec<(Token, Interest)>,
    /// Every timeout.
    pub(crate) waits: Vec<Option<Duration>>,
    /// What the next wait reports.
    pub(crate) events: Vec<Event>,
    /// A descriptor that is refused.
    pub(crate) refused: Option<RawFd>,
    pub(crate) arm_fails: bool,
    pub(crate) wait_fails: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Scripted(pub(crate) Rc<RefCell<Script>>);

impl Hub for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, _trigger: Trigger) -> io::Result<()> {
        let mut script = self.0.borrow_mut();
        if script.refused == Some(fd.as_raw_fd()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is refused"));
        }
        script.registered.insert(fd.as_raw_fd(), token);
        Ok(())
    }

    fn arm(&mut self, _fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let mut script = self.0.borrow_mut();
        if script.arm_fails {
            return Err(io::ErrorKind::NotFound.into());
        }
        script.armed.push((token, interest));
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, _token: Token) -> io::Result<()> {
        let removed = self.0.borrow_mut().registered.remove(&fd.as_raw_fd());
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let mut script = self.0.borrow_mut();
        script.waits.push(timeout);
        if script.wait_fails {
            return Err(io::ErrorKind::Other.into());
        }
        events.append(&mut script.events);
        Ok(())
    }
}
