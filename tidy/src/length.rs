//! A file is one idea, of at most 400 lines. Files of tests are lists of independent cases and may be longer.

use crate::source::Source;
use crate::unneeded;

/// The most lines that need no reason.
pub const MOST: usize = 400;

/// Longer files that stay, each with the reason.
pub const LONGER: &[(&str, &str)] = &[(
    "green/src/primitives/local_or_shared/model.rs",
    "one model for loom, with the defects that it must find",
)];

/// Findings in the Rust of libraries and programs.
pub fn check(sources: &[Source]) -> Vec<String> {
    let longer: Vec<_> = LONGER.iter().map(|(path, _)| *path).collect();
    check_with(sources, &longer)
}

fn check_with(sources: &[Source], longer: &[&str]) -> Vec<String> {
    let long: Vec<_> = sources
        .iter()
        .filter(|source| source.is_library())
        .map(|source| (source.path.as_str(), source.text.lines().count()))
        .filter(|(_, lines)| *lines > MOST)
        .collect();
    let mut findings: Vec<_> = long
        .iter()
        .filter(|(path, _)| !longer.contains(path))
        .map(|(path, lines)| {
            format!("{path}: {lines} lines, more than {MOST}, and no reason in the list")
        })
        .collect();
    let used: Vec<_> = long.iter().map(|(path, _)| *path).collect();
    findings.extend(unneeded("length", longer.iter().copied(), &used));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_needs_a_reason_and_a_short_one_has_none() {
        let file = |path: &str, lines: usize| Source::new(path, &"x\n".repeat(lines));
        let (long, short) = (file("a/src/long.rs", 401), file("a/src/short.rs", 400));
        let tests = file("a/tests/long.rs", 1000);
        let listed = ["a/src/long.rs"];
        assert_eq!(
            check_with(&[long.clone(), short.clone(), tests], &listed),
            [""; 0]
        );
        assert_eq!(check_with(&[long, short.clone()], &[]).len(), 1);
        assert_eq!(check_with(&[short], &listed).len(), 1);
    }

    #[test]
    fn every_reason_is_one() {
        for (path, reason) in LONGER {
            assert!(reason.len() > 10, "{path}: {reason:?} is no reason");
        }
    }
}
