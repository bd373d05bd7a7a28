use std::io;
use std::os::fd::RawFd;

use crate::Token;

/// What a hub knows of its descriptors, by their number: one load finds an entry.
///
/// It also is the one place that says `AlreadyExists` and `NotFound`, so that every hub built on
/// it says the same.
///
/// ```
/// use hub_core::{FdTable, Token};
/// use std::io::ErrorKind;
/// let (mine, other) = (Token::from_raw(1), Token::from_raw(2));
/// let mut table = FdTable::new();
/// table.insert(5, mine, "entry")?;
/// assert_eq!(table.insert(5, other, "").unwrap_err().kind(), ErrorKind::AlreadyExists);
/// assert_eq!(table.get(5, other).unwrap_err().kind(), ErrorKind::NotFound);
/// *table.get_mut(5, mine)? = "changed";
/// assert_eq!(table.by_fd(5), Some((mine, &"changed")));
/// assert!(table.by_fd_mut(6).is_none() && table.vacant(6).is_ok());
/// assert_eq!((table.len(), table.iter().count()), (1, 1));
/// assert_eq!(table.remove(5, mine)?, "changed");
/// assert!(table.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FdTable<T> {
    slots: Vec<Option<(Token, T)>>,
    len: usize,
}

impl<T> FdTable<T> {
    /// An empty table.
    pub const fn new() -> FdTable<T> {
        FdTable {
            slots: Vec::new(),
            len: 0,
        }
    }

    /// Enters a descriptor.
    ///
    /// # Errors
    /// `AlreadyExists` if this number is taken.
    pub fn insert(&mut self, fd: RawFd, token: Token, entry: T) -> io::Result<()> {
        self.vacant(fd)?;
        let index = fd as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some((token, entry));
        self.len += 1;
        Ok(())
    }

    /// Succeeds if a descriptor could be entered; to be called before the system is asked.
    ///
    /// # Errors
    /// `AlreadyExists` if this number is taken.
    pub fn vacant(&self, fd: RawFd) -> io::Result<()> {
        match self.by_fd(fd) {
            None => Ok(()),
            Some(_) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("descriptor {fd} is registered already; remove it first"),
            )),
        }
    }

    /// The entry of this descriptor.
    ///
    /// # Errors
    /// `NotFound` if it is not entered under this token.
    #[inline]
    pub fn get(&self, fd: RawFd, token: Token) -> io::Result<&T> {
        match self.slots.get(fd as usize) {
            Some(Some((owner, entry))) if *owner == token => Ok(entry),
            _ => Err(not_found(fd, token)),
        }
    }

    /// The entry of this descriptor, to be changed.
    ///
    /// # Errors
    /// `NotFound` if it is not entered under this token.
    #[inline]
    pub fn get_mut(&mut self, fd: RawFd, token: Token) -> io::Result<&mut T> {
        match self.slots.get_mut(fd as usize) {
            Some(Some((owner, entry))) if *owner == token => Ok(entry),
            _ => Err(not_found(fd, token)),
        }
    }

    /// Takes a descriptor out.
    ///
    /// # Errors
    /// `NotFound` if it is not entered under this token.
    pub fn remove(&mut self, fd: RawFd, token: Token) -> io::Result<T> {
        self.get(fd, token)?;
        let (_, entry) = self.slots[fd as usize].take().expect("it was found");
        self.len -= 1;
        Ok(entry)
    }

    /// The registration that holds this number, if one does.
    #[inline]
    pub fn by_fd(&self, fd: RawFd) -> Option<(Token, &T)> {
        match self.slots.get(fd as usize) {
            Some(Some((token, entry))) => Some((*token, entry)),
            _ => None,
        }
    }

    /// The registration that holds this number, if one does; the entry can be changed.
    #[inline]
    pub fn by_fd_mut(&mut self, fd: RawFd) -> Option<(Token, &mut T)> {
        match self.slots.get_mut(fd as usize) {
            Some(Some((token, entry))) => Some((*token, entry)),
            _ => None,
        }
    }

    /// How many descriptors are in the table.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if no descriptor is in the table.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every entry, by descriptor.
    pub fn iter(&self) -> impl Iterator<Item = (RawFd, Token, &T)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(fd, slot)| Some((fd as RawFd, slot.as_ref()?.0, &slot.as_ref()?.1)))
    }
}

impl<T> Default for FdTable<T> {
    fn default() -> FdTable<T> {
        FdTable::new()
    }
}

#[cold]
fn not_found(fd: RawFd, token: Token) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("descriptor {fd} is not registered as {token:?}"),
    )
}
