use std::ffi::{CStr, CString, c_int};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use hub::*;

/// Backends with the same results.
pub(crate) const NAMES: [&str; 4] = ["epoll", "poll", "select", "polling"];

/// Longer than any wait of these tests that is meant to end by itself.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A handle, destroyed when dropped. It goes to other threads as it may in C.
#[derive(Clone, Copy)]
pub(crate) struct Handle(pub(crate) *mut Hub);

// SAFETY: a handle is only a number, and every function may be called from any thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    pub(crate) fn new(name: &str) -> Handle {
        let name = CString::new(name).unwrap();
        // SAFETY: it is a C string.
        let hub = unsafe { hub_create(name.as_ptr()) };
        assert!(!hub.is_null(), "{}", io::Error::last_os_error());
        Handle(hub)
    }

    pub(crate) fn name(self) -> &'static str {
        let name = hub_name(self.0);
        assert!(!name.is_null());
        // SAFETY: the name of a hub is a C string that lives for ever.
        unsafe { CStr::from_ptr(name) }.to_str().unwrap()
    }

    pub(crate) fn add(self, fd: &impl AsRawFd, interest: u32) -> c_int {
        hub_add(self.0, fd.as_raw_fd(), interest)
    }

    pub(crate) fn modify(self, fd: &impl AsRawFd, interest: u32) -> c_int {
        hub_modify(self.0, fd.as_raw_fd(), interest)
    }

    pub(crate) fn remove(self, fd: &impl AsRawFd) -> c_int {
        hub_remove(self.0, fd.as_raw_fd())
    }

    pub(crate) fn notify(self) -> c_int {
        hub_notify(self.0)
    }

    /// What `hub_wait` returns, and the events it has written.
    pub(crate) fn wait_for(self, timeout: Duration, capacity: u32) -> (c_int, Vec<(RawFd, u32)>) {
        let mut events = vec![HubEvent::default(); capacity as usize];
        let timeout = i64::try_from(timeout.as_nanos()).unwrap_or(-1);
        // SAFETY: there is room for `capacity` events.
        let count = unsafe { hub_wait(self.0, timeout, events.as_mut_ptr(), capacity) };
        events.truncate(count.max(0) as usize);
        let events = events.iter().map(|event| (event.fd, event.ready));
        (count, events.collect())
    }

    /// The reports of a wait that must not fail, with room for them all.
    pub(crate) fn wait(self, timeout: Duration) -> Vec<(RawFd, u32)> {
        let (count, events) = self.wait_for(timeout, 4096);
        assert!(count >= 0, "hub {}: {}", self.name(), error(count));
        events
    }

    /// What is ready now.
    pub(crate) fn look(self) -> Vec<(RawFd, u32)> {
        self.wait(Duration::ZERO)
    }

    pub(crate) fn destroy(self) {
        assert_eq!(hub_destroy(self.0), 0);
    }
}

/// Runs a test on each backend.
pub(crate) fn on_each(test: impl Fn(Handle)) {
    for name in NAMES {
        let hub = Handle::new(name);
        test(hub);
        hub.destroy();
    }
}

pub(crate) fn error(result: c_int) -> io::Error {
    io::Error::from_raw_os_error(-result)
}

pub(crate) fn pair() -> (UnixStream, UnixStream) {
    let pair = UnixStream::pair().unwrap();
    pair.0.set_nonblocking(true).unwrap();
    pair.1.set_nonblocking(true).unwrap();
    pair
}

pub(crate) fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: there is room for two numbers.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(made, 0, "{}", io::Error::last_os_error());
    // SAFETY: the call has made them, and nobody else knows them.
    ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).into()
}

/// A number of its own for a test that closes and reuses it, high enough that no other test gets
/// it by chance.
pub(crate) fn number() -> RawFd {
    static NEXT: AtomicI32 = AtomicI32::new(10_000);
    allow_many();
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Puts the file of `fd` behind `number` as well, in place of what was there.
pub(crate) fn put(fd: &impl AsRawFd, number: RawFd) {
    // SAFETY: it takes no pointers; the number is one that this test has to itself.
    let put = unsafe { libc::dup3(fd.as_raw_fd(), number, libc::O_CLOEXEC) };
    assert_eq!(put, number, "{}", io::Error::last_os_error());
}

pub(crate) fn close(number: RawFd) {
    // SAFETY: the number is one that this test has to itself.
    assert_eq!(unsafe { libc::close(number) }, 0);
}

/// Lets this process have as many descriptors as the system allows it.
pub(crate) fn allow_many() {
    static ALLOWED: Once = Once::new();
    ALLOWED.call_once(|| {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` is an rlimit.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
            limit.rlim_cur = limit.rlim_max.min(20_000);
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
        }
    });
}
