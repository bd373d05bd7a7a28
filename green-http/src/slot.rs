//! A place for one thing that is on its way from a greenthread to a task.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use green::future::try_block_on;

struct Slot<T> {
    item: RefCell<Option<T>>,
    /// The task that takes.
    taker: RefCell<Option<Waker>>,
    /// The greenthread that waits until its item was taken.
    giver: RefCell<Option<Waker>>,
    /// One of the two ends is gone.
    closed: Cell<bool>,
}

impl<T> Slot<T> {
    fn wake(place: &RefCell<Option<Waker>>) {
        if let Some(waker) = place.take() {
            waker.wake();
        }
    }

    fn close(&self) {
        self.closed.set(true);
        Slot::<T>::wake(&self.taker);
        Slot::<T>::wake(&self.giver);
    }
}

/// The end that gives.
pub(crate) struct Giver<T>(Rc<Slot<T>>);

/// The end that takes.
pub(crate) struct Taker<T>(Rc<Slot<T>>);

pub(crate) fn slot<T>() -> (Giver<T>, Taker<T>) {
    let slot = Rc::new(Slot {
        item: RefCell::new(None),
        taker: RefCell::new(None),
        giver: RefCell::new(None),
        closed: Cell::new(false),
    });
    (Giver(Rc::clone(&slot)), Taker(slot))
}

impl<T> Giver<T> {
    /// Waits until the last item was taken, and leaves this one.
    ///
    /// # Errors
    /// `BrokenPipe` if nobody takes any more, `WouldBlock` if it would have to wait while the thread unwinds.
    pub(crate) fn give(&self, item: T) -> io::Result<()> {
        let room = poll_fn(|cx| match () {
            () if self.0.closed.get() => Poll::Ready(false),
            () if self.0.item.borrow().is_none() => Poll::Ready(true),
            () => {
                let former = self.0.giver.replace(Some(cx.waker().clone()));
                drop(former);
                Poll::Pending
            }
        });
        match try_block_on(room) {
            Ok(true) => {
                *self.0.item.borrow_mut() = Some(item);
                Slot::<T>::wake(&self.0.taker);
                Ok(())
            }
            Ok(false) => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the client takes no more of the answer",
            )),
            Err(error) => Err(io::Error::new(io::ErrorKind::WouldBlock, error)),
        }
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T> Taker<T> {
    /// The next item. `None` if the other end is gone.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let item = self.0.item.borrow_mut().take();
        match item {
            Some(item) => {
                Slot::<T>::wake(&self.0.giver);
                Poll::Ready(Some(item))
            }
            None if self.0.closed.get() => Poll::Ready(None),
            None => {
                let former = self.0.taker.replace(Some(cx.waker().clone()));
                drop(former);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Taker<T> {
    fn drop(&mut self) {
        self.0.close();
        let item = self.0.item.borrow_mut().take();
        drop(item);
    }
}
