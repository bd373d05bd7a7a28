//! The files of the tree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A text file, by its path from the root.
#[derive(Debug, Clone)]
pub struct Source {
    /// With `/` between its parts.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// One that is made up, for a test of a rule.
    pub fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The crate that it belongs to: the directory that it is in, as `green` or `bench/peers`.
    pub fn package(&self) -> &str {
        let end = ["/src/", "/tests/", "/examples/", "/benches/"]
            .iter()
            .filter_map(|part| self.path.find(part))
            .min();
        let end = end.or_else(|| self.path.rfind('/'));
        end.map_or("", |end| &self.path[..end])
    }

    /// True if this is Rust that becomes part of a library or a program, not of its tests.
    pub fn is_library(&self) -> bool {
        self.path.contains("/src/") && self.path.ends_with(".rs")
    }

    /// The text without comments, and without a module of tests at the end. Lines stay where they are.
    ///
    /// A `//` within a string ends the line as well. No rule here asks what follows one.
    pub fn code(&self) -> String {
        let tests = self
            .text
            .match_indices("#[cfg(test)]\nmod ")
            .find(|(at, start)| {
                let rest = &self.text[at + start.len()..];
                rest.lines().next().is_some_and(|line| line.ends_with('{'))
            });
        let end = tests.map_or(self.text.len(), |(at, _)| at);
        let lines = self.text[..end].lines();
        let code = lines.map(|line| line.split("//").next().unwrap_or_default());
        code.collect::<Vec<_>>().join("\n")
    }
}

/// The root of the workspace that this crate was built in.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file below `root` that is not built or hidden, in the order of the paths.
///
/// # Errors
/// A directory or file cannot be read.
pub fn tree(root: &Path) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    collect(root, "", &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(directory: &Path, prefix: &str, sources: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let skipped = name == "target" || (name.starts_with('.') && name != ".ci");
        if skipped {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), sources)?;
        } else if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_tests_are_no_code() {
        let text = "#[cfg(test)]\nmod model;\nuse a; // b\n/// c\nfn d() {}\n#[cfg(test)]\nmod tests {\n    use e;\n}\n";
        let code = Source::new("green/src/x.rs", text).code();
        assert_eq!(code, "#[cfg(test)]\nmod model;\nuse a; \n\nfn d() {}");
    }

    #[test]
    fn a_file_belongs_to_the_directory_of_its_crate() {
        for (path, package) in [
            ("green/src/io/net/tcp.rs", "green"),
            ("bench/peers/src/bin/echo.rs", "bench/peers"),
            ("hub-c/tests/it/main.rs", "hub-c"),
            ("examples/demo.rs", "examples"),
            ("README.md", ""),
        ] {
            assert_eq!(Source::new(path, "").package(), package);
        }
    }

    #[test]
    fn the_tree_is_read_from_its_root() {
        let tree = tree(&root()).unwrap();
        let has = |path: &str| tree.iter().any(|source| source.path == path);
        assert!(has("green/src/lib.rs") && has("Cargo.toml") && has(".ci/run"));
        assert!(!tree.iter().any(|source| source.path.starts_with("target/")));
    }
}
