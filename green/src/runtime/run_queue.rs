//! The run queue: the order in which greenthreads run.

use std::collections::VecDeque;
use std::rc::Rc;

use super::Task;

/// Places in the run queue whose greenthreads are loaded into the cache: first the task, then the stack that it names.
const SOON: usize = 8;
const NEXT: usize = 4;

/// Greenthreads that can run, in the order in which they will.
///
/// That order is first in, first out, with two exceptions. Those that are being killed come first. And those that a turn
/// of the reactor has woken overtake others, one for one: who waited for a deadline or a descriptor does not stand behind
/// ten thousand that have only just been spawned, or that compute between two yields.
#[derive(Default)]
pub(super) struct RunQueue {
    line: VecDeque<Entry>,
    /// How many have left the line. The one that joined it as the n-th is at its head when n have left.
    left: u64,
    /// Woken by the reactor, each with how many had joined the line before it.
    due: VecDeque<(Entry, u64)>,
    /// How many had left the line when one of `due` overtook its head last.
    overtook: Option<u64>,
    /// Being killed.
    urgent: VecDeque<Entry>,
    /// Entries of those that were taken out of the middle. They are skipped when their turn comes.
    stale: usize,
}

/// A greenthread, with its ticket when it was queued. Who takes it out of the middle of the queue moves the ticket on.
pub(super) struct Entry {
    task: Rc<Task>,
    ticket: u32,
}

impl Entry {
    #[inline(always)]
    fn new(task: Rc<Task>) -> Entry {
        let ticket = task.ticket.get();
        Entry { task, ticket }
    }

    #[inline(always)]
    fn is_stale(&self) -> bool {
        self.task.ticket.get() != self.ticket
    }

    /// The greenthread, or the entry itself if that was taken out of the queue meanwhile.
    #[inline(always)]
    pub(super) fn into_task(self) -> Result<Rc<Task>, Entry> {
        match self.is_stale() {
            true => Err(self),
            false => Ok(self.task),
        }
    }
}

impl RunQueue {
    /// How many can run.
    pub(super) fn len(&self) -> usize {
        self.line.len() + self.due.len() + self.urgent.len() - self.stale
    }

    /// Behind all others.
    #[inline(always)]
    pub(super) fn push(&mut self, task: Rc<Task>) {
        self.line.push_back(Entry::new(task));
    }

    /// Woken by the reactor.
    #[inline]
    pub(super) fn push_due(&mut self, task: Rc<Task>) {
        let joined = self.left + self.line.len() as u64;
        self.due.push_back((Entry::new(task), joined));
    }

    /// Before all others.
    pub(super) fn push_urgent(&mut self, task: Rc<Task>) {
        self.urgent.push_front(Entry::new(task));
    }

    /// Takes one out of the middle: it is runnable and in the queue.
    pub(super) fn remove(&mut self, task: &Task) {
        task.ticket.set(task.ticket.get().wrapping_add(1));
        self.stale += 1;
    }

    /// The next entry. One that is stale has to be [skipped](RunQueue::skip).
    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<Entry> {
        match self.due.is_empty() && self.urgent.is_empty() {
            true => self.pop_line(),
            false => self.pop_first(),
        }
    }

    /// Counts that an entry was popped that is stale. It is the caller's to drop, outside any borrow.
    pub(super) fn skip(&mut self) {
        self.stale -= 1;
    }

    #[inline(always)]
    fn pop_line(&mut self) -> Option<Entry> {
        prefetch(&self.line, |entry| entry);
        let entry = self.line.pop_front()?;
        self.left += 1;
        Some(entry)
    }

    #[inline(never)]
    fn pop_first(&mut self) -> Option<Entry> {
        if let Some(entry) = self.urgent.pop_front() {
            return Some(entry);
        }
        let in_turn = match self.due.front() {
            Some((_, joined)) => *joined <= self.left || self.line.is_empty(),
            None => return self.pop_line(),
        };
        if !in_turn && self.overtook == Some(self.left) {
            return self.pop_line();
        }
        self.overtook = (!in_turn).then_some(self.left);
        prefetch(&self.due, |(entry, _)| entry);
        self.due.pop_front().map(|(entry, _)| entry)
    }

    /// As `pop`, for the entry that `draw` chooses by its place among so many.
    pub(super) fn pop_any(&mut self, draw: impl FnOnce(usize) -> Option<usize>) -> Option<Entry> {
        self.line.extend(self.urgent.drain(..));
        self.line.extend(self.due.drain(..).map(|(entry, _)| entry));
        self.line.swap_remove_front(draw(self.line.len())?)
    }
}

#[inline(always)]
fn prefetch<T>(queue: &VecDeque<T>, entry: impl Fn(&T) -> &Entry) {
    if let Some(soon) = queue.get(SOON) {
        greenlet::hint::prefetch(&*entry(soon).task);
        if let Some(next) = queue.get(NEXT) {
            entry(next).task.prefetch_stack();
        }
    }
}
