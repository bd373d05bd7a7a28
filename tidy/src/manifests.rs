//! A crate that is published says what it is, where a registry and its reader look for it.

use crate::source::Source;

/// What the manifest of a published crate begins a line with.
const FIELDS: &[&str] = &[
    "description = ",
    "readme = ",
    "keywords = ",
    "categories = ",
    "license.workspace = true",
    "version.workspace = true",
    "edition.workspace = true",
    "rust-version.workspace = true",
    "[package.metadata.docs.rs]",
    "all-features = true",
];

/// Findings in the manifests of the members.
pub fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    let members = sources.iter().filter(|source| {
        source.path.ends_with("/Cargo.toml") && !source.path.starts_with("bench/peers/")
    });
    for manifest in members {
        let has = |field: &str| manifest.text.lines().any(|line| line.starts_with(field));
        let mut missing = Vec::new();
        if !manifest.text.contains("[lints]\nworkspace = true") {
            missing.push("[lints]");
        }
        if !has("publish = false") {
            missing.extend(FIELDS.iter().filter(|field| !has(field)));
            let readme = format!("{}/README.md", manifest.package());
            if !sources.iter().any(|source| source.path == readme) {
                missing.push("README.md");
            }
        }
        findings.extend(
            missing
                .iter()
                .map(|what| format!("{}: no {what}", manifest.path)),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> String {
        format!(
            "[package]\n{}\n[lints]\nworkspace = true\n",
            FIELDS.join("\n")
        )
    }

    #[test]
    fn each_field_is_missed() {
        let readme = Source::new("a/README.md", "# a");
        let findings = |text: &str| check(&[Source::new("a/Cargo.toml", text), readme.clone()]);
        assert_eq!(findings(&complete()), [""; 0]);
        for field in FIELDS.iter().chain(&["[lints]"]) {
            let text = complete().replace(&format!("\n{field}"), "\n");
            assert_eq!(findings(&text), [format!("a/Cargo.toml: no {field}")]);
        }
    }

    #[test]
    fn what_is_not_published_needs_less() {
        let own = "[package]\npublish = false\n[lints]\nworkspace = true\n";
        assert_eq!(check(&[Source::new("a/Cargo.toml", own)]), [""; 0]);
        assert_eq!(check(&[Source::new("a/Cargo.toml", &complete())]).len(), 1);
    }
}
