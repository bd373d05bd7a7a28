//! Signals as events: a greenthread waits for them, the others run on.
//!
//! What arrives is handled in an ordinary greenthread, which may do anything; nothing runs in the signal handler
//! but the note that it has come.
//!
//! ```
//! use green::signal::{SIGHUP, SIGUSR1, Signals};
//!
//! let signals = Signals::new([SIGHUP, SIGUSR1])?;
//! green::signal::raise(SIGUSR1)?;
//! assert_eq!(signals.wait()?, SIGUSR1);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! From the first registration of a signal on, its default effect is off in this process, for ever: a program that
//! asks for SIGINT ends when it decides to. Every [`Signals`], in whatever thread, gets every signal that it asked
//! for. As with the system's own: of a signal that comes again before it was taken one is kept.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use hub_core::Direction;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::net::io::Io;
use crate::runtime::{Runtime, ThreadState};

pub use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSTOP, SIGTERM,
    SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH,
};

/// The signals that a greenthread waits for. It belongs to the OS thread that made it.
///
/// As an iterator it never ends by itself.
///
/// ```
/// use green::signal::{SIGUSR2, Signals, raise};
///
/// let signals = Signals::new([SIGUSR2])?;
/// let waiter = green::spawn(move || signals.wait());
/// green::yield_now();
/// raise(SIGUSR2)?;
/// assert_eq!(waiter.join().unwrap()?, SIGUSR2);
///
/// let signals = Signals::new([SIGUSR2])?;
/// assert_eq!(signals.poll(), None);
/// raise(SIGUSR2)?;
/// assert_eq!(signals.poll(), Some(SIGUSR2));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Signals {
    registration: Rc<Registration>,
    /// Taken from the system and not yet given away.
    arrived: RefCell<VecDeque<i32>>,
}

struct Registration {
    signals: Vec<i32>,
    channel: RefCell<Rc<Channel>>,
}

/// How the handler wakes the hub.
struct Channel {
    io: Io<UnixStream>,
    delivery: RefCell<SignalDelivery<UnixStream, SignalOnly>>,
}

/// What this thread has asked for.
#[derive(Default)]
struct Requests {
    all: RefCell<Vec<Weak<Registration>>>,
    /// That of `ctrl_c`, while nobody waits.
    presses: Cell<Option<Signals>>,
}

impl ThreadState for Requests {
    fn at_end(&self) {
        drop(self.presses.take());
    }

    /// The channels are the parent's as well, and each would take what the other is sent.
    fn after_fork(&self, _alone: bool) {
        let registrations = self.all.borrow().clone();
        for registration in registrations.iter().filter_map(Weak::upgrade) {
            match Channel::new(&registration.signals) {
                Ok(channel) => {
                    let old = registration.channel.replace(Rc::new(channel));
                    // A greenthread that waits there goes on at the new one.
                    old.io.close();
                }
                Err(error) => log::error!("no signals in this child of a fork: {error}"),
            }
        }
    }
}

impl Channel {
    fn new(signals: &[i32]) -> io::Result<Channel> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let io = Io::new(read.try_clone()?);
        io.set_timeout(Direction::Read, None)?;
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, signals)?;
        Ok(Channel {
            io,
            delivery: RefCell::new(delivery),
        })
    }
}

impl Signals {
    /// Asks for these signals. They are kept from now on until they are waited for.
    ///
    /// # Errors
    /// `InvalidInput` for a number that is no signal, and for the signals that cannot be waited for: SIGKILL and
    /// SIGSTOP, and SIGILL, SIGFPE and SIGSEGV, which mean the instruction at hand. Whatever the system says.
    pub fn new(signals: impl IntoIterator<Item = i32>) -> io::Result<Signals> {
        let signals: Vec<i32> = signals.into_iter().collect();
        for signal in &signals {
            let forbidden = signal_hook::consts::FORBIDDEN.contains(signal);
            if forbidden || !(1..128).contains(signal) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("cannot wait for signal {signal}"),
                ));
            }
        }
        let channel = RefCell::new(Rc::new(Channel::new(&signals)?));
        let registration = Rc::new(Registration { signals, channel });
        let requests = Runtime::with(Runtime::state::<Requests>);
        let mut all = requests.all.borrow_mut();
        all.retain(|other| other.strong_count() > 0);
        all.push(Rc::downgrade(&registration));
        drop(all);
        Ok(Signals {
            registration,
            arrived: RefCell::default(),
        })
    }

    /// Waits for the next signal and gives its number.
    ///
    /// # Errors
    /// `ResourceBusy` if another greenthread waits here; `WouldBlock` if none has come and the thread unwinds.
    pub fn wait(&self) -> io::Result<i32> {
        self.wait_until(None)
    }

    /// As [`Signals::wait`], for at most `timeout`.
    ///
    /// # Errors
    /// As [`Signals::wait`]; `TimedOut` after `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::signal::{SIGUSR2, Signals};
    ///
    /// let signals = Signals::new([SIGUSR2])?;
    /// let none = signals.wait_timeout(Duration::from_millis(1));
    /// assert!(green::is_timeout(&none.unwrap_err()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<i32> {
        self.wait_until(Runtime::with(|runtime| runtime.deadline(Some(timeout))))
    }

    /// The next signal that has come already: never waits.
    pub fn poll(&self) -> Option<i32> {
        let mut arrived = self.arrived.borrow_mut();
        if arrived.is_empty() {
            let channel = self.registration.channel.borrow();
            arrived.extend(channel.delivery.borrow_mut().pending());
        }
        arrived.pop_front()
    }

    pub(crate) fn wait_until(&self, deadline: Option<Instant>) -> io::Result<i32> {
        loop {
            let channel = Rc::clone(&self.registration.channel.borrow());
            let result = channel.io.retry_until(Direction::Read, deadline, |_| {
                self.poll()
                    .ok_or_else(|| io::Error::from(io::ErrorKind::WouldBlock))
            });
            let replaced = !Rc::ptr_eq(&channel, &self.registration.channel.borrow());
            if result.is_ok() || !replaced {
                return result;
            }
        }
    }
}

impl Iterator for Signals {
    type Item = i32;

    /// The next signal. `None` if waiting is impossible: see [`Signals::wait`].
    fn next(&mut self) -> Option<i32> {
        self.wait().ok()
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("arrived", &self.arrived.borrow())
            .finish_non_exhaustive()
    }
}

/// Waits for Ctrl-C, that is, for SIGINT.
///
/// It may be called again for the next one. From the first call of a thread on a press between two calls is kept
/// for the second. A program that also wants SIGTERM makes a [`Signals`].
///
/// # Errors
/// As [`Signals::new`] and [`Signals::wait`].
///
/// ```
/// green::spawn_n(|| green::signal::raise(green::signal::SIGINT).unwrap());
/// green::signal::ctrl_c()?;
/// println!("goodbye");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn ctrl_c() -> io::Result<()> {
    /// Keeps the registration for the next call, however this one ends.
    struct Keep(Rc<Requests>, Option<Signals>);
    impl Drop for Keep {
        fn drop(&mut self) {
            self.0.presses.set(self.1.take());
        }
    }
    // Not there if this is the first call, or while another greenthread waits: then this one gets its own.
    let requests = Runtime::with(Runtime::state::<Requests>);
    let signals = match requests.presses.take() {
        Some(signals) => signals,
        None => Signals::new([SIGINT])?,
    };
    let keep = Keep(requests, Some(signals));
    match &keep.1 {
        Some(signals) => signals.wait().map(drop),
        None => Ok(()),
    }
}

/// Sends a signal to this process.
///
/// # Errors
/// `InvalidInput` for a number that is no signal.
///
/// ```
/// use green::signal::{SIGUSR1, Signals, raise};
///
/// let signals = Signals::new([SIGUSR1])?;
/// raise(SIGUSR1)?;
/// assert_eq!(signals.wait()?, SIGUSR1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn raise(signal: i32) -> io::Result<()> {
    signal_hook::low_level::raise(signal)
}

/// The name of a signal, as `SIGINT`.
///
/// ```
/// assert_eq!(green::signal::name(green::signal::SIGTERM), Some("SIGTERM"));
/// ```
pub fn name(signal: i32) -> Option<&'static str> {
    signal_hook::low_level::signal_name(signal)
}
