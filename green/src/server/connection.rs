//! One connection of a server, as its life cycle sees it.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::task::Waker;

use super::drain::Life;
use crate::AnyGreenThread;

/// What a server knows of one of its connections.
pub(super) struct OpenConnection {
    /// Who serves it, once that has started.
    greenthread: OnceCell<AnyGreenThread>,
    pub(super) idle: Cell<bool>,
    /// True while it waits for the end of the others.
    pub(super) drains: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl OpenConnection {
    pub(super) fn greenthread(&self) -> Option<&AnyGreenThread> {
        self.greenthread.get()
    }

    pub(super) fn to_cut(&self) -> Cut {
        Cut(self.waker.borrow().clone())
    }
}

/// What tells a connection that a drain has begun.
pub(super) struct Cut(Option<Waker>);

impl Cut {
    pub(super) fn cut(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }
}

/// One connection of a server with a [`Lifecycle`](super::Lifecycle), for those who serve a protocol: a server counts
/// it as open, waits for its end and kills its greenthread, until this is dropped.
pub struct Connection {
    shared: Rc<Life>,
    key: usize,
}

impl Connection {
    pub(super) fn new(shared: Rc<Life>) -> Connection {
        let key = shared.connections.borrow_mut().insert(OpenConnection {
            greenthread: OnceCell::new(),
            idle: Cell::new(false),
            drains: Cell::new(false),
            waker: RefCell::default(),
        });
        Connection { shared, key }
    }

    /// The calling greenthread serves it. False if there is no time left for that.
    pub(super) fn start(&self) -> bool {
        let connections = self.shared.connections.borrow();
        let me = crate::current();
        self.shared.served_by.borrow_mut().insert(me.id(), self.key);
        let _ = connections[self.key].greenthread.set(me);
        self.shared.is_serving()
    }

    /// Says whether nothing is under way on it.
    pub fn set_idle(&self, idle: bool) {
        self.shared.connections.borrow()[self.key].idle.set(idle);
    }

    /// Has a task woken when a drain begins, which must then look at [`is_draining`](Connection::is_draining): the
    /// last one that this was called with.
    pub fn wake_on_drain(&self, waker: &Waker) {
        let connections = self.shared.connections.borrow();
        let place = &connections[self.key].waker;
        let known = matches!(&*place.borrow(), Some(known) if known.will_wake(waker));
        if !known {
            let former = place.replace(Some(waker.clone()));
            drop(connections);
            drop(former);
        }
    }

    /// True from the beginning of a drain on.
    pub fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    /// Counts one more thing served, with its status if the protocol has one.
    pub fn count_served(&self, status: Option<u16>) {
        self.shared.served.set(self.shared.served.get() + 1);
        if let Some(status) = status {
            self.shared.count_status(status);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let entry = self.shared.connections.borrow_mut().remove(self.key);
        if let Some(greenthread) = entry.greenthread() {
            let mut served_by = self.shared.served_by.borrow_mut();
            // One that serves several is known by the last.
            if served_by.get(&greenthread.id()) == Some(&self.key) {
                served_by.remove(&greenthread.id());
            }
        }
        drop(entry);
        self.shared.changed();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
