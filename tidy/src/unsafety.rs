//! `unsafe` stays inside the fence, each with the reason why it is sound there.

use crate::source::Source;

/// The crates that may have it: the switch, the system calls of the backends, the C interface, the names of libc that
/// greening defines.
pub const FENCE: &[&str] = &[
    "green-patch",
    "greenlet",
    "greenlet-c",
    "hub-epoll",
    "hub-poll",
    "hub-polling",
    "hub-select",
    "hub-c",
];

/// Packages outside the workspace.
const APART: &[&str] = &["bench/peers"];

/// How many lines before an `unsafe` block its reason may begin.
const NEAR: usize = 12;

/// Findings in all Rust, that of tests too.
pub fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".rs")) {
        if is_root(&source.path)
            && !within(source)
            && !source.text.contains("#![forbid(unsafe_code)]")
        {
            findings.push(format!(
                "{}: outside the fence, and does not forbid unsafe code",
                source.path
            ));
        }
        let lines: Vec<_> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_claim(line)) {
            if !has_reason(&lines[..at]) && !line.contains("SAFETY") {
                findings.push(format!(
                    "{}:{}: unsafe without a SAFETY line",
                    source.path,
                    at + 1
                ));
            }
        }
    }
    findings
}

fn within(source: &Source) -> bool {
    FENCE.contains(&source.package()) || APART.contains(&source.package())
}

/// True if a crate begins here.
fn is_root(path: &str) -> bool {
    path.ends_with("src/lib.rs") || path.ends_with("src/main.rs") || path.contains("/src/bin/")
}

/// True if this line claims that something is sound: a block, or an implementation.
fn is_claim(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let quoted = code
        .split("unsafe")
        .next()
        .is_some_and(|before| before.matches('"').count() % 2 == 1);
    let extern_block = code.contains("unsafe extern");
    !quoted
        && !extern_block
        && ["unsafe {", "unsafe impl"]
            .iter()
            .any(|claim| code.contains(claim))
}

/// True if one of the lines before, up to a blank one, gives the reason.
fn has_reason(before: &[&str]) -> bool {
    before
        .iter()
        .rev()
        .take(NEAR)
        .take_while(|line| !line.trim().is_empty())
        .any(|line| line.contains("SAFETY:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&[Source::new(path, text)]).len()
    }

    #[test]
    fn a_crate_outside_the_fence_forbids_unsafe_code() {
        assert_eq!(findings("green/src/lib.rs", "#![forbid(unsafe_code)]\n"), 0);
        for path in [
            "green/src/lib.rs",
            "bench/src/main.rs",
            "tidy/src/bin/frames.rs",
        ] {
            assert_eq!(findings(path, "fn main() {}\n"), 1, "{path}");
        }
        assert_eq!(findings("hub-c/src/lib.rs", ""), 0);
        assert_eq!(findings("green/src/io/mod.rs", ""), 0);
    }

    #[test]
    fn a_block_has_its_reason_close_by() {
        let with = "// SAFETY: it is ours, and\n// nobody else's.\nlet x = f(|| unsafe { g() });";
        assert_eq!(findings("greenlet/src/a.rs", with), 0);
        for without in [
            "let x = unsafe { g() };",
            "// SAFETY: another's.\n\nlet x = unsafe { g() };",
            "unsafe impl Send for A {}",
        ] {
            assert_eq!(findings("greenlet/src/a.rs", without), 1, "{without}");
        }
        for no_claim in [
            "/// unsafe { g() }",
            "let text = \"unsafe {\";",
            "unsafe extern \"C\" {",
            "unsafe fn f();",
        ] {
            assert_eq!(findings("greenlet/src/a.rs", no_claim), 0, "{no_claim}");
        }
    }
}
