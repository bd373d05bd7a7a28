//! One question on its way, however many ask it at once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use greenlet::os::fork_count;

use super::Outcome;
use super::wire::Question;
use crate::{Event, Unwinding};

/// The questions that are being asked.
///
/// The first who asks leads: it does the asking. Those who come meanwhile follow: they wait for what the leader learns.
/// If the leader is killed or its time is up, the next follower leads.
#[derive(Default)]
pub(super) struct Flights {
    under_way: RefCell<HashMap<Question, Rc<Flight>>>,
}

pub(super) struct Flight {
    /// `None` says that the leader has gone without an outcome.
    landed: Event<Option<Outcome>>,
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
            landed: Event::new(),
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
    pub(super) fn wait(&self) -> Result<Option<Outcome>, Unwinding> {
        // Nobody sends an error, so that is the only one.
        self.landed.wait().map_err(|_| Unwinding)
    }
}

/// Who has this must ask the question. Dropping it lets another one lead.
pub(super) struct Lead<'a> {
    flights: &'a Flights,
    pub(super) question: Question,
    flight: Rc<Flight>,
}

impl Lead<'_> {
    pub(super) fn land(self, outcome: Outcome) {
        // It was not sent before: only the leader sends, and this is the end of it.
        let _ = self.flight.landed.send(Some(outcome));
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
        // Does nothing after a landing.
        let _ = self.flight.landed.send(None);
    }
}
