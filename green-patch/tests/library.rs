//! A program that loads a library which would patch. It does not use the crate itself, so that libc's names are libc's.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::ffi::{CStr, CString, c_char};
use std::os::unix::ffi::OsStrExt;

#[test]
fn a_library_is_told_why_it_cannot_patch_and_what_to_do() {
    let program = std::env::current_exe().unwrap();
    let built = program.parent().and_then(|deps| deps.parent()).unwrap();
    let path = built.join("examples/libas_library.so");
    if !path.exists() {
        eprintln!("left out: {} was not built", path.display());
        return;
    }
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: a library whose function is declared so.
    let said = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null(), "{:?}", CStr::from_ptr(libc::dlerror()));
        let found = libc::dlsym(library, c"patch_from_a_library".as_ptr());
        assert!(!found.is_null());
        let patch: extern "C" fn() -> *const c_char = std::mem::transmute(found);
        CStr::from_ptr(patch()).to_str().unwrap()
    };
    assert!(
        said.contains("recv") && said.contains("-Bsymbolic-functions"),
        "{said:?}"
    );
}
