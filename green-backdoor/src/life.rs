//! The life of a server: it accepts, then it drains.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use green::{AnyGreenThread, Flag};

/// The sessions of a server, and what ends its accept loops.
pub(crate) struct Life {
    draining: Cell<bool>,
    closers: RefCell<Vec<Rc<dyn Fn()>>>,
    sessions: RefCell<HashMap<u64, Running>>,
    /// Set while there is no session.
    empty: Flag,
    ended: Flag,
}

struct Running {
    greenthread: AnyGreenThread,
    /// It waits for its client.
    idle: bool,
}

impl Life {
    pub(crate) fn new() -> Life {
        let empty = Flag::new();
        empty.set();
        Life {
            draining: Cell::new(false),
            closers: RefCell::default(),
            sessions: RefCell::default(),
            empty,
            ended: Flag::new(),
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.borrow().len()
    }

    /// Has a drain call `close`.
    pub(crate) fn on_drain(&self, close: Rc<dyn Fn()>) {
        self.closers.borrow_mut().push(close);
    }

    /// Waits until a drain has ended.
    pub(crate) fn wait(&self) {
        self.ended.wait();
    }

    /// The calling greenthread is a session until what this gives is dropped.
    pub(crate) fn session(self: &Rc<Life>) -> Session {
        let greenthread = green::current();
        let id = greenthread.id();
        let idle = false;
        let running = Running { greenthread, idle };
        self.sessions.borrow_mut().insert(id, running);
        self.empty.clear();
        Session(Rc::clone(self), id)
    }

    /// Ends the accept loops and the sessions: see [`Server::drain`](crate::Server::drain).
    pub(crate) fn drain(&self, timeout: Option<Duration>) -> usize {
        self.draining.set(true);
        let closers = self.closers.take();
        for close in closers {
            close();
        }
        // A command that drains is part of a session, which cannot wait for itself: it goes on when this returns.
        self.leave(green::current().id());
        self.kill(|running| running.idle);
        green::Timeout::silent(timeout, || self.empty.wait());
        let killed = self.kill(|_| true);
        self.ended.set();
        killed
    }

    fn leave(&self, id: u64) {
        let mut sessions = self.sessions.borrow_mut();
        let left = sessions.remove(&id);
        if sessions.is_empty() {
            self.empty.set();
        }
        drop(sessions);
        drop(left);
    }

    fn kill(&self, which: impl Fn(&Running) -> bool) -> usize {
        let sessions = self.sessions.borrow();
        let chosen = sessions.values().filter(|running| which(running));
        let chosen: Vec<_> = chosen.map(|running| running.greenthread.clone()).collect();
        drop(sessions);
        green::killall(&chosen);
        chosen.len()
    }
}

/// One client is served.
pub(crate) struct Session(Rc<Life>, u64);

impl Session {
    /// Runs `f`, which waits for the client: a drain ends it. `None` if one has begun.
    pub(crate) fn idle<T>(&self, f: impl FnOnce() -> T) -> Option<T> {
        if self.0.is_draining() {
            return None;
        }
        self.mark(true);
        let value = f();
        self.mark(false);
        Some(value)
    }

    fn mark(&self, idle: bool) {
        if let Some(running) = self.0.sessions.borrow_mut().get_mut(&self.1) {
            running.idle = idle;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}
