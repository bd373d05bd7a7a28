//! Claims the name `greenlet` among what is linked, so that two versions in one program are refused readably, and names
//! the conditions that depend on more than one thing.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(greenlet_sanitize, values(\"address\", \"thread\"))");
    println!("cargo:rustc-check-cfg=cfg(own_thread_locals)");
    if has_own_thread_locals() {
        println!("cargo:rustc-cfg=own_thread_locals");
    }
}

/// True if greenlets can be given thread-locals of their own: asked for, with a switch of our own, on a C library whose
/// thread-local storage is known.
fn has_own_thread_locals() -> bool {
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let feature = |name: &str| env::var_os(format!("CARGO_FEATURE_{name}")).is_some();
    feature("THREAD_LOCALS")
        && !feature("CONTEXT")
        && ["x86_64", "aarch64"].contains(&target("ARCH").as_str())
        && target("POINTER_WIDTH") == "64"
        && target("OS") == "linux"
        && target("ENV") == "gnu"
        && !target("FEATURE").split(',').any(|f| f == "crt-static")
}
