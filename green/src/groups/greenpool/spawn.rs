//! Spawning into a pool.

use std::io;
use std::panic::Location;

use super::GreenPool;
use super::places::{Admission, Membership};
use crate::greenthread::{AnyGreenThread, Builder, GreenThread, expect};
use crate::runtime::State;

impl GreenPool {
    pub(crate) fn spawn_at<T: 'static>(
        &self,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() -> T + 'static,
    ) -> GreenThread<T> {
        expect(self.spawn_with(Builder::new(), spawned_at, f))
    }

    pub(in crate::groups) fn spawn_with<T: 'static>(
        &self,
        builder: Builder,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() -> T + 'static,
    ) -> io::Result<GreenThread<T>> {
        match self.places.enter(None) {
            Some(entry) => self.admit(entry, builder, spawned_at, f),
            None => unreachable!("a wait without a deadline has expired"),
        }
    }

    pub(super) fn admit<T: 'static>(
        &self,
        entry: Admission,
        builder: Builder,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() -> T + 'static,
    ) -> io::Result<GreenThread<T>> {
        match entry {
            Admission::Place(place) => {
                let membership = Membership::new(place);
                let begin = membership.begin();
                let gt = builder.make(spawned_at, State::Fresh, move || membership.run(f))?;
                begin(gt.as_any().task());
                Ok(gt)
            }
            Admission::AsPart => {
                let part = builder.make(spawned_at, State::Fresh, f)?;
                part.as_any().join_as_part();
                Ok(part)
            }
        }
    }

    /// As `spawn_n`, with an error if no stack can be had. It waits for a place, but lets nobody run before if there is
    /// one: a server that is told to stop meanwhile would lose the connection that it has accepted.
    pub(crate) fn spawn_n_at(
        &self,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() + 'static,
    ) -> io::Result<()> {
        let place = self.places.try_enter();
        let admission = place.or_else(|| self.places.enter(None));
        Self::spawn_n_as(admission, Builder::new(), spawned_at, f)
    }

    pub(super) fn spawn_n_with(
        &self,
        builder: Builder,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() + 'static,
    ) -> io::Result<()> {
        Self::spawn_n_as(self.places.enter(None), builder, spawned_at, f)
    }

    fn spawn_n_as(
        admission: Option<Admission>,
        builder: Builder,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() + 'static,
    ) -> io::Result<()> {
        match admission {
            Some(Admission::Place(place)) => {
                let membership = Membership::new(place);
                let begin = membership.begin();
                begin(&builder.make_detached(spawned_at, move || membership.run(f))?);
            }
            Some(Admission::AsPart) => {
                AnyGreenThread::new(builder.make_detached(spawned_at, f)?).join_as_part();
            }
            None => unreachable!("a wait without a deadline has expired"),
        }
        Ok(())
    }
}

impl Builder {
    /// Spawns `f` into a pool. See [`GreenPool::spawn`].
    ///
    /// # Errors
    /// As [`Builder::spawn`]; the place is then free again.
    ///
    /// ```
    /// let pool = green::GreenPool::new(10);
    /// let gt = green::Builder::new().name("parser").spawn_in(&pool, || 6 * 7)?;
    /// assert_eq!(gt.join()?, 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_in<T: 'static>(
        self,
        pool: &GreenPool,
        f: impl FnOnce() -> T + 'static,
    ) -> io::Result<GreenThread<T>> {
        pool.spawn_with(self, Location::caller(), f)
    }

    /// Spawns `f`, whose end nobody can wait for, into a pool. See [`GreenPool::spawn_n`].
    ///
    /// # Errors
    /// As [`Builder::spawn_in`].
    ///
    /// ```
    /// let pool = green::GreenPool::new(10);
    /// green::Builder::new().spawn_n_in(&pool, || println!("hello"))?;
    /// pool.waitall().unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_n_in(self, pool: &GreenPool, f: impl FnOnce() + 'static) -> io::Result<()> {
        pool.spawn_n_with(self, Location::caller(), f)
    }
}
