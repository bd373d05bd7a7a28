//! The changelog has a section for the version that the manifest names.

use crate::source::Source;

/// Findings in `Cargo.toml` and `CHANGELOG.md`.
pub fn check(sources: &[Source]) -> Vec<String> {
    let text = |path: &str| {
        let source = sources.iter().find(|source| source.path == path);
        source.map_or("", |source| source.text.as_str())
    };
    let version = text("Cargo.toml")
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    let Some(version) = version else {
        return vec!["Cargo.toml: the workspace has no version".to_owned()];
    };
    let heading = format!("## {version}");
    let there = text("CHANGELOG.md")
        .lines()
        .any(|line| line == heading || line.starts_with(&format!("{heading} ")));
    match there {
        true => Vec::new(),
        false => vec![format!("CHANGELOG.md: nothing about version {version}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(version: &str, changelog: &str) -> usize {
        let manifest = format!("[workspace.package]\nversion = \"{version}\"\n");
        let files = [
            Source::new("Cargo.toml", &manifest),
            Source::new("CHANGELOG.md", changelog),
        ];
        check(&files).len()
    }

    #[test]
    fn the_version_of_the_manifest_is_in_the_changelog() {
        let changelog = "# Changelog\n\n## 0.2.0 (2026-01-01)\n\n## 0.1.0\n";
        assert_eq!(findings("0.1.0", changelog), 0);
        assert_eq!(findings("0.2.0", changelog), 0);
        assert_eq!(findings("0.3.0", changelog), 1);
        assert_eq!(findings("0.1", changelog), 1);
        assert_eq!(check(&[]).len(), 1);
    }
}
