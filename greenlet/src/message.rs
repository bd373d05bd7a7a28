//! What one side of a switch hands to the other.

use std::any::{Any, TypeId};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

pub(crate) use crate::arch::Message;
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

/// What there is to do beside taking the value.
pub(crate) enum Tag {
    /// Look at the sender when the value is taken: it may be dead, or suspended without a handle, or somebody traces.
    Sender(Ptr),
    /// Something else, instead of a value.
    Control(*mut Control),
}

impl Message {
    #[inline(always)]
    pub(crate) fn value<T>(data: *mut T) -> Message {
        Message {
            data: data.cast(),
            tag: ptr::null_mut(),
        }
    }

    #[inline(always)]
    pub(crate) fn value_from(data: *mut (), sender: Ptr) -> Message {
        Message {
            data,
            tag: sender.as_ptr().cast::<()>().map_addr(|address| address | 1),
        }
    }

    #[inline(always)]
    pub(crate) fn control(data: *mut (), control: *mut ManuallyDrop<Control>) -> Message {
        Message {
            data,
            tag: control.cast(),
        }
    }

    /// # Safety
    /// The message has just arrived, and its tag is not null.
    #[inline(always)]
    pub(crate) unsafe fn tag(&self) -> Tag {
        if self.tag.addr() & 1 == 0 {
            return Tag::Control(self.tag.cast());
        }
        let sender = self.tag.map_addr(|address| address & !1).cast::<Block>();
        // SAFETY: made by `value_from`, and the sender's block lives for as long as the sender was not looked at.
        Tag::Sender(unsafe { Ptr::new(NonNull::new_unchecked(sender)) })
    }
}

/// Something that the receiver does as ordinary Rust, after its switch has returned. It is left on the sender's stack for
/// the receiver to move out.
pub(crate) struct Control {
    pub(crate) sender: Ptr,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    /// The message's value is of another type: a finishing child could not check, as it has nobody to report to.
    WrongType { found: &'static Type, take: Take },
    /// A child has ended by `GreenletExit`.
    Exit,
    /// Raise this.
    Throw(Box<dyn Any + Send>),
    /// Call this on the receiver's stack with the message's data, switch back, and stay suspended.
    Call(unsafe fn(*mut ())),
}

/// Moves a value of a type that is not known here from where the sender has left it.
pub(crate) type Take = unsafe fn(*mut ()) -> Box<dyn Any>;

/// # Safety
/// `data` points to a `T` that is not used again where it is.
pub(crate) unsafe fn take<T: 'static>(data: *mut ()) -> Box<dyn Any> {
    // SAFETY: as promised by the caller.
    Box::new(unsafe { data.cast::<T>().read() })
}
