//! What is remembered of descriptors: what they are, and how the hub of this thread knows them.
//!
//! The number is the program's own: it may be closed at any time, and given out again. So each number has a
//! [stamp](generations::Stamp) that every close changes, in whatever thread, and what is remembered is good for as long as
//! the stamp is the same.

mod generations;
mod mode;

use std::cell::RefCell;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use green::layer::{self, Token};

pub(crate) use generations::{Stamp, closed, is_contended, mode_changed, shared, stamp};
pub(crate) use mode::{Kind, Mode};

/// What this thread remembers of one number.
#[derive(Clone, Copy)]
struct Entry {
    stamp: Stamp,
    mode: Mode,
    /// How the hub knows it.
    token: Option<Token>,
}

greenlet::per_thread! {
    /// By number.
    static KNOWN: RefCell<Vec<Option<Entry>>> = RefCell::new(Vec::new());
}

/// A descriptor as a call finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) fd: c_int,
    pub(crate) stamp: Stamp,
    pub(crate) mode: Mode,
    pub(crate) token: Option<Token>,
}

/// A number that the hub watches. Its owner may close it at any time.
struct Number(c_int);

impl AsFd for Number {
    fn as_fd(&self) -> BorrowedFd<'_> {
        borrow(self.0)
    }
}

/// The number as it is asked of the system: it is open, or the system says that it is not.
pub(crate) fn borrow<'a>(fd: c_int) -> BorrowedFd<'a> {
    // A negative number is no descriptor, and this one never is.
    let fd = if fd < 0 { c_int::MAX } else { fd };
    // SAFETY: nothing but system calls is done with it, for which a number that was closed is an error, and one that was
    // given out again the other file: every wait asks the stamp of the number afterwards.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Does something with what is remembered of a number. `None` if it is one that cannot be remembered, or if a handler of
/// signals has come in the middle of this.
fn with_entry<R>(fd: c_int, f: impl FnOnce(&mut Option<Entry>) -> R) -> Option<R> {
    let at = usize::try_from(fd).ok()?;
    KNOWN.with(|known| {
        let mut known = known.try_borrow_mut().ok()?;
        if known.len() <= at {
            if known.is_empty() {
                greenlet::at_thread_end(|_| drop(KNOWN.with(RefCell::take)));
            }
            known.resize(at + 1, None);
        }
        Some(f(&mut known[at]))
    })
}

fn entry(fd: c_int) -> Option<Entry> {
    let at = usize::try_from(fd).ok()?;
    KNOWN.with(|known| *known.try_borrow().ok()?.get(at)?)
}

/// What the descriptor is now. `None` if it is not open.
#[inline]
pub(crate) fn look(fd: c_int) -> Option<Seen> {
    let stamp = stamp(fd);
    match entry(fd) {
        Some(Entry {
            stamp: known,
            mode,
            token,
        }) if known == stamp => Some(Seen {
            fd,
            stamp,
            mode,
            token,
        }),
        former => look_anew(fd, former),
    }
}

#[cold]
#[inline(never)]
fn look_anew(fd: c_int, former: Option<Entry>) -> Option<Seen> {
    let is_kept = generations::remember(fd);
    // Before it is asked what it is: what changes meanwhile is seen the next time.
    let stamp = stamp(fd);
    let token = match former {
        Some(entry) if entry.stamp.is_same_file(stamp) => entry.token,
        Some(entry) => {
            forget_token(entry.token);
            None
        }
        None => None,
    };
    let mode = Mode::ask(fd)?;
    let fresh = Entry { stamp, mode, token };
    if is_kept {
        with_entry(fd, |entry| *entry = Some(fresh));
    }
    Some(Seen {
        fd,
        stamp,
        mode,
        token,
    })
}

/// The system has just given out this number for an open file of this mode, which nobody else has.
pub(crate) fn born(fd: c_int, mode: Mode) {
    if !layer::may_park() {
        return closed(fd);
    }
    forget_token(entry(fd).and_then(|entry| entry.token));
    generations::born(fd);
    let stamp = stamp(fd);
    with_entry(fd, |entry| {
        *entry = Some(Entry {
            stamp,
            mode,
            token: None,
        });
    });
}

impl Seen {
    /// Asks the system how its calls wait, before the first wait: who changes that by bare system calls does so before. False
    /// if that is another way than was remembered.
    pub(crate) fn is_confirmed(&mut self) -> bool {
        let mode = self.mode.confirm(self.fd);
        let is_same = mode == Some(self.mode);
        if !is_same {
            mode_changed(self.fd);
        }
        self.mode = mode.unwrap_or(self.mode);
        is_same
    }

    /// True if the number is still that of the same open file.
    pub(crate) fn is_open(&self) -> bool {
        stamp(self.fd).is_same_file(self.stamp)
    }

    /// Has the hub of this thread watch it.
    ///
    /// # Errors
    /// What the hub says: it may know the number from a file that another thread has closed.
    pub(crate) fn register(&mut self) -> io::Result<Token> {
        let token = layer::register(Rc::new(Number(self.fd)))?;
        let stamp = self.stamp;
        let kept = with_entry(self.fd, |entry| match entry {
            Some(entry) if entry.stamp.is_same_file(stamp) => {
                entry.token = Some(token);
                true
            }
            _ => false,
        });
        if kept != Some(true) {
            layer::forget(token);
            return Err(io::ErrorKind::NotFound.into());
        }
        self.token = Some(token);
        Ok(token)
    }
}

/// Has the hub of this thread forget the number, and wakes those who wait for it.
pub(crate) fn forget(fd: c_int) {
    let token = entry(fd).and_then(|entry| entry.token);
    if token.is_some() && forget_token(token) {
        with_entry(fd, |entry| {
            if let Some(entry) = entry {
                entry.token = None;
            }
        });
    }
}

fn forget_token(token: Option<Token>) -> bool {
    token.is_none_or(layer::forget)
}
