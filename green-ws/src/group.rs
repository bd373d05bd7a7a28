//! Several WebSockets, closed together.

use std::cell::RefCell;
use std::fmt;
use std::rc::{Rc, Weak};

use crate::Stream;
use crate::socket::{Opened, WebSocket};

/// Several WebSockets, to be closed together. It keeps none of them open. (A drain of a server closes all of its own by
/// itself: [`Upgrade::open`](crate::Upgrade::open).)
///
/// Clones are handles of the same group.
///
/// ```
/// use green_ws::{Group, Options, accept, client};
///
/// let (near, far) = green::net::UnixStream::pair()?;
/// let group = Group::new();
/// let member = group.clone();
/// let handler = green::spawn(move || {
///     let socket = accept(far, &Options::new())?;
///     member.add(&socket);
///     socket.receive()
/// });
/// let socket = client(near, "ws://localhost/", &Options::new())?;
/// let reader = socket.clone();
/// let reader = green::spawn(move || reader.receive());
/// while group.len() < 1 {
///     green::yield_now();
/// }
/// assert!(!group.is_empty());
/// for socket in group.members() {
///     println!("{} is open", socket.request().path());
/// }
/// assert_eq!(group.close(1001, "the server goes away"), 1);
/// assert_eq!(reader.join().unwrap()?, None);
/// assert_eq!(socket.close_frame().unwrap().code, 1001);
/// assert_eq!(handler.join().unwrap()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Group<S: Stream + 'static> {
    members: Rc<RefCell<Vec<Weak<Opened<S>>>>>,
}

impl<S: Stream + 'static> Group<S> {
    /// A group without WebSockets.
    pub fn new() -> Group<S> {
        Group {
            members: Rc::default(),
        }
    }

    /// Adds a WebSocket, until it is closed or dropped.
    pub fn add(&self, socket: &WebSocket<S>) {
        let mut members = self.members.borrow_mut();
        // Those that are gone are looked for whenever the list would grow.
        if members.len() == members.capacity() {
            members.retain(|member| member.strong_count() > 0);
        }
        members.push(socket.downgrade());
    }

    /// The WebSockets of the group that are open.
    pub fn members(&self) -> Vec<WebSocket<S>> {
        let members = self.members.borrow();
        let open = members.iter().filter_map(WebSocket::upgrade);
        open.filter(|socket| !socket.is_closed()).collect()
    }

    /// How many WebSockets of the group are open.
    pub fn len(&self) -> usize {
        self.members().len()
    }

    /// True if no WebSocket of the group is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes all, at the same time, each within its time for the closing handshake. Gives how many there were.
    pub fn close(&self, code: u16, reason: &str) -> usize {
        let closings: Vec<_> = self
            .members()
            .into_iter()
            .map(|socket| {
                let reason = reason.to_owned();
                green::spawn(move || {
                    if let Err(error) = socket.close(code, &reason) {
                        log::debug!("a WebSocket was not closed properly: {error}");
                    }
                })
            })
            .collect();
        green::joinall(&closings);
        closings.len()
    }
}

impl<S: Stream + 'static> Default for Group<S> {
    fn default() -> Group<S> {
        Group::new()
    }
}

impl<S: Stream + 'static> Clone for Group<S> {
    fn clone(&self) -> Group<S> {
        Group {
            members: Rc::clone(&self.members),
        }
    }
}

impl<S: Stream + 'static> fmt::Debug for Group<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("open", &self.len()).finish()
    }
}
