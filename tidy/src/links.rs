//! Documents link to files that are there, and the sources that they name are there.

use crate::source::Source;

/// Findings in the Markdown of the tree. `exists` says whether there is a file or directory of this path from the root.
pub fn check(sources: &[Source], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        let directory = source
            .path
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        let is_there = |path: Option<String>| path.is_some_and(|path| exists(&path));
        let linked = targets(&source.text).filter(|target| !is_there(join(directory, target)));
        let named = named(&source.text)
            .filter(|path| !exists(path) && !exists(&format!("green/src/{path}")));
        for target in linked.chain(named) {
            findings.push(format!("{}: nothing is at {target}", source.path));
        }
    }
    findings
}

/// The targets of links that are paths, without the heading in the file.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    links
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains(':') && !target.contains(' '))
}

/// What stands between backticks and is the path of a source, from the root or from that of `green`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let spans = text
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    spans.filter(|span| span.ends_with(".rs") && span.contains('/') && !span.contains([' ', '*']))
}

/// The path from the root of what a file in `directory` calls `target`. `None` if that is outside.
fn join(directory: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_file_or_out_of_the_tree() {
        let exists = |path: &str| {
            ["docs/a.md", "green/src", "green/src/io/a.rs", "README.md"].contains(&path)
        };
        let findings = |text: &str| check(&[Source::new("docs/a.md", text)], exists).len();
        assert_eq!(
            findings("[a](a.md#x) [b](../green/src) [c](../README.md) [d](#here)"),
            0
        );
        assert_eq!(findings("[a](https://example.org/a) [b][c]"), 0);
        assert_eq!(
            findings("[a](../a.md) and [b](../../x.md), [c](green/src)"),
            3
        );
    }
}
