/// Which calls are patched: see [`monkey_patch_with`](crate::monkey_patch_with). The names are eventlet's.
///
/// ```
/// use green_patch::Flags;
///
/// let only_sockets = Flags { socket: true, ..Flags::NONE };
/// assert!(only_sockets != Flags::ALL && Flags::default() == Flags::ALL);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Reads and writes of pipes, terminals and whatever else is no socket; waits for child processes.
    pub os: bool,
    /// `poll`, `select`, `epoll_wait` and their kin.
    pub select: bool,
    /// Sockets, and names of hosts.
    pub socket: bool,
    /// What threads wait for each other with: std's locks, conditions, channels and `park`, those of pthread.
    pub thread: bool,
    /// Sleeps.
    pub time: bool,
}

impl Flags {
    /// Everything.
    pub const ALL: Flags = Flags {
        os: true,
        select: true,
        socket: true,
        thread: true,
        time: true,
    };

    /// Nothing: what `..` is put after.
    pub const NONE: Flags = Flags {
        os: false,
        select: false,
        socket: false,
        thread: false,
        time: false,
    };
}

impl Default for Flags {
    fn default() -> Flags {
        Flags::ALL
    }
}
