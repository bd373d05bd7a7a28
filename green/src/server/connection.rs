//! One connection of a server, as its life cycle sees it.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::task::Waker;

use super::drain::Life;
use crate::AnyGreenThread;
use crate::runtime::{Runtime, ThreadState};

/// What a server knows of one of its connections.
pub(super) struct OpenConnection {
    /// The greenthread that serves it, once that has started.
    greenthread: OnceCell<AnyGreenThread>,
    pub(super) idle: Cell<bool>,
    /// True while it waits for the end of the others.
    pub(super) drains: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    on_drain: RefCell<Option<OnDrain>>,
}

/// Called in a greenthread of its own.
type OnDrain = Box<dyn FnOnce()>;

impl OpenConnection {
    pub(super) fn greenthread(&self) -> Option<&AnyGreenThread> {
        self.greenthread.get()
    }

    pub(super) fn to_cut(&self) -> Cut {
        Cut {
            waker: self.waker.borrow().clone(),
            call: self.on_drain.take(),
        }
    }
}

/// What tells a connection that a drain has begun.
pub(super) struct Cut {
    waker: Option<Waker>,
    call: Option<OnDrain>,
}

impl Cut {
    pub(super) fn cut(self) {
        if let Some(waker) = self.waker {
            waker.wake();
        }
        if let Some(call) = self.call {
            spawn(call);
        }
    }
}

fn spawn(call: OnDrain) {
    if let Err(error) = crate::Builder::new().spawn_n(call) {
        log::warn!("a connection is not told of a drain: {error}");
    }
}

/// The lives of the servers of a thread, for [`on_drain`].
#[derive(Default)]
pub(super) struct Lives(RefCell<Vec<Weak<Life>>>);

impl ThreadState for Lives {}

impl Lives {
    pub(super) fn add(life: &Rc<Life>) {
        let lives = Runtime::with(Runtime::state::<Lives>);
        let mut lives = lives.0.borrow_mut();
        lives.retain(|life| life.strong_count() > 0);
        lives.push(Rc::downgrade(life));
    }
}

/// Has `f` called, in a greenthread of its own, when the server that has the calling greenthread's connection begins to
/// drain; at once, if it drains already. It is for a protocol that has something to say before it ends, as a WebSocket
/// has. The last `f` of a connection counts, until the connection ends.
///
/// False if the calling greenthread serves no connection of a [`Lifecycle`](super::Lifecycle): then `f` is dropped.
///
/// ```
/// use std::io::{Read, Write};
/// use std::rc::Rc;
/// use std::time::Duration;
/// use green::net::Shutdown;
/// use green::server::{Lifecycle, on_drain};
///
/// let life = Lifecycle::new();
/// let listener = green::listen("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let serving = life.clone();
/// green::spawn_n(move || {
///     let _ = serving.serve(&listener, 10, |stream, _| {
///         let stream = Rc::new(stream);
///         let parting = Rc::clone(&stream);
///         on_drain(move || {
///             let _ = (&*parting).write_all(b"goodbye\n");
///             let _ = parting.shutdown(Shutdown::Both);
///         });
///         (&*stream).write_all(b"hello\n")?;
///         (&*stream).read(&mut [0]).map(drop)
///     });
/// });
/// let mut client = green::connect(address)?;
/// client.read_exact(&mut [0; 6])?;
/// life.drain(Duration::from_secs(10));
/// let mut text = String::new();
/// client.read_to_string(&mut text)?;
/// assert_eq!(text, "goodbye\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn on_drain(f: impl FnOnce() + 'static) -> bool {
    let Some(lives) = Runtime::with(Runtime::existing_state::<Lives>) else {
        return false;
    };
    let mine = {
        let lives = lives.0.borrow();
        let lives = lives.iter().rev().filter_map(Weak::upgrade);
        lives.filter_map(|life| Some((life.mine()?, life))).next()
    };
    let Some((key, life)) = mine else {
        return false;
    };
    let call: OnDrain = Box::new(f);
    if life.is_draining() {
        spawn(call);
        return true;
    }
    let former = life.connections.borrow()[key].on_drain.replace(Some(call));
    drop(former);
    true
}

/// One connection of a server with a [`Lifecycle`](super::Lifecycle), for those who serve a protocol: a server counts
/// it as open, waits for its end and kills its greenthread, until this is dropped.
///
/// ```
/// use green::server::{Connection, Lifecycle};
///
/// let life = Lifecycle::new();
/// let connection: Connection = life.connection();
/// connection.wake_on_drain(std::task::Waker::noop()); // A task's, in earnest.
/// connection.count_served(Some(200));
/// connection.set_idle(true);
/// assert!(!connection.is_draining());
/// assert_eq!((life.counters().open, life.counters().idle), (1, 1));
/// assert_eq!(life.counters().by_status, [(200, 1)]);
/// drop(connection);
/// assert_eq!(life.counters().open, 0);
/// ```
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
            on_drain: RefCell::default(),
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
