//! One question on its way, however many ask it at once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use green_dns::{Answered, Question};
use greenlet::os::fork_count;

/// The questions that are being asked.
///
/// The first who asks leads: it does the asking. Those who come meanwhile follow: they wait for what the leader learns.
/// If the leader is killed or its time is up, the next follower leads.
#[derive(Default)]
pub(super) struct Flights {
    under_way: RefCell<HashMap<Question, Rc<Flight>>>,
}

pub(super) struct Flight {
    /// `Some(None)` says that the leader has gone without an outcome.
    landed: RefCell<Option<Option<Answered>>>,
    followers: Cell<Vec<Waker>>,
    /// In the child of a fork the leader may never run again.
    forks: usize,
}

pub(super) enum Join<'a> {
    Lead(Lead<'a>),
    Follow(Rc<Flight>),
}

impl Flights {
    pub(super) fn join(&self, question: &Question) -> Join<'_> {
        let mut under_way = self.under_way.borrow_mut();
        if let Some(flight) = under_way.get(question)
            && flight.forks == fork_count()
        {
            return Join::Follow(Rc::clone(flight));
        }
        let flight = Rc::new(Flight {
            landed: RefCell::new(None),
            followers: Cell::default(),
            forks: fork_count(),
        });
        under_way.insert(question.clone(), Rc::clone(&flight));
        Join::Lead(Lead {
            flights: self,
            question: question.clone(),
            flight,
        })
    }
}

impl Flight {
    /// Waits for what the leader learns. `None` says that there is no leader any more.
    pub(super) async fn wait(&self) -> Option<Answered> {
        poll_fn(|cx| {
            if let Some(landed) = &*self.landed.borrow() {
                return Poll::Ready(landed.clone());
            }
            let mut followers = self.followers.take();
            if !followers.iter().any(|known| known.will_wake(cx.waker())) {
                followers.push(cx.waker().clone());
            }
            self.followers.set(followers);
            Poll::Pending
        })
        .await
    }

    /// Only the first landing counts.
    fn land(&self, outcome: Option<Answered>) {
        self.landed.borrow_mut().get_or_insert(outcome);
        self.followers.take().into_iter().for_each(Waker::wake);
    }
}

/// The duty to ask the question. Dropping it lets another one lead.
pub(super) struct Lead<'a> {
    flights: &'a Flights,
    question: Question,
    flight: Rc<Flight>,
}

impl Lead<'_> {
    pub(super) fn land(self, outcome: Answered) {
        self.flight.land(Some(outcome));
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way.borrow_mut();
        let own = under_way.get(&self.question);
        if own.is_some_and(|flight| Rc::ptr_eq(flight, &self.flight)) {
            under_way.remove(&self.question);
        }
        drop(under_way);
        self.flight.land(None);
    }
}
