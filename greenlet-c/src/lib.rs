//! A C interface to greenlets: `libgreenlet_c.so`, `libgreenlet_c.a` and `greenlet.h`
//!
//! For C, and for languages that call C: the switch of [`greenlet`], with `void *` values. What is thrown is a code that
//! [`greenlet_switch`] returns; no frame of C is ever unwound. The functions are documented in `include/greenlet.h`.
//! From Rust use the crate `greenlet`, which needs none of this.
//!
//! ```
//! use std::ffi::c_void;
//! use std::ptr;
//! use greenlet_c::{GREENLET_VALUE, greenlet_create, greenlet_drop, greenlet_is_dead, greenlet_switch};
//!
//! unsafe extern "C" fn same(value: *mut c_void, _data: *mut c_void) -> *mut c_void {
//!     value
//! }
//!
//! let mut value = 5;
//! let mut result = ptr::null_mut();
//! // SAFETY: all of it stays on this thread, and the pointers are good.
//! unsafe {
//!     let greenlet = greenlet_create(Some(same), ptr::null_mut(), 0);
//!     let code = greenlet_switch(greenlet, (&raw mut value).cast(), &mut result);
//!     assert_eq!(code, GREENLET_VALUE);
//!     assert_eq!(result, (&raw mut value).cast());
//!     assert_eq!(greenlet_is_dead(greenlet), 1);
//!     assert_eq!(greenlet_drop(greenlet, ptr::null_mut()), 0);
//! }
//! ```
//!
//! | part | is |
//! |---|---|
//! | [`greenlet_create`], [`greenlet_drop`] | a greenlet, and the end of a handle |
//! | [`greenlet_switch`], [`greenlet_throw`], [`greenlet_exit`] | control to another, with a value or something else |
//! | [`greenlet_current`], [`greenlet_parent`], [`greenlet_is_dead`] | the running one, the one that gets its result, whether one is over |
//!
//! There are no features. The environment variable `GREENLET_STACK_SIZE` sets the size of stacks that do not ask for
//! another. Nothing is `Send`:
//! a greenlet stays on its thread. A Rust panic that comes out of a greenlet is the error `-EPROTO`. Platforms are those
//! of `greenlet`. When a thread ends, what is suspended is told to exit where the system allows it, as there.

mod abi;

pub use abi::*;
