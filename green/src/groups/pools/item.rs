//! A resource while somebody has it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// Where an item belongs, whatever made it.
pub(super) trait Home<T> {
    fn put(&self, item: T);
    fn lose(&self);
}

/// A resource of a pool; it goes back when this is dropped.
///
/// ```
/// use green::pools::Pool;
///
/// let pool = Pool::builder().max(1).create(Vec::<u8>::new);
/// let mut item = pool.item();
/// item.push(1);
/// assert_eq!((item.len(), pool.free()), (1, 0));
/// drop(item);
/// assert_eq!(pool.free(), 1);
/// ```
pub struct PoolItem<T> {
    /// `None` only while it is dropped.
    item: Option<T>,
    home: Rc<dyn Home<T>>,
}

impl<T> PoolItem<T> {
    pub(super) fn new(item: T, home: Rc<dyn Home<T>>) -> PoolItem<T> {
        PoolItem {
            item: Some(item),
            home,
        }
    }

    /// Keeps the resource from going back, as one that is broken should be: the pool may make another in its place.
    ///
    /// ```
    /// use green::pools::Pool;
    ///
    /// let pool = Pool::builder().max(1).create(String::new);
    /// let broken = pool.item().discard();
    /// assert_eq!(pool.free(), 1);
    /// # drop(broken);
    /// ```
    pub fn discard(mut self) -> T {
        let Some(item) = self.item.take() else {
            unreachable!("the item is there until the guard is dropped");
        };
        self.home.lose();
        item
    }
}

impl<T> Deref for PoolItem<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.item {
            Some(item) => item,
            None => unreachable!("the item is there until the guard is dropped"),
        }
    }
}

impl<T> DerefMut for PoolItem<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.item {
            Some(item) => item,
            None => unreachable!("the item is there until the guard is dropped"),
        }
    }
}

impl<T> Drop for PoolItem<T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.home.put(item);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for PoolItem<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
