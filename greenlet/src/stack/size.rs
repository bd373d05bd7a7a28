//! How large stacks are.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The smallest stack, in bytes: 16 KiB, in which a panic fits that prints no backtrace.
///
/// With `RUST_BACKTRACE=1` a panic takes 24 KiB in a build without optimisation, beside what the function itself needs: a
/// stack of 32 KiB survives it.
///
/// ```
/// use greenlet::{Builder, MIN_STACK_SIZE};
///
/// assert!(Builder::new().stack_size(MIN_STACK_SIZE - 1).build(|()| ()).is_err());
/// assert!(Builder::new().stack_size(MIN_STACK_SIZE).build(|()| ()).is_ok());
/// ```
pub const MIN_STACK_SIZE: usize = 16 * 1024;

const DEFAULT: usize = 256 * 1024;
const VARIABLE: &str = "GREENLET_STACK_SIZE";

/// 0 until it is known.
static DEFAULT_SIZE: AtomicUsize = AtomicUsize::new(0);

/// 0 until it is known.
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// The bytes of a page of memory.
#[inline]
pub(crate) fn page() -> usize {
    match PAGE.load(Relaxed) {
        0 => ask_page(),
        page => page,
    }
}

#[cold]
fn ask_page() -> usize {
    // SAFETY: asks a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(page).unwrap_or(4096).max(4096);
    PAGE.store(page, Relaxed);
    page
}

/// The stack size of greenlets that do not ask for another, in bytes.
///
/// 256 KiB, unless the environment variable `GREENLET_STACK_SIZE` (bytes, or with `K` or `M` behind the number) or
/// [`set_default_stack_size`] say otherwise. That is address space: a stack costs the pages that it has touched.
///
/// ```
/// assert_eq!(greenlet::Greenlet::new(|()| ()).stack_size(), greenlet::default_stack_size()?);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// `InvalidInput` if `GREENLET_STACK_SIZE` is set and is no size.
pub fn default_stack_size() -> io::Result<usize> {
    match DEFAULT_SIZE.load(Relaxed) {
        0 => {
            let size = from_environment()?;
            DEFAULT_SIZE.store(size, Relaxed);
            Ok(size)
        }
        size => Ok(size),
    }
}

/// Sets the stack size of all greenlets, of every thread, that are made from now on and do not ask for another, in bytes.
///
/// ```standalone_crate
/// greenlet::set_default_stack_size(128 * 1024)?;
/// assert_eq!(greenlet::default_stack_size()?, 128 * 1024);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// `InvalidInput` if it is below [`MIN_STACK_SIZE`].
pub fn set_default_stack_size(bytes: usize) -> io::Result<()> {
    DEFAULT_SIZE.store(round(bytes)?, Relaxed);
    Ok(())
}

fn from_environment() -> io::Result<usize> {
    let Some(text) = std::env::var_os(VARIABLE) else {
        return round(DEFAULT);
    };
    let Some(size) = text.to_str().and_then(parse) else {
        return Err(invalid(format!(
            "{VARIABLE} is {text:?}, which is no size: give bytes, or a number followed by K or M"
        )));
    };
    round(size).map_err(|error| invalid(format!("{VARIABLE} is {text:?}: {error}")))
}

fn parse(text: &str) -> Option<usize> {
    let text = text.trim();
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1024),
        b'm' | b'M' => (&text[..text.len() - 1], 1024 * 1024),
        _ => (text, 1),
    };
    digits.trim().parse::<usize>().ok()?.checked_mul(unit)
}

/// Whole pages, and not too few.
fn round(bytes: usize) -> io::Result<usize> {
    if bytes < MIN_STACK_SIZE {
        return Err(invalid(format!(
            "a stack of {bytes} bytes is too small: the least is {MIN_STACK_SIZE}"
        )));
    }
    bytes
        .checked_next_multiple_of(page())
        .filter(|&size| size <= isize::MAX as usize / 4)
        .ok_or_else(|| invalid(format!("a stack of {bytes} bytes is too large")))
}

/// The size of a stack with `room` at its top for what its maker puts there.
#[inline]
pub(crate) fn size_for(requested: Option<usize>, room: usize) -> io::Result<usize> {
    let size = match requested {
        None => match DEFAULT_SIZE.load(Relaxed) {
            0 => default_stack_size()?,
            size => size,
        },
        Some(bytes) => round(bytes)?,
    };
    if room > size / 2 {
        return Err(too_small(size, room));
    }
    Ok(size)
}

#[cold]
fn too_small(size: usize, room: usize) -> io::Error {
    invalid(format!(
        "a stack of {size} bytes is too small for a closure that needs {room}: box what it captures"
    ))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
