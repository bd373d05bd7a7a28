//! Claims the name `greenlet` among what is linked, so that two versions in one program are refused readably, and names
//! the condition that `make sanitize` sets.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(greenlet_sanitize, values(\"address\", \"thread\"))");
}
