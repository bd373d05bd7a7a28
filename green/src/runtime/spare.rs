//! Tasks of greenthreads that have ended, for the next ones: to allocate one and to free it would be a tenth of a spawn.

use std::panic::Location;
use std::rc::Rc;
use std::time::Instant;

use super::park::WokenBy;
use super::task::NOBODY;
use super::{Reason, Runtime, State, Task};

/// So many are kept at most.
const KEEP: usize = 1024;

impl Runtime {
    /// A new task, in the place of an old one if there is any.
    #[inline(always)]
    pub(super) fn make_task(
        &self,
        id: u64,
        spawned_at: &'static Location<'static>,
        state: State,
        born: Instant,
    ) -> Rc<Task> {
        let old = self.spare.borrow_mut().pop();
        if let Some(mut old) = old
            && let Some(place) = Rc::get_mut(&mut old)
        {
            place.renew(id, spawned_at, state, born);
            return old;
        }
        allocated(id, spawned_at, state, born)
    }

    /// Keeps a task that its last owner is about to drop, if that is all that is left of its greenthread.
    #[inline]
    pub(crate) fn keep_spare(&self, task: &Rc<Task>) {
        if Rc::strong_count(task) != 1 || !task.is_empty() || self.closed.get() {
            return;
        }
        let mut spare = self.spare.borrow_mut();
        if spare.len() < KEEP {
            spare.push(Rc::clone(task));
        }
    }
}

/// Not inline: who spawns would have a frame with room for a whole task.
#[inline(never)]
fn allocated(
    id: u64,
    spawned_at: &'static Location<'static>,
    state: State,
    born: Instant,
) -> Rc<Task> {
    Rc::new(Task::new(id, spawned_at, state, born))
}

impl Task {
    /// True if it has ended and holds nothing any more.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        let member = self.member.take();
        let is_empty = member.is_none()
            && self.is_buried()
            && self.extra.get().is_none()
            && self.result.borrow().is_none()
            && self.ends.borrow().is_empty();
        self.member.set(member);
        is_empty
    }

    /// As `new`, for one that [holds nothing any more](Task::is_empty).
    #[inline]
    pub(super) fn renew(
        &mut self,
        new_id: u64,
        at: &'static Location<'static>,
        new_state: State,
        now: Instant,
    ) {
        // All fields, so that none is forgotten. The ticket goes on: none that was ever given out fits the new one.
        let Task {
            greenlet: _,
            ticket: _,
            masked,
            state,
            cause,
            thrown,
            unarmed,
            complete,
            detached,
            layer,
            reason,
            ends: _,
            result: _,
            key: _,
            id,
            spawner,
            spawned_at,
            member: _,
            born,
            extra: _,
        } = self;
        masked.set(0);
        state.set(new_state);
        cause.set(WokenBy::Event);
        thrown.set(0);
        unarmed.set(false);
        complete.set(false);
        detached.set(false);
        layer.set(0);
        reason.set(Reason::Nothing);
        *id = new_id;
        spawner.set(NOBODY);
        *spawned_at = at;
        *born = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spares() -> usize {
        Runtime::with(|runtime| runtime.spare.borrow().len())
    }

    #[test]
    fn what_is_left_of_a_greenthread_is_used_for_the_next() {
        crate::spawn(|| ()).join().unwrap();
        assert_eq!(spares(), 1);
        crate::spawn_n(|| ());
        assert_eq!(spares(), 0);
        crate::yield_now();
        assert_eq!(spares(), 1);
        let both = [crate::spawn(|| 1), crate::spawn(|| 2)];
        assert_eq!(spares(), 0);
        let ids = both.each_ref().map(|gt| gt.id());
        assert_eq!(both.map(|gt| gt.join().unwrap()), [1, 2]);
        let next = crate::spawn(|| ());
        assert!(next.id() > ids[1] && !next.is_dead() && next.spawned_by() == Some(0));
        next.join().unwrap();
    }

    #[test]
    fn one_that_somebody_still_has_a_handle_of_is_not() {
        let gt = crate::spawn(|| ());
        let (any, id) = (gt.as_any().clone(), gt.id());
        gt.join().unwrap();
        assert_eq!(spares(), 0);
        let next = crate::spawn(|| ());
        assert!(any.is_dead() && any.id() == id && next.id() != id);
        next.join().unwrap();
    }

    #[test]
    fn nor_is_one_that_had_more_than_most_have() {
        let gt = crate::Builder::new().name("named").spawn(|| ());
        gt.unwrap().join().unwrap();
        assert_eq!(spares(), 0);
    }

    #[test]
    fn a_bounded_number_is_kept() {
        let all: Vec<_> = (0..2 * KEEP).map(|_| crate::spawn(|| ())).collect();
        all.into_iter().for_each(|gt| gt.join().unwrap());
        assert_eq!(spares(), KEEP);
    }
}
