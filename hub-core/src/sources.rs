use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use slab::Slab;

use crate::source_state::State;
use crate::{Cause, Direction, Event, Interest, NotReady, Token, Trigger, Wakeup};

/// The reactor's table: which descriptors are registered, and who waits for them. It knows no hub.
pub(crate) struct Sources<W> {
    slab: Slab<Source<W>>,
    next_generation: u32,
    parked: [usize; 2],
    /// Waiters for whom the hub was not armed: see `settle`.
    unsettled: Vec<(Token, Direction)>,
}

/// What a report looks at is one cache line, with waiters of 24 bytes.
#[repr(C, align(64))]
pub(crate) struct Source<W> {
    waiter: [Option<W>; 2],
    generation: u32,
    pub(crate) state: State,
    pub(crate) trigger: Trigger,
    /// For each direction, how often in a row a report was in vain.
    vain: [u8; 2],
    /// Those behind the waiter of each direction, if more than one is allowed.
    queue: Option<Box<[VecDeque<W>; 2]>>,
    source: Rc<dyn AsFd>,
}

/// What a registration leaves behind. The reactor drops nothing of it.
///
/// ```
/// use hub_core::{Direction, NotReady, Reactor};
/// use std::{os::unix::net::UnixStream, rc::Rc};
///
/// let mut reactor = Reactor::new(Box::new(hub_poll::Poll::new()?));
/// let token = reactor.add(Rc::new(UnixStream::pair()?.0))?;
/// reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
/// reactor.park(token, Direction::Read, "a reader").expect("nobody else waits");
/// let removed = reactor.remove(token).expect("it was registered");
/// assert_eq!(removed.waiters, [(Direction::Read, "a reader")]);
/// drop(removed.source); // Now it is closed.
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Removed<W> {
    /// The descriptor.
    pub source: Rc<dyn AsFd>,
    /// Its waiters: those for reading, then those for writing, each in the order they came.
    pub waiters: Vec<(Direction, W)>,
}

/// So many reports in vain in a row are an accident; more are a pattern, and followed by a pause.
const PATIENCE: u8 = 4;

/// The pause after the first too many; each further one doubles it, five times.
const PAUSE: Duration = Duration::from_millis(1);

const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Write];

impl<W> Sources<W> {
    pub(crate) const fn new() -> Sources<W> {
        Sources {
            slab: Slab::new(),
            next_generation: 0,
            parked: [0; 2],
            unsettled: Vec::new(),
        }
    }

    /// The token that the next `insert` gives out.
    pub(crate) fn next_token(&self) -> Token {
        Token::new(self.slab.vacant_key() as u32, self.next_generation)
    }

    pub(crate) fn insert(&mut self, source: Rc<dyn AsFd>, trigger: Trigger) -> Token {
        let token = self.next_token();
        self.next_generation = self.next_generation.wrapping_add(1);
        self.slab.insert(Source {
            generation: token.generation(),
            state: State::FRESH,
            trigger,
            vain: [0; 2],
            source,
            waiter: [None, None],
            queue: None,
        });
        token
    }

    pub(crate) fn remove(&mut self, token: Token) -> Option<Removed<W>> {
        self.get(token)?;
        let source = self.slab.remove(token.index() as usize);
        let mut waiters = Vec::new();
        let mut queue = source.queue.map_or_else(Default::default, |queue| *queue);
        for (direction, waiter) in DIRECTIONS.into_iter().zip(source.waiter) {
            let queued = mem::take(&mut queue[direction as usize]);
            let before = waiters.len();
            let all = waiter.into_iter().chain(queued);
            waiters.extend(all.map(|waiter| (direction, waiter)));
            self.parked[direction as usize] -= waiters.len() - before;
        }
        let source = source.source;
        Some(Removed { source, waiters })
    }

    #[inline]
    pub(crate) fn get(&self, token: Token) -> Option<&Source<W>> {
        let source = self.slab.get(token.index() as usize)?;
        (source.generation == token.generation()).then_some(source)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut Source<W>> {
        let source = self.slab.get_mut(token.index() as usize)?;
        (source.generation == token.generation()).then_some(source)
    }

    /// Parks the first waiter of a direction.
    #[inline]
    pub(crate) fn park(&mut self, token: Token, direction: Direction, waiter: W) {
        if let Some(source) = self.get_mut(token) {
            source.state.take_vain(direction);
            source.waiter[direction as usize] = Some(waiter);
            self.parked[direction as usize] += 1;
        }
    }

    /// The place of the first waiter of a direction, to be taken, if nothing else is to be done.
    #[inline(always)]
    pub(crate) fn free_place(
        &mut self,
        token: Token,
        direction: Direction,
        reads_need_no_arm: bool,
    ) -> Option<&mut Option<W>> {
        let source = self.slab.get_mut(token.index() as usize)?;
        let is_free = source.generation == token.generation()
            && source.waiter(direction).is_none()
            && !source.is_due(direction)
            && source.vain[direction as usize] < PATIENCE
            && !source.is_to_be_armed(direction, reads_need_no_arm);
        if !is_free {
            return None;
        }
        source.state.take_vain(direction);
        self.parked[direction as usize] += 1;
        Some(&mut source.waiter[direction as usize])
    }

    /// Parks the first waiter of a direction that is ready.
    #[cold]
    pub(crate) fn park_due(&mut self, token: Token, direction: Direction, waiter: W) {
        self.park(token, direction, waiter);
        self.unsettled.push((token, direction));
    }

    /// Parks a waiter behind those who wait already; before them if it was woken in vain.
    #[cold]
    pub(crate) fn queue(&mut self, token: Token, direction: Direction, waiter: W) {
        if let Some(source) = self.get_mut(token) {
            let keeps_place = source.state.take_vain(direction);
            let first = &mut source.waiter[direction as usize];
            let queue = &mut source.queue.get_or_insert_default()[direction as usize];
            match first.take() {
                Some(second) if keeps_place => {
                    queue.push_front(second);
                    *first = Some(waiter);
                }
                other => {
                    *first = other;
                    queue.push_back(waiter);
                }
            }
            self.parked[direction as usize] += 1;
        }
    }

    pub(crate) fn unpark(
        &mut self,
        token: Token,
        direction: Direction,
        mut matches: impl FnMut(&W) -> bool,
    ) -> Option<W> {
        let source = self.get_mut(token)?;
        let waiter = if matches(source.waiter(direction)?) {
            // The hub stays armed, for the one behind or in vain.
            source.take(direction)?
        } else {
            let queue = &mut source.queue.as_mut()?[direction as usize];
            let position = queue.iter().position(matches)?;
            queue.remove(position)?
        };
        self.parked[direction as usize] -= 1;
        Some(waiter)
    }

    /// Takes note of an event and appends who waited for it.
    #[inline]
    pub(crate) fn report(&mut self, event: Event, woken: &mut Vec<Wakeup<W>>) {
        let Event { token, ready } = event;
        let source = match self.slab.get_mut(token.index() as usize) {
            Some(source) if source.generation == token.generation() => source,
            _ => return,
        };
        source.state.report(ready);
        for direction in DIRECTIONS {
            if !ready.is(direction) {
                continue;
            }
            let Some(waiter) = source.take(direction) else {
                continue;
            };
            source.state.wake(direction);
            if source.waiter(direction).is_some() {
                self.unsettled.push((token, direction));
            }
            self.parked[direction as usize] -= 1;
            let cause = Cause::Ready(ready);
            woken.push(Wakeup { waiter, cause });
        }
    }

    /// True if a waiter is due, or somebody is to be armed, with the next turn.
    pub(crate) fn is_unsettled(&self) -> bool {
        !self.unsettled.is_empty()
    }

    /// Looks after the waiters that moved up in the last turn, or were parked at a direction that
    /// is ready. If it still is (the one before was killed, or wanted less) nothing will be
    /// reported again, so they are due; else the hub must be armed for them. Says whether anyone
    /// is due.
    #[cold]
    pub(crate) fn settle(
        &mut self,
        woken: &mut Vec<Wakeup<W>>,
        mut arm: impl FnMut(&Source<W>, Token, Direction),
    ) -> bool {
        let before = woken.len();
        for (token, direction) in mem::take(&mut self.unsettled) {
            let Some(source) = self.get_mut(token) else {
                continue;
            };
            if source.waiter(direction).is_none() {
                continue;
            }
            if source.is_due(direction) {
                let ready = Interest::of(direction).into();
                self.report(Event { token, ready }, woken);
            } else {
                arm(source, token, direction);
            }
        }
        woken.len() > before
    }

    /// Takes back every waiter that matches, wherever it is parked.
    pub(crate) fn take_if(&mut self, mut matches: impl FnMut(&W) -> bool) -> Vec<W> {
        let mut taken = Vec::new();
        for (_, source) in &mut self.slab {
            for direction in DIRECTIONS {
                let before = taken.len();
                if let Some(queue) = &mut source.queue {
                    let queue = &mut queue[direction as usize];
                    let (out, stay) = mem::take(queue).into_iter().partition(&mut matches);
                    *queue = stay;
                    let out: VecDeque<W> = out;
                    taken.extend(out);
                }
                if source.waiter(direction).is_some_and(&mut matches) {
                    taken.extend(source.take(direction));
                }
                self.parked[direction as usize] -= taken.len() - before;
            }
        }
        taken
    }

    pub(crate) fn parked(&self, direction: Direction) -> usize {
        self.parked[direction as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Token, &Source<W>)> {
        let sources = self.slab.iter();
        sources.map(|(index, source)| (Token::new(index as u32, source.generation), source))
    }

    /// The descriptors at which anybody is parked.
    pub(crate) fn awaited(&self) -> Vec<BorrowedFd<'_>> {
        let parked = |source: &&Source<W>| source.waiter.iter().any(Option::is_some);
        let sources = self.iter().map(|(_, source)| source).filter(parked);
        sources.map(Source::fd).collect()
    }

    pub(crate) fn waiters(&self) -> impl Iterator<Item = (Token, RawFd, Direction, &W)> {
        self.iter().flat_map(|(token, source)| {
            let fd = source.fd().as_raw_fd();
            DIRECTIONS.into_iter().flat_map(move |direction| {
                let first = source.waiter[direction as usize].iter();
                let queue = source.queue.iter();
                let behind = queue.flat_map(move |queue| &queue[direction as usize]);
                first
                    .chain(behind)
                    .map(move |waiter| (token, fd, direction, waiter))
            })
        })
    }
}

impl<W> Source<W> {
    #[inline]
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    /// Takes note of what a system call has shown.
    #[inline]
    pub(crate) fn clear(&mut self, direction: Direction, why: NotReady) {
        self.state.clear(direction, why);
        let vain = &mut self.vain[direction as usize];
        *vain = match why {
            NotReady::InVain => vain.saturating_add(1),
            NotReady::WouldBlock | NotReady::ShortTransfer => 0,
        };
    }

    /// How long to wait before this direction is asked for again: its reports were in vain.
    #[inline]
    pub(crate) fn pause(&self, direction: Direction) -> Option<Duration> {
        let too_many = self.vain[direction as usize].checked_sub(PATIENCE)?;
        Some(PAUSE * (1 << too_many.min(5)))
    }

    /// True if one who waits for this direction would miss the report: it has been. A `Oneshot`
    /// is reported as often as it is armed.
    #[inline]
    pub(crate) fn is_due(&self, direction: Direction) -> bool {
        self.trigger == Trigger::Edge && self.state.is_ready(direction)
    }

    /// True if the hub must be told that this direction is waited for.
    #[inline]
    pub(crate) fn is_to_be_armed(&self, direction: Direction, reads_need_no_arm: bool) -> bool {
        let by_itself = reads_need_no_arm && self.trigger == Trigger::Edge;
        !(by_itself && direction == Direction::Read)
    }

    #[inline]
    pub(crate) fn waiter(&self, direction: Direction) -> Option<&W> {
        self.waiter[direction as usize].as_ref()
    }

    /// Which directions are waited for.
    pub(crate) fn interest(&self) -> Interest {
        let waited = DIRECTIONS
            .into_iter()
            .filter(|&direction| self.waiter(direction).is_some());
        waited.fold(Interest::NONE, |all, direction| all | direction.into())
    }

    /// Takes the first waiter; the one behind it moves up.
    #[inline]
    fn take(&mut self, direction: Direction) -> Option<W> {
        let next = match &mut self.queue {
            Some(queue) => queue[direction as usize].pop_front(),
            None => None,
        };
        mem::replace(&mut self.waiter[direction as usize], next)
    }
}

impl<W: fmt::Debug> fmt::Debug for Removed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Removed")
            .field("fd", &self.source.as_fd().as_raw_fd())
            .field("waiters", &self.waiters)
            .finish()
    }
}
