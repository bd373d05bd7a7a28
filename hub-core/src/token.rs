use std::fmt;

/// The caller's name for a registration: 64 bits that a hub gives back unread with every event.
///
/// The [`Reactor`](crate::Reactor) splits them into the index of a table and a generation, so that
/// a stale token never reaches the next owner of an index. Who uses a hub alone may put anything
/// into them.
///
/// ```
/// use hub_core::Token;
/// let token = Token::new(7, 3);
/// assert_eq!((token.index(), token.generation()), (7, 3));
/// assert_eq!(Token::from_raw(token.into_raw()), token);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u64);

impl Token {
    /// A token from an index and its generation.
    #[inline]
    pub const fn new(index: u32, generation: u32) -> Token {
        Token((generation as u64) << 32 | index as u64)
    }

    /// A token from any 64 bits.
    #[inline]
    pub const fn from_raw(raw: u64) -> Token {
        Token(raw)
    }

    /// The 64 bits.
    #[inline]
    pub const fn into_raw(self) -> u64 {
        self.0
    }

    /// The low 32 bits.
    #[inline]
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    /// The high 32 bits.
    #[inline]
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}.{})", self.index(), self.generation())
    }
}
