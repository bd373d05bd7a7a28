//! greenlet.h says what the library does: it is what cbindgen makes of the source

use std::{env, fs, path::Path};

#[test]
fn the_header_is_that_of_the_source() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = crate_dir.join("include/greenlet.h");
    let config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(crate_dir.join("src/abi.rs"))
        .generate();
    let mut made = Vec::new();
    bindings.unwrap().write(&mut made);
    // What Rust calls a safety section is a plain remark in C.
    let made = String::from_utf8(made)
        .unwrap()
        .replace("// # Safety\n// ", "// ");
    if env::var_os("UPDATE_HEADER").is_some() {
        fs::write(&header, &made).unwrap();
    }
    let found = fs::read_to_string(&header).unwrap_or_default();
    let same = found == made;
    assert!(
        same,
        "include/greenlet.h is old: UPDATE_HEADER=1 cargo test -p greenlet-c --test header"
    );
}
