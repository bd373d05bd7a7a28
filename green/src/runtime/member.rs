//! On whose behalf a greenthread works: the members of pools that it descends from.
//!
//! A greenthread inherits this from the one that spawns it. A pool asks it before it makes anybody wait for a place:
//! whoever works for a member must not wait for what that member will only give back when it has ended.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::Task;

/// One greenthread's membership in one pool.
pub(crate) struct Member {
    /// The address of the pool, which lives as long as it has members.
    pool: usize,
    living: Cell<bool>,
    /// On whose behalf the member itself was spawned.
    outer: RefCell<Option<Rc<Member>>>,
}

impl Member {
    pub(crate) fn new(pool: usize, outer: Option<Rc<Member>>) -> Rc<Member> {
        Rc::new(Member {
            pool,
            living: Cell::new(true),
            outer: RefCell::new(outer),
        })
    }

    /// The member has ended: nobody works on its behalf any more.
    pub(crate) fn leave(&self) {
        self.living.set(false);
    }

    fn outer(&self) -> Option<Rc<Member>> {
        self.outer.borrow().clone()
    }

    /// `member`, or the nearest one outside it that has not ended.
    fn living(mut member: Option<Rc<Member>>) -> Option<Rc<Member>> {
        while let Some(dead) = member.take_if(|member| !member.living.get()) {
            member = dead.outer();
        }
        member
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Not by recursion: a chain is as long as members have spawned members.
        let mut outer = self.outer.take();
        while let Some(mut last) = outer.and_then(Rc::into_inner) {
            outer = last.outer.get_mut().take();
        }
    }
}

impl Task {
    /// What those that this greenthread spawns inherit.
    #[inline]
    pub(crate) fn member(&self) -> Option<Rc<Member>> {
        let member = self.member.take()?;
        self.member.set(Some(Rc::clone(&member)));
        Self::heritage(member)
    }

    #[cold]
    fn heritage(member: Rc<Member>) -> Option<Rc<Member>> {
        let member = Member::living(Some(member))?;
        // Those that have ended are left out here, so that no chain grows for as long as a program spawns.
        let outer = Member::living(member.outer());
        drop(member.outer.replace(outer));
        Some(member)
    }

    /// True if this greenthread is a member of the pool, or was spawned by one that is.
    pub(super) fn is_of(&self, pool: usize) -> bool {
        self.member()
            .is_some_and(|member| member.living.get() && member.pool == pool)
    }

    pub(crate) fn set_member(&self, member: Option<Rc<Member>>) {
        self.member.set(member);
    }

    /// True if this greenthread is a member of the pool, or was spawned on behalf of one that has not ended.
    pub(crate) fn works_for(&self, pool: usize) -> bool {
        let mut next = self.member();
        while let Some(member) = next {
            if member.living.get() && member.pool == pool {
                return true;
            }
            next = member.outer();
        }
        false
    }
}
