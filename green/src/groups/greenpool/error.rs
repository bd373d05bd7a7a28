//! Why a pool cannot be waited for.

use std::error::Error;
use std::fmt;

/// Something waited for all members of a pool, and was one of them or worked for one.
///
/// ```
/// let pool = green::GreenPool::new(1);
/// let inner = pool.clone();
/// assert_eq!(pool.apply(move || inner.waitall()).unwrap(), Err(green::WaitsForItself));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "InsidePool")]
pub struct WaitsForItself;

impl fmt::Display for WaitsForItself {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member of the pool cannot wait until the pool has no members")
    }
}

impl Error for WaitsForItself {}
