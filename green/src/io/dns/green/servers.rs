//! All name servers in turn, until one answers.

use std::net::SocketAddr;
use std::rc::Rc;

use super::resolv_conf::ResolvConf;
use super::transport::{self, Failure};
use super::wire::{Answer, LONGEST_CHAIN, Question, Says};
use super::{Failed, Outcome};
use crate::dns::ErrorKind;

/// Asks the servers, the `first` of them first. The outcomes are in the order of the questions.
pub(super) fn ask(conf: &ResolvConf, first: usize, questions: &[&Question]) -> Vec<Outcome> {
    let outcomes = ask_once(conf, first, questions);
    let pairs = outcomes.into_iter().zip(questions);
    pairs
        .map(|(outcome, question)| follow(conf, first, question, outcome?))
        .map(|outcome| outcome.map(Rc::new).map_err(Rc::new))
        .collect()
}

/// A server that does not follow other names itself leaves it to us.
fn follow(
    conf: &ResolvConf,
    first: usize,
    question: &Question,
    mut answer: Answer,
) -> Result<Answer, Failed> {
    while answer.says == Says::Elsewhere {
        let Some(name) = answer.chain.pop() else {
            break;
        };
        let next = Question {
            name,
            kind: question.kind,
        };
        let there = ask_once(conf, first, &[&next]).remove(0)?;
        answer.chain.extend(there.chain);
        answer.says = there.says;
        answer.ttl = answer.ttl.min(there.ttl);
        if answer.chain.len() > LONGEST_CHAIN {
            return Err(Failed {
                kind: ErrorKind::Failed,
                why: "it leads through too many names".to_owned(),
                timed_out: false,
            });
        }
    }
    Ok(answer)
}

fn ask_once(
    conf: &ResolvConf,
    first: usize,
    questions: &[&Question],
) -> Vec<Result<Answer, Failed>> {
    let mut answers: Vec<Option<Answer>> = questions.iter().map(|_| None).collect();
    let mut failures: Vec<Vec<(SocketAddr, Failure)>> =
        questions.iter().map(|_| Vec::new()).collect();
    let servers = conf.servers.iter().cycle().skip(first % conf.servers.len());
    for (turn, &server) in servers.take(conf.attempts * conf.servers.len()).enumerate() {
        let open: Vec<_> = (0..questions.len())
            .filter(|&index| answers[index].is_none())
            .collect();
        if open.is_empty() {
            break;
        }
        if turn % conf.servers.len() == 0 {
            failures.iter_mut().for_each(Vec::clear);
        }
        let asked: Vec<_> = open.iter().map(|&index| questions[index]).collect();
        let replies = transport::ask(server, &asked, conf.timeout);
        for (index, reply) in open.into_iter().zip(replies) {
            match reply {
                Ok(answer) => answers[index] = Some(answer),
                Err(failure) => failures[index].push((server, failure)),
            }
        }
    }
    let results = answers.into_iter().zip(failures);
    results
        .map(|(answer, failures)| answer.ok_or_else(|| failed(&failures)))
        .collect()
}

/// What the last round over the servers has come to.
fn failed(failures: &[(SocketAddr, Failure)]) -> Failed {
    let kinds = failures.iter().map(|(_, failure)| kind(failure));
    let texts = failures
        .iter()
        .map(|(server, failure)| format!("{server}: {failure}"));
    Failed {
        // If one of them may know later, the whole may.
        kind: kinds
            .min_by_key(|kind| *kind != ErrorKind::TryAgain)
            .unwrap_or(ErrorKind::TryAgain),
        why: texts.collect::<Vec<_>>().join("; "),
        timed_out: failures
            .iter()
            .all(|(_, failure)| matches!(failure, Failure::TimedOut)),
    }
}

fn kind(failure: &Failure) -> ErrorKind {
    match failure {
        Failure::Unasked(_) => ErrorKind::System,
        Failure::TimedOut | Failure::Unreachable(_) | Failure::Failed => ErrorKind::TryAgain,
        Failure::Refused(_) | Failure::Garbled(_) => ErrorKind::Failed,
    }
}
