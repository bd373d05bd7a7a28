//! What is done with all members of a pool at once.

use std::time::Duration;

use super::{GreenPool, WaitsForItself};
use crate::greenthread::AnyGreenThread;
use crate::runtime::Runtime;

impl GreenPool {
    /// Waits until nothing runs in the pool, what its members spawn meanwhile included.
    ///
    /// While the thread unwinds it returns at once, as nothing can be waited for.
    ///
    /// # Errors
    /// [`WaitsForItself`] from a member, or from a greenthread that works on behalf of one: it would wait for itself.
    pub fn waitall(&self) -> Result<(), WaitsForItself> {
        self.wait_idle(None).map(|_| ())
    }

    /// As [`waitall`](GreenPool::waitall), for at most `timeout`. True if nothing runs.
    ///
    /// # Errors
    /// As [`waitall`](GreenPool::waitall).
    pub fn waitall_timeout(&self, timeout: Duration) -> Result<bool, WaitsForItself> {
        self.wait_idle(Some(timeout))
    }

    fn wait_idle(&self, timeout: Option<Duration>) -> Result<bool, WaitsForItself> {
        let places = &self.places;
        Runtime::with(|runtime| {
            if runtime.current().works_for(places.address()) {
                return Err(WaitsForItself);
            }
            runtime.spend();
            Ok(places.wait_idle(runtime, timeout))
        })
    }

    /// Waits until a `spawn` would not wait, for at most `timeout`. True if it would not.
    ///
    /// Nothing is reserved: who spawns first has the place.
    pub fn wait_available(&self, timeout: impl Into<Option<Duration>>) -> bool {
        Runtime::with(|runtime| {
            runtime.spend();
            self.places.wait_available(runtime, timeout.into())
        })
    }

    /// The members, in the order of their spawn.
    pub fn members(&self) -> Vec<AnyGreenThread> {
        self.places
            .members()
            .into_iter()
            .map(AnyGreenThread::new)
            .collect()
    }

    /// Kills every member, as [`AnyGreenThread::kill`]; the caller as the last, if it is one.
    ///
    /// A greenthread that waits in `spawn` is not a member yet, and gets its place.
    pub fn kill(&self) {
        let tasks = self.places.members();
        Runtime::with(|runtime| runtime.kill_all(&tasks));
    }

    /// Kills every member and waits until they have ended, for at most `timeout`. True if they have.
    pub fn kill_wait(&self, timeout: Duration) -> bool {
        let members = self.members();
        if timeout.is_zero() {
            // The kill lets the others run.
            self.kill();
            return members.iter().all(AnyGreenThread::is_dead);
        }
        self.kill();
        Runtime::with(|runtime| {
            let deadline = runtime.deadline(Some(timeout));
            members
                .iter()
                .all(|member| member.wait_end(deadline).is_ok())
        })
    }
}
