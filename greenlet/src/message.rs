//! What one side of a switch hands to the other.

use std::any::{Any, TypeId};
use std::ptr;

use crate::block::Ptr;

/// A type as a pending switch remembers it: compared by address first, by id where two crates have a copy each.
#[derive(Debug)]
pub(crate) struct Type {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl Type {
    #[inline(always)]
    pub(crate) const fn of<T: 'static>() -> &'static Type {
        const {
            &Type {
                id: TypeId::of::<T>,
                name: std::any::type_name::<T>,
            }
        }
    }

    pub(crate) fn is(&self, other: &Type) -> bool {
        ptr::eq(self, other) || (self.id)() == (other.id)()
    }

    pub(crate) fn name(&self) -> &'static str {
        (self.name)()
    }
}

/// The two words that cross in registers.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Message {
    /// The value, on the sender's stack: the receiver moves it out before it does anything else.
    pub(crate) data: *mut (),
    /// Null if all there is to do is to take the value. Otherwise on the sender's stack, like the value.
    pub(crate) notice: *mut Notice,
}

/// Something that the receiver does as ordinary Rust, after its switch has returned.
pub(crate) struct Notice {
    pub(crate) origin: Ptr,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// The message's value is of the type that the receiver expects.
    Value,
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
