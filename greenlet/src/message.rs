//! What one side of a switch hands to the other.

use std::any::{Any, TypeId};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use crate::block::{Block, Ptr};

/// A type as a pending switch remembers it: compared by address first, by id where two crates have a copy each.
#[derive(Debug)]
pub(crate) struct Type {
    id: TypeId,
    name: fn() -> &'static str,
}

impl Type {
    #[inline(always)]
    pub(crate) const fn of<T: 'static>() -> &'static Type {
        const {
            &Type {
                id: TypeId::of::<T>(),
                name: std::any::type_name::<T>,
            }
        }
    }

    #[inline(always)]
    pub(crate) fn is(&self, other: &Type) -> bool {
        ptr::eq(self, other) || self.id == other.id
    }

    pub(crate) fn name(&self) -> &'static str {
        (self.name)()
    }
}

/// The two words that cross in registers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    /// The value, on the sender's stack: the receiver moves it out before it does anything else.
    pub(crate) data: *mut (),
    /// What there is to do beside taking the value; null for nothing. See [`Sign`].
    pub(crate) sign: *mut (),
}

/// What there is to do beside taking the value.
pub(crate) enum Sign {
    /// Look at the sender when the value is taken: it may be dead, or suspended without a handle, or somebody traces.
    From(Ptr),
    /// Something else, instead of a value.
    Notice(*mut Notice),
}

impl Message {
    #[inline(always)]
    pub(crate) fn value<T>(data: *mut T) -> Message {
        Message {
            data: data.cast(),
            sign: ptr::null_mut(),
        }
    }

    #[inline(always)]
    pub(crate) fn value_from(data: *mut (), sender: Ptr) -> Message {
        Message {
            data,
            sign: sender.as_ptr().cast::<()>().map_addr(|address| address | 1),
        }
    }

    #[inline(always)]
    pub(crate) fn notice(data: *mut (), notice: *mut ManuallyDrop<Notice>) -> Message {
        Message {
            data,
            sign: notice.cast(),
        }
    }

    /// # Safety
    /// The message has just arrived, and its sign is not null.
    #[inline(always)]
    pub(crate) unsafe fn sign(&self) -> Sign {
        if self.sign.addr() & 1 == 0 {
            return Sign::Notice(self.sign.cast());
        }
        let sender = self.sign.map_addr(|address| address & !1).cast::<Block>();
        // SAFETY: made by `value_from`, and the sender's block lives for as long as the sender was not looked at.
        Sign::From(unsafe { Ptr::new(NonNull::new_unchecked(sender)) })
    }
}

/// Something that the receiver does as ordinary Rust, after its switch has returned. It is left on the sender's stack for
/// the receiver to move out.
pub(crate) struct Notice {
    pub(crate) origin: Ptr,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// The message's value is of another type: a finishing child could not check, as it has nobody to report to.
    Foreign {
        found: &'static Type,
        drop: unsafe fn(*mut ()),
    },
    /// A child has ended by `GreenletExit`.
    Exit,
    /// Raise this.
    Throw(Box<dyn Any + Send>),
    /// Run this on the receiver's stack with the message's data, switch back, and stay suspended.
    Errand(unsafe fn(*mut ())),
}

/// # Safety
/// `data` points to a `T` that is dropped here and not used again.
pub(crate) unsafe fn drop_at<T>(data: *mut ()) {
    // SAFETY: as promised by the caller.
    unsafe { data.cast::<T>().drop_in_place() }
}
