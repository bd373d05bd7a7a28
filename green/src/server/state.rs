//! What a server says of itself.

/// Where a server is in its life. A later one is greater.
///
/// ```
/// use green::server::ServerState;
///
/// assert!(ServerState::Running < ServerState::Stopped);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerState {
    /// It accepts connections.
    Running,
    /// It is closing its listeners and cutting the idle connections.
    Draining,
    /// It waits for the connections on which something is under way.
    Waiting,
    /// The time is up: it kills what has not ended.
    Killing,
    /// It has ended, and none of its connections is left.
    Stopped,
}

/// How many connections a server has now, and how much it has done since it began.
///
/// ```
/// let server = green::server::Lifecycle::new();
/// let counters = server.counters();
/// assert_eq!((counters.open, counters.accepted, counters.served), (0, 0, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerCounters {
    /// Connections that are open, the idle ones included.
    pub open: usize,
    /// Those of them on which nothing is under way.
    pub idle: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections whose handler has ended; of an HTTP server, the answers.
    pub served: u64,
    /// Connections closed without being served, because there was no memory or no descriptor for them.
    pub refused: u64,
    /// Answers by their status, in its order. Protocols that have none leave it empty.
    pub by_status: Vec<(u16, u64)>,
}

impl ServerCounters {
    /// Both together.
    pub(crate) fn plus(&self, other: &ServerCounters) -> ServerCounters {
        let mut by_status: Vec<(u16, u64)> = Vec::new();
        for &(status, count) in self.by_status.iter().chain(&other.by_status) {
            match by_status.iter_mut().find(|(known, _)| *known == status) {
                Some((_, sum)) => *sum += count,
                None => by_status.push((status, count)),
            }
        }
        by_status.sort_unstable();
        ServerCounters {
            open: self.open + other.open,
            idle: self.idle + other.idle,
            accepted: self.accepted + other.accepted,
            served: self.served + other.served,
            refused: self.refused + other.refused,
            by_status,
        }
    }
}

/// How a server has ended.
///
/// ```
/// let drained = green::server::Drained::default();
/// assert_eq!(drained.killed, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that had not ended in time, and were killed.
    pub killed: usize,
}
