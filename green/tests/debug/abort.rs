//! A build that cannot unwind is refused where it is compiled.

use std::process::Command;

#[test]
fn panic_abort_does_not_compile_and_says_why() {
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let output = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=lib", "--crate-name=green"])
        .args(["--emit=metadata", "-Cpanic=abort", "-o"])
        .arg(std::env::temp_dir().join("green-abort.rmeta"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs"))
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: no rustc to run: {error}");
            return;
        }
    };
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("green needs unwinding"), "{text}");
    assert!(
        text.contains("Remove panic = \"abort\" from the profile"),
        "{text}"
    );
}
