//! A cache of answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{Answer, Question, Says};

/// However long the servers say that an answer is good for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The same for what does not exist: it may soon.
const LONGEST_NOTHING: Duration = Duration::from_secs(15 * 60);

/// Answers, each until its time is up: as long as it says itself, but at most a day, and that there is nothing at most
/// 15 minutes.
///
/// ```
/// use std::sync::Arc;
/// use std::time::{Duration, Instant};
/// use green_dns::{Answer, Cache, Question, RecordKind, Says};
///
/// let question = Question::new("www.example", RecordKind::A);
/// let answer = Answer {
///     chain: vec!["www.example".to_owned()],
///     says: Says::Addresses(vec![[192, 0, 2, 1].into()]),
///     ttl: Duration::from_secs(60),
/// };
/// let (mut cache, now) = (Cache::new(100), Instant::now());
/// cache.put(question.clone(), Arc::new(answer), now);
/// assert!(cache.get(&question, now + Duration::from_secs(59)).is_some());
/// assert!(cache.get(&question, now + Duration::from_secs(60)).is_none());
/// ```
#[derive(Debug)]
pub struct Cache {
    answers: HashMap<Question, (Instant, Arc<Answer>)>,
    capacity: usize,
}

impl Cache {
    /// An empty cache for at most `capacity` answers; one of 0 keeps none.
    pub fn new(capacity: usize) -> Cache {
        Cache {
            answers: HashMap::new(),
            capacity,
        }
    }

    /// The answer that is good at `now`.
    pub fn get(&self, question: &Question, now: Instant) -> Option<Arc<Answer>> {
        let (until, answer) = self.answers.get(question)?;
        (*until > now).then(|| Arc::clone(answer))
    }

    /// Keeps an answer that came at `now`. In a full cache the one that would go first goes now.
    pub fn put(&mut self, question: Question, answer: Arc<Answer>, now: Instant) {
        let longest = match answer.says {
            Says::NoName | Says::NoData => LONGEST_NOTHING,
            Says::Addresses(_) | Says::Names(_) | Says::Elsewhere => LONGEST,
        };
        let ttl = answer.ttl.min(longest);
        if ttl.is_zero() || self.capacity == 0 {
            self.answers.remove(&question);
            return;
        }
        if self.answers.len() >= self.capacity && !self.answers.contains_key(&question) {
            let first = self.answers.iter().min_by_key(|(_, (until, _))| *until);
            if let Some(first) = first.map(|(question, _)| question.clone()) {
                self.answers.remove(&first);
            }
        }
        self.answers.insert(question, (now + ttl, answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordKind;

    fn question(name: &str) -> Question {
        Question {
            name: name.to_owned(),
            kind: RecordKind::A,
        }
    }

    fn answer(says: Says, ttl: u64) -> Arc<Answer> {
        Arc::new(Answer {
            chain: vec!["a".to_owned()],
            says,
            ttl: Duration::from_secs(ttl),
        })
    }

    fn address(ttl: u64) -> Arc<Answer> {
        answer(Says::Addresses(vec![[127, 0, 0, 1].into()]), ttl)
    }

    #[test]
    fn until_its_time_is_up() {
        let (mut cache, start) = (Cache::new(10), Instant::now());
        cache.put(question("a"), address(5), start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(cache.get(&question("a"), after(4)).is_some());
        assert!(cache.get(&question("a"), after(5)).is_none());
        assert!(cache.get(&question("b"), start).is_none());
        cache.put(question("a"), address(0), start);
        assert!(cache.get(&question("a"), start).is_none());
    }

    #[test]
    fn times_are_clamped() {
        let (mut cache, start) = (Cache::new(10), Instant::now());
        cache.put(question("a"), address(u32::MAX.into()), start);
        cache.put(question("b"), answer(Says::NoName, u32::MAX.into()), start);
        let just_before = |limit| start + limit - Duration::from_secs(1);
        assert!(cache.get(&question("a"), just_before(LONGEST)).is_some());
        assert!(cache.get(&question("a"), start + LONGEST).is_none());
        assert!(
            cache
                .get(&question("b"), just_before(LONGEST_NOTHING))
                .is_some()
        );
        assert!(cache.get(&question("b"), start + LONGEST_NOTHING).is_none());
    }

    #[test]
    fn it_is_bounded() {
        let (mut cache, start) = (Cache::new(3), Instant::now());
        for (name, ttl) in [("a", 30), ("b", 10), ("c", 20), ("d", 40)] {
            cache.put(question(name), address(ttl), start);
        }
        let has = |cache: &Cache, name| cache.get(&question(name), start).is_some();
        assert!(has(&cache, "a") && !has(&cache, "b") && has(&cache, "c") && has(&cache, "d"));
        // What has expired goes before what has not.
        let later = start + Duration::from_secs(25);
        cache.put(question("e"), address(1), later);
        cache.put(question("a"), address(1), later);
        assert_eq!(cache.answers.len(), 3);
        assert!(!has(&cache, "c"));
        let mut none = Cache::new(0);
        none.put(question("a"), address(30), start);
        assert!(none.get(&question("a"), start).is_none());
    }
}
