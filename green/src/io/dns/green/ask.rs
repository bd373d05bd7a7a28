//! The questions of one lookup: from the cache, from others who are asking the same, or from the servers.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use green_dns::{Answered, ErrorKind, Question, RecordKind, ResolvConf, Says, Unanswered};

use super::flight::Join;
use super::{Green, servers};
use crate::threads::future::block_on::try_block_on;
use crate::threads::future::sleep::{Sleep, sleep_until};
use crate::time::now;

/// When one family has come, the other is waited for at least this long (the resolution delay of RFC 8305).
const SHORTEST_GRACE: Duration = Duration::from_millis(50);

/// So long before its end a lookup gives what it has.
const MARGIN: Duration = Duration::from_millis(1);

/// A question that is being asked, and its place among those of the lookup.
struct Asking<'a> {
    place: usize,
    outcome: Pin<Box<dyn Future<Output = Answered> + 'a>>,
}

impl Green {
    /// What the cache or the servers know, in the order of the questions.
    pub(super) fn ask(
        &self,
        conf: &ResolvConf,
        questions: &[Question],
        deadline: Option<Instant>,
    ) -> Vec<Answered> {
        let cached = |question| self.cache.borrow().get(question, now()).map(Ok);
        let mut outcomes: Vec<Option<Answered>> = questions.iter().map(cached).collect();
        if outcomes.iter().any(Option::is_none) {
            let first = self.take_turn(conf);
            let open = questions.iter().zip(&outcomes).enumerate();
            let open = open.filter(|(_, (_, outcome))| outcome.is_none());
            let asking = open.map(|(place, (question, _))| Asking {
                place,
                outcome: Box::pin(self.ask_one(conf, first, question)),
            });
            let asking = asking.collect();
            if let Err(unwinding) =
                try_block_on(all_or_enough(asking, questions, &mut outcomes, deadline))
            {
                let why = Unanswered::new(ErrorKind::System, unwinding.to_string());
                return questions
                    .iter()
                    .map(|_| Err(Arc::new(why.clone())))
                    .collect();
            }
        }
        answers(questions, outcomes)
    }

    /// From the cache, from who is asking it already, or from the servers, the `first` of them first.
    async fn ask_one(&self, conf: &ResolvConf, first: usize, question: &Question) -> Answered {
        // More than once only if somebody else was to ask, and has gone.
        loop {
            if let Some(answer) = self.cache.borrow().get(question, now()) {
                return Ok(answer);
            }
            match self.flights.join(question) {
                Join::Lead(lead) => {
                    let outcome = servers::ask(conf, first, question).await;
                    let outcome = outcome.map(Arc::new).map_err(Arc::new);
                    self.keep(question, &outcome);
                    lead.land(outcome.clone());
                    return outcome;
                }
                Join::Follow(flight) => {
                    if let Some(outcome) = flight.wait().await {
                        return outcome;
                    }
                }
            }
        }
    }

    fn keep(&self, question: &Question, outcome: &Answered) {
        if let Ok(answer) = outcome {
            let mut cache = self.cache.borrow_mut();
            cache.put(question.clone(), Arc::clone(answer), now());
        }
    }

    fn take_turn(&self, conf: &ResolvConf) -> usize {
        let turn = self.turn.get();
        if conf.rotate {
            self.turn.set(turn.wrapping_add(1));
        }
        turn
    }
}

/// Waits until all is known, or enough is and the rest has had its time.
async fn all_or_enough(
    mut asking: Vec<Asking<'_>>,
    questions: &[Question],
    outcomes: &mut [Option<Answered>],
    deadline: Option<Instant>,
) {
    let started = now();
    let mut rest: Option<Sleep> = None;
    poll_fn(|cx| {
        asking.retain_mut(|asking| match asking.outcome.as_mut().poll(cx) {
            Poll::Ready(outcome) => {
                outcomes[asking.place] = Some(outcome);
                false
            }
            Poll::Pending => true,
        });
        if asking.is_empty() {
            return Poll::Ready(());
        }
        if rest.is_none() && settles(questions, outcomes) {
            rest = Some(sleep_until(grace(started, deadline)));
        }
        match rest.as_mut() {
            Some(rest) => Pin::new(rest).poll(cx),
            None => Poll::Pending,
        }
    })
    .await;
}

/// True if what is known will do: an address, or that the name does not exist. Only the answer for IPv4 is believed that:
/// there are servers that say so of every question for IPv6 (RFC 4074).
fn settles(questions: &[Question], outcomes: &[Option<Answered>]) -> bool {
    let mut known = questions.iter().zip(outcomes);
    known.any(|(question, outcome)| match outcome {
        Some(Ok(answer)) => {
            answer.has_addresses() || answer.says == Says::NoName && question.kind == RecordKind::A
        }
        _ => false,
    })
}

/// Until when the rest is waited for: as long again as the first answer took.
fn grace(started: Instant, deadline: Option<Instant>) -> Instant {
    let now = now();
    let until = now + SHORTEST_GRACE.max(now.saturating_duration_since(started));
    let end = deadline.map(|deadline| deadline.checked_sub(MARGIN).unwrap_or(deadline));
    end.map_or(until, |end| until.min(end))
}

/// The outcomes by now, for the caller. A question without an answer has timed out; if the answer to another says that the
/// name does not exist, it has that answer.
fn answers(questions: &[Question], outcomes: Vec<Option<Answered>>) -> Vec<Answered> {
    let missing = match settles(questions, &outcomes) {
        true => outcomes.iter().flatten().find_map(|outcome| match outcome {
            Ok(answer) if answer.says == Says::NoName => Some(Ok(Arc::clone(answer))),
            _ => None,
        }),
        false => None,
    };
    let missing = missing.unwrap_or_else(|| {
        let silent = Unanswered::new(ErrorKind::TryAgain, "no answer in time");
        Err(Arc::new(silent.timed_out(true)))
    });
    let known = outcomes.into_iter();
    known
        .map(|outcome| outcome.unwrap_or_else(|| missing.clone()))
        .collect()
}
