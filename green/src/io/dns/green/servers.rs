//! All name servers in turn, until one answers.

use std::net::SocketAddr;

use green_dns::{Answer, ErrorKind, LONGEST_CHAIN, Question, ResolvConf, Says, Unanswered};

use super::transport::{self, Failure};
use crate::error::raw_os_error;

/// Asks the servers, the `first` of them first. A server that does not follow other names itself leaves it to us.
pub(super) async fn ask(
    conf: &ResolvConf,
    first: usize,
    question: &Question,
) -> Result<Answer, Unanswered> {
    let mut answer = ask_once(conf, first, question).await?;
    while answer.says == Says::Elsewhere {
        let Some(name) = answer.chain.pop() else {
            break;
        };
        let there = ask_once(conf, first, &Question::new(name, question.kind)).await?;
        answer.chain.extend(there.chain);
        answer.says = there.says;
        answer.ttl = answer.ttl.min(there.ttl);
        if answer.chain.len() > LONGEST_CHAIN {
            let why = "it leads through too many names";
            return Err(Unanswered::new(ErrorKind::Failed, why));
        }
    }
    Ok(answer)
}

async fn ask_once(
    conf: &ResolvConf,
    first: usize,
    question: &Question,
) -> Result<Answer, Unanswered> {
    let count = conf.servers.len();
    let servers = conf.servers.iter().cycle().skip(first % count.max(1));
    // Those of the last round over the servers.
    let mut failures = Vec::new();
    for (turn, &server) in servers.take(conf.attempts * count).enumerate() {
        if turn % count == 0 {
            failures.clear();
        }
        match transport::ask(server, question, conf.timeout).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failures.push((server, failure)),
        }
    }
    Err(unanswered(&failures))
}

fn unanswered(failures: &[(SocketAddr, Failure)]) -> Unanswered {
    let kinds = failures.iter().map(|(_, failure)| kind(failure));
    let texts = failures
        .iter()
        .map(|(server, failure)| format!("{server}: {failure}"));
    // If one of them may know later, the whole may.
    let kind = kinds
        .min_by_key(|kind| *kind != ErrorKind::TryAgain)
        .unwrap_or(ErrorKind::TryAgain);
    let silent = failures
        .iter()
        .all(|(_, failure)| matches!(failure, Failure::TimedOut));
    let number = failures
        .iter()
        .rev()
        .find_map(|(_, failure)| match failure {
            Failure::Unasked(error) => raw_os_error(error),
            _ => None,
        });
    Unanswered::new(kind, texts.collect::<Vec<_>>().join("; "))
        .timed_out(silent)
        .os_error(number)
}

fn kind(failure: &Failure) -> ErrorKind {
    match failure {
        Failure::Unasked(_) => ErrorKind::System,
        Failure::TimedOut | Failure::Unreachable(_) | Failure::Failed => ErrorKind::TryAgain,
        Failure::Refused(_) | Failure::Garbled(_) => ErrorKind::Failed,
    }
}
