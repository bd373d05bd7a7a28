//! Lists of waiters, in the order of their arrival.

use std::collections::VecDeque;
use std::mem;

use super::Waiter;

/// One wait of one greenthread, as the one who ends it sees it.
pub(crate) trait Waiting {
    /// False if that wait is known to be over: its greenthread was interrupted or has run out of time, and is about
    /// to take itself out of the list.
    fn is_parked(&self) -> bool;

    /// Makes the greenthread runnable, if that wait still goes on.
    fn wake(&self);
}

/// `None` is a waiter that is never parked, and that nothing wakes.
impl<W: Waiting> Waiting for Option<W> {
    #[inline]
    fn is_parked(&self) -> bool {
        self.as_ref().is_some_and(W::is_parked)
    }

    #[inline]
    fn wake(&self) {
        if let Some(waiter) = self {
            waiter.wake();
        }
    }
}

/// Names one place in one list. The list never gives it out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

/// Waiters in the order of their arrival, each with what it brought along.
///
/// The call that serves a waiter takes it out; a waiter that gives up takes itself out. So a waiter that looks for
/// its place after a park and does not find it has been served, and one that finds it has not.
#[derive(Debug)]
pub(crate) struct WaitList<T = (), W = Waiter> {
    /// The one that has waited longest, and where.
    first: (Place, Option<(W, T)>),
    /// Those behind it. Most lists never have a second.
    rest: Option<Box<Rest<T, W>>>,
    next: u64,
}

#[derive(Debug)]
struct Rest<T, W> {
    /// Sorted by place. `None` is the gap that one has left who gave up.
    line: VecDeque<(Place, Option<(W, T)>)>,
    gaps: usize,
}

impl<T, W> Default for Rest<T, W> {
    fn default() -> Self {
        Rest {
            line: VecDeque::new(),
            gaps: 0,
        }
    }
}

impl<T, W> Default for WaitList<T, W> {
    fn default() -> Self {
        WaitList::new()
    }
}

impl<T, W> WaitList<T, W> {
    #[inline]
    pub(crate) const fn new() -> WaitList<T, W> {
        WaitList {
            first: (Place(0), None),
            rest: None,
            next: 0,
        }
    }

    /// The places behind the first, gaps included.
    fn line(&self) -> impl Iterator<Item = &(Place, Option<(W, T)>)> {
        self.rest.iter().flat_map(|rest| &rest.line)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.1.is_none()
    }

    /// What [`WaitList::pop_any`] would take.
    #[inline]
    pub(crate) fn first(&self) -> Option<&(W, T)> {
        self.first.1.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(W, T)> {
        let first = self.first.1.iter();
        first.chain(self.line().filter_map(|(_, waiter)| waiter.as_ref()))
    }

    #[inline]
    pub(crate) fn push(&mut self, waiter: W, with: T) -> Place {
        self.push_made(|| (waiter, with))
    }

    /// As `push`, for what is best made where it will lie.
    #[inline]
    pub(crate) fn push_made(&mut self, make: impl FnOnce() -> (W, T)) -> Place {
        let place = Place(self.next);
        self.next += 1;
        let slot = match self.first.1 {
            None => &mut self.first,
            Some(_) => self.rest.get_or_insert_default().append(),
        };
        slot.0 = place;
        // An assignment would look for something to drop, with what was made put aside in memory.
        mem::forget(slot.1.replace(make()));
        place
    }

    /// How many are in the list, those who are about to leave it included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let rest = self.rest.as_deref();
        usize::from(self.first.1.is_some()) + rest.map_or(0, |rest| rest.line.len() - rest.gaps)
    }

    /// Takes the one that has waited longest, even if it is about to leave: it then finds that it was served.
    #[inline]
    pub(crate) fn pop_any(&mut self) -> Option<(W, T)> {
        self.take_first()
    }

    /// Takes out a waiter that leaves. `None` says that it was served before.
    #[inline]
    pub(crate) fn leave(&mut self, place: Place) -> Option<T> {
        match &self.first {
            (first, Some(_)) if *first == place => self.take_first(),
            (first, Some(_)) if *first < place => self.take_rest(place),
            _ => None,
        }
        .map(|(_, with)| with)
    }

    // What is taken is moved once: twice would be a load that waits for two stores of other sizes.
    #[inline]
    fn take_first(&mut self) -> Option<(W, T)> {
        match self.rest {
            None => self.first.1.take(),
            Some(_) => self.take_before_rest(),
        }
    }

    #[inline(never)]
    fn take_before_rest(&mut self) -> Option<(W, T)> {
        let taken = self.first.1.take()?;
        if let Some((place, next)) = self.rest.as_mut().and_then(|rest| rest.next()) {
            self.first = (place, Some(next));
        }
        Some(taken)
    }

    #[cold]
    fn take_rest(&mut self, place: Place) -> Option<(W, T)> {
        self.rest.as_mut()?.take(place)
    }
}

impl<T, W> Rest<T, W> {
    /// A place at the end, still empty.
    #[cold]
    #[inline(never)]
    fn append(&mut self) -> &mut (Place, Option<(W, T)>) {
        let last = self.line.len();
        self.line.push_back((Place(0), None));
        &mut self.line[last]
    }

    /// Takes the first who has not given up.
    #[inline]
    fn next(&mut self) -> Option<(Place, (W, T))> {
        while let Some((place, waiter)) = self.line.pop_front() {
            if let Some(waiter) = waiter {
                return Some((place, waiter));
            }
            self.gaps -= 1;
        }
        None
    }

    fn find(&mut self, place: Place) -> Option<&mut Option<(W, T)>> {
        let at = self.line.binary_search_by_key(&place, |(place, _)| *place);
        Some(&mut self.line[at.ok()?].1)
    }

    fn take(&mut self, place: Place) -> Option<(W, T)> {
        let taken = self.find(place)?.take()?;
        self.gaps += 1;
        if self.gaps * 2 > self.line.len() {
            self.line.retain(|(_, waiter)| waiter.is_some());
            self.gaps = 0;
        }
        Some(taken)
    }
}

impl<T, W> WaitList<T, Option<W>> {
    /// Lets a waiter go and keeps its place, with what it brought along. Nothing happens if it was served before.
    pub(crate) fn detach(&mut self, place: Place) {
        let entry = match &mut self.first {
            (first, Some(entry)) if *first == place => Some(entry),
            _ => match &mut self.rest {
                Some(rest) => rest.find(place).and_then(Option::as_mut),
                None => None,
            },
        };
        if let Some((waiter, _)) = entry {
            *waiter = None;
        }
    }

    /// Takes what was brought along by the first of those who were let go.
    pub(crate) fn pop_detached(&mut self) -> Option<T> {
        let (first, Some((waiter, _))) = &self.first else {
            return None;
        };
        let place = match waiter {
            None => *first,
            Some(_) => {
                let mut rest = self.line();
                let (place, _) = rest.find(|(_, entry)| matches!(entry, Some((None, _))))?;
                *place
            }
        };
        self.leave(place)
    }
}

impl<T, W: Waiting> WaitList<T, W> {
    /// How many wait at this moment: those who are about to leave do not count.
    pub(crate) fn parked(&self) -> usize {
        self.iter().filter(|(waiter, _)| waiter.is_parked()).count()
    }

    /// Takes the one that has waited longest and still waits. Who is about to leave stays, for its own
    /// [`WaitList::leave`] to find.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(W, T)> {
        match &self.first.1 {
            Some((waiter, _)) if waiter.is_parked() => self.take_first(),
            Some(_) => self.pop_rest(),
            None => None,
        }
    }

    /// As [`WaitList::pop`], but of those only who brought along what `suits`; the others keep their places.
    pub(crate) fn pop_if(&mut self, suits: impl Fn(&T) -> bool) -> Option<(W, T)> {
        let serves = |(waiter, with): &(W, T)| suits(with) && waiter.is_parked();
        if self.first.1.as_ref().is_some_and(serves) {
            return self.take_first();
        }
        let place = self
            .line()
            .find_map(|(place, waiter)| waiter.as_ref().is_some_and(serves).then_some(*place))?;
        self.take_rest(place)
    }

    #[cold]
    fn pop_rest(&mut self) -> Option<(W, T)> {
        let place = self.line().find_map(|(place, waiter)| {
            matches!(waiter, Some((waiter, _)) if waiter.is_parked()).then_some(*place)
        })?;
        self.take_rest(place)
    }

    /// What the one brought along whom [`WaitList::pop`] would take.
    pub(crate) fn peek(&self) -> Option<&T> {
        let mut waiters = self.iter();
        waiters.find_map(|(waiter, with)| waiter.is_parked().then_some(with))
    }

    /// Serves all who wait, in order.
    pub(crate) fn wake_all(&mut self) {
        while let Some((waiter, _)) = self.pop() {
            waiter.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    #[derive(Clone, Default)]
    struct Mock(Rc<Cell<bool>>);

    impl Waiting for Mock {
        fn is_parked(&self) -> bool {
            !self.0.get()
        }

        fn wake(&self) {
            self.0.set(true);
        }
    }

    fn list(n: u32) -> (WaitList<u32, Mock>, Vec<(Place, Mock)>) {
        let mut list = WaitList::new();
        let mut places = Vec::new();
        for with in 0..n {
            let waiter = Mock::default();
            places.push((list.push(waiter.clone(), with), waiter));
        }
        (list, places)
    }

    #[test]
    fn the_first_to_come_is_the_first_to_go() {
        let (mut list, _places) = list(3);
        let order: Vec<_> = std::iter::from_fn(|| list.pop())
            .map(|(_, with)| with)
            .collect();
        assert_eq!(order, [0, 1, 2]);
        assert!(list.is_empty());
    }

    #[test]
    fn one_that_leaves_is_not_served_and_one_that_was_served_finds_no_place() {
        let (mut list, places) = list(3);
        assert_eq!(list.leave(places[1].0), Some(1));
        assert_eq!(list.leave(places[1].0), None);
        assert_eq!(list.len(), 2);
        assert_eq!(list.pop().map(|(_, with)| with), Some(0));
        assert_eq!(list.leave(places[0].0), None);
        assert_eq!(list.pop().map(|(_, with)| with), Some(2));
        assert_eq!(list.leave(places[2].0), None);
    }

    #[test]
    fn one_whose_wait_is_over_is_passed_over_and_keeps_its_place() {
        let (mut list, places) = list(3);
        places[0].1.wake();
        assert_eq!((list.len(), list.parked()), (3, 2));
        assert_eq!(list.pop().map(|(_, with)| with), Some(1));
        assert_eq!(list.leave(places[0].0), Some(0));
        assert_eq!(list.pop().map(|(_, with)| with), Some(2));
        assert!(list.is_empty());
    }

    #[test]
    fn those_who_leave_from_the_middle_leave_no_memory_behind() {
        let (mut list, places) = list(1000);
        for (place, _) in &places[1..] {
            assert!(list.leave(*place).is_some());
            let rest = list.rest.as_ref().expect("there was a second");
            assert!(rest.gaps * 2 <= rest.line.len());
        }
        assert_eq!((list.len(), list.line().count()), (1, 0));
        for with in 0..1000 {
            let place = list.push(Mock::default(), with);
            assert_eq!(list.leave(place), Some(with));
            assert!(list.line().count() <= 1);
        }
        assert_eq!(list.leave(places[0].0), Some(0));
        assert!(list.is_empty());
    }
}
