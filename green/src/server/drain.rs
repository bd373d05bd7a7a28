//! The life of a server: running, draining, waiting for what is under way, killing the rest.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use slab::Slab;

use super::connection::OpenConnection;
use super::state::{Drained, ServerState};
use crate::killall;
use crate::runtime::{Reason, Runtime, WaitList, Why};

pub(super) struct Life {
    pub(super) state: Cell<ServerState>,
    /// The earliest that a `drain` has asked for.
    pub(super) deadline: Cell<Option<Instant>>,
    killed: Cell<usize>,
    pub(super) connections: RefCell<Slab<OpenConnection>>,
    /// The connection of each greenthread that serves one, by its id.
    pub(super) served_by: RefCell<HashMap<u64, usize>>,
    /// How many accept loops have not ended.
    accepting: Cell<usize>,
    /// What a drain calls: each ends an accept loop.
    pub(super) closers: RefCell<Slab<Rc<dyn Fn()>>>,
    /// Greenthreads that wait until all connections have ended.
    waiters: RefCell<WaitList>,
    pub(super) accepted: Cell<u64>,
    pub(super) served: Cell<u64>,
    pub(super) refused: Cell<u64>,
    pub(super) by_status: RefCell<Vec<(u16, u64)>>,
}

impl Life {
    pub(super) fn new() -> Life {
        Life {
            state: Cell::new(ServerState::Running),
            deadline: Cell::new(None),
            killed: Cell::new(0),
            connections: RefCell::default(),
            served_by: RefCell::default(),
            accepting: Cell::new(0),
            closers: RefCell::default(),
            waiters: RefCell::new(WaitList::new()),
            accepted: Cell::new(0),
            served: Cell::new(0),
            refused: Cell::new(0),
            by_status: RefCell::default(),
        }
    }

    /// Something has ended, or the time has changed.
    pub(super) fn changed(&self) {
        if self.state.get() > ServerState::Running {
            self.waiters.borrow_mut().wake_all();
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.state.get() > ServerState::Running
    }

    pub(super) fn is_serving(&self) -> bool {
        self.state.get() < ServerState::Killing
    }

    pub(super) fn count_status(&self, status: u16) {
        let mut counts = self.by_status.borrow_mut();
        match counts.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => {
                counts.push((status, 1));
                counts.sort_unstable();
            }
        }
    }

    pub(super) fn begin(&self) {
        if self.state.get() > ServerState::Running {
            return;
        }
        self.state.set(ServerState::Draining);
        // Those that are told look for what has come before this.
        Runtime::with(Runtime::poll_next);
        let closers: Vec<_> = {
            let closers = self.closers.borrow();
            closers.iter().map(|(_, close)| Rc::clone(close)).collect()
        };
        for close in closers {
            close();
        }
        // A waker is foreign code: it is called outside the borrow.
        let wake: Vec<_> = {
            let connections = self.connections.borrow();
            connections
                .iter()
                .map(|(_, entry)| entry.to_cut())
                .collect()
        };
        for cut in wake {
            cut.cut();
        }
        if self.state.get() == ServerState::Draining {
            self.state.set(ServerState::Waiting);
        }
    }

    /// Waits until nothing is left, or kills the rest when the time is up.
    pub(super) fn finish(&self) -> Drained {
        let _inside = self.inside();
        let reason = Reason::Primitive("the end of a server's connections", self.address());
        while self.state.get() != ServerState::Stopped {
            if self.state.get() != ServerState::Killing {
                if self.others() == 0 && self.accepting.get() == 0 {
                    self.stopped();
                    break;
                }
                let deadline = self.deadline.get();
                if deadline.is_some_and(|deadline| deadline <= Runtime::with(Runtime::now)) {
                    self.kill();
                    break;
                }
            }
            let deadline = self.deadline.get();
            let waited =
                Runtime::with(|runtime| runtime.wait_in(&self.waiters, reason, deadline).served());
            if waited == Err(Why::Unwinding) {
                self.kill();
                break;
            }
        }
        Drained {
            killed: self.killed.get(),
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// How many are waited for: not the ones that wait here themselves.
    fn others(&self) -> usize {
        let connections = self.connections.borrow();
        connections
            .iter()
            .filter(|(_, entry)| !entry.drains.get())
            .count()
    }

    fn kill(&self) {
        self.state.set(ServerState::Killing);
        self.killed.set(self.others());
        let victims: Vec<_> = {
            let connections = self.connections.borrow();
            let others = connections.iter().filter(|(_, entry)| !entry.drains.get());
            others
                .filter_map(|(_, entry)| entry.greenthread().cloned())
                .collect()
        };
        killall(&victims);
        self.stopped();
    }

    fn stopped(&self) {
        self.state.set(ServerState::Stopped);
        self.changed();
    }

    /// Marks the connection of the calling greenthread, if it is one: it waits for the others.
    fn inside(&self) -> Inside<'_> {
        let key = self.mine();
        let connections = self.connections.borrow();
        if let Some(entry) = key.and_then(|key| connections.get(key)) {
            entry.drains.set(true);
        }
        Inside { shared: self, key }
    }

    /// The connection that the calling greenthread serves.
    pub(super) fn mine(&self) -> Option<usize> {
        let me = crate::current().id();
        self.served_by.borrow().get(&me).copied()
    }
}

/// An accept loop: a drain waits until it has accepted what had come before.
pub(super) struct Accepting<'a>(&'a Life);

impl<'a> Accepting<'a> {
    pub(super) fn begin(shared: &'a Life) -> Accepting<'a> {
        shared.accepting.set(shared.accepting.get() + 1);
        Accepting(shared)
    }
}

impl Drop for Accepting<'_> {
    fn drop(&mut self) {
        self.0.accepting.set(self.0.accepting.get() - 1);
        if self.0.others() == 0 {
            self.0.changed();
        }
    }
}

struct Inside<'a> {
    shared: &'a Life,
    key: Option<usize>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let connections = self.shared.connections.borrow();
        if let Some(entry) = self.key.and_then(|key| connections.get(key)) {
            entry.drains.set(false);
        }
    }
}

/// Takes the closer of an accept loop back.
pub(super) struct Closer<'a>(&'a Life, usize);

impl<'a> Closer<'a> {
    /// Has a drain call `close`, until this is dropped.
    pub(super) fn new(shared: &'a Life, close: impl Fn() + 'static) -> Closer<'a> {
        let key = shared.closers.borrow_mut().insert(Rc::new(close));
        Closer(shared, key)
    }
}

impl Drop for Closer<'_> {
    fn drop(&mut self) {
        drop(self.0.closers.borrow_mut().remove(self.1));
    }
}
