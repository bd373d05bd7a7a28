//! The functions of libhub.so, found as the dynamic linker finds them

use std::env;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem;
use std::os::unix::ffi::OsStrExt;

use hub::{Hub, HubEvent};

/// The functions that are measured, with the types of hub.h.
#[derive(Clone, Copy)]
pub(crate) struct Native {
    pub(crate) create: unsafe extern "C" fn(*const c_char) -> *mut Hub,
    pub(crate) add: extern "C" fn(*mut Hub, c_int, u32) -> c_int,
    pub(crate) modify: extern "C" fn(*mut Hub, c_int, u32) -> c_int,
    pub(crate) remove: extern "C" fn(*mut Hub, c_int) -> c_int,
    pub(crate) wait: unsafe extern "C" fn(*mut Hub, i64, *mut HubEvent, u32) -> c_int,
    pub(crate) timer_add: extern "C" fn(*mut Hub, i64, u64) -> c_int,
    pub(crate) timer_cancel: extern "C" fn(*mut Hub, u64) -> c_int,
    pub(crate) timer_expired: unsafe extern "C" fn(*mut Hub, i64, *mut u64, u32) -> c_int,
}

impl Native {
    pub(crate) fn load() -> Native {
        let bench = env::current_exe().unwrap();
        let deps = bench.parent().unwrap();
        let places = [deps, deps.parent().unwrap()].map(|place| place.join("libhub.so"));
        let path = places.into_iter().find(|path| path.exists());
        let path = path.expect("cargo builds libhub.so before the benches");
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the path is a C string; what the library runs when it is loaded is its own.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null(), "{path:?} cannot be loaded");
        let find = |name: &CStr| -> *mut c_void {
            // SAFETY: the library is loaded, the name a C string.
            let function = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert!(!function.is_null(), "{name:?} is not in {path:?}");
            function
        };
        #[allow(clippy::missing_transmute_annotations)] // The fields have the types.
        // SAFETY: each is the address of a function of this type, which is never unloaded.
        unsafe {
            Native {
                create: mem::transmute(find(c"hub_create")),
                add: mem::transmute(find(c"hub_add")),
                modify: mem::transmute(find(c"hub_modify")),
                remove: mem::transmute(find(c"hub_remove")),
                wait: mem::transmute(find(c"hub_wait")),
                timer_add: mem::transmute(find(c"hub_timer_add")),
                timer_cancel: mem::transmute(find(c"hub_timer_cancel")),
                timer_expired: mem::transmute(find(c"hub_timer_expired")),
            }
        }
    }
}
