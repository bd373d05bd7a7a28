//! Names the shared library as the loader looks for it: by its major version.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let major = env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
    let vendor = env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
    if vendor != "apple" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libhub.so.{major}");
    }
}
