//! Documents lead to what is there: the files and headings that they link to, the paths and the tests that they name.

use std::collections::HashMap;

use crate::source::Source;

/// Where a path in backticks may begin, besides at the root.
const ROOTS: &[&str] = &["", "green/src/"];

/// Directories that a build makes.
const BUILT: &[&str] = &["target"];

/// Findings in the Markdown of the tree. `exists` says whether there is a file or directory of this path from the root.
pub fn check(sources: &[Source], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let texts: HashMap<&str, &str> = sources
        .iter()
        .map(|source| (source.path.as_str(), source.text.as_str()))
        .collect();
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        let prose = prose(&source.text);
        let linked = links(&prose).filter_map(|link| broken(link, source, &texts, &exists));
        let named = spans(&prose).filter_map(|span| absent(span, &texts, &exists));
        findings.extend(
            linked
                .chain(named)
                .map(|finding| format!("{}: {finding}", source.path)),
        );
    }
    findings
}

/// The text without its blocks of code, in which nothing links and `#` begins no heading.
fn prose(text: &str) -> String {
    let mut within = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        within ^= fence;
        !within && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The targets of links: in brackets behind their text, or behind a label at the start of a line.
fn links(prose: &str) -> impl Iterator<Item = &str> {
    let inline = prose.split("](").skip(1);
    let inline = inline.filter_map(|rest| Some(rest.split_once(')')?.0));
    let labels = prose.lines().filter(|line| line.starts_with('['));
    let labels = labels.filter_map(|line| Some(line.split_once("]: ")?.1));
    inline
        .chain(labels)
        .filter(|target| !target.contains("://") && !target.contains(' '))
}

/// What is wrong with a link of `source`, if anything is.
fn broken(
    link: &str,
    source: &Source,
    texts: &HashMap<&str, &str>,
    exists: impl Fn(&str) -> bool,
) -> Option<String> {
    let (target, heading) = link.split_once('#').unwrap_or((link, ""));
    let directory = source.path.rsplit_once('/').map_or("", |(path, _)| path);
    let path = match target {
        "" => Some(source.path.clone()),
        target => join(directory, target),
    };
    let Some(path) = path.filter(|path| exists(path)) else {
        return Some(format!("nothing is at {target}"));
    };
    let text = texts.get(path.as_str()).filter(|_| path.ends_with(".md"));
    let leads = heading.is_empty()
        || text.is_none_or(|text| headings(&prose(text)).any(|one| one == heading));
    (!leads).then(|| format!("{path} has no heading #{heading}"))
}

/// The headings as links name them: in small letters, with hyphens for spaces and without anything else.
fn headings(prose: &str) -> impl Iterator<Item = String> {
    let lines = prose.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        });
        kept.collect()
    })
}

/// What stands between backticks.
fn spans(prose: &str) -> impl Iterator<Item = &str> {
    prose
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// What a span names that is not there: the path of a source or of anything in a directory of the tree, or a test behind
/// such a path, as `tests/it.rs::a_test`. A part in capitals stands for what the reader fills in.
fn absent(
    span: &str,
    texts: &HashMap<&str, &str>,
    exists: impl Fn(&str) -> bool,
) -> Option<String> {
    let (path, test) = match span.split_once(".rs::") {
        Some((stem, test)) => (format!("{stem}.rs"), Some(test)),
        None => (span.trim_end_matches('/').to_owned(), None),
    };
    let (first, _) = path.split_once('/')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.".contains(c);
    let in_capitals = |part: &str| part.len() > 1 && part.chars().all(char::is_uppercase);
    let filled_in = path
        .split('/')
        .any(|part| part == ".." || in_capitals(part));
    let ours =
        path.ends_with(".rs") || (!first.is_empty() && exists(first) && !BUILT.contains(&first));
    if !path.chars().all(plain) || filled_in || !ours {
        return None;
    }
    let mut found = ROOTS.iter().map(|root| format!("{root}{path}"));
    let Some(found) = found.find(|path| exists(path)) else {
        return Some(format!("nothing is at {path}"));
    };
    let test = test?;
    let text = texts.get(found.as_str()).copied().unwrap_or_default();
    (!has_test(text, test)).then(|| format!("{found} has no test {test}"))
}

/// True if `text` has a test of this name, be it written with `#[test]` or made by a macro that is given the name.
fn has_test(text: &str, name: &str) -> bool {
    let is_named = |line: &str| {
        let declared = line.trim().trim_start_matches("fn ");
        declared
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['(', ':', ',']))
    };
    text.lines().any(is_named)
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

    const THERE: &[&str] = &[
        "docs",
        "docs/a.md",
        "docs/b.md",
        "green",
        "green/src",
        "green/src/io/a.rs",
        "green/tests/io.rs",
        "README.md",
        "target",
    ];

    fn findings(text: &str) -> Vec<String> {
        let sources = [
            Source::new("docs/a.md", text),
            Source::new("docs/b.md", "# One & two\n```sh\n# three\n```\n"),
            Source::new("green/tests/io.rs", "#[test]\nfn it_works() {}\n"),
        ];
        check(&sources, |path| THERE.contains(&path))
    }

    #[test]
    fn a_link_leads_to_a_file_or_out_of_the_tree() {
        let text = "[b](b.md) [c](../green/src) [d](../README.md)\n[e](https://example.org/a) [f][g]\n\n[g]: a.md\n";
        assert_eq!(findings(text), [""; 0]);
        let text = "[a](../a.md) and [b](../../x.md), [c](green/src)\n\n[d]: e.md\n";
        assert_eq!(
            findings(text),
            ["../a.md", "../../x.md", "green/src", "e.md"]
                .map(|path| format!("docs/a.md: nothing is at {path}"))
        );
        assert_eq!(findings("```text\n[a](none.md)\n```\n"), [""; 0]);
    }

    #[test]
    fn a_link_into_a_document_leads_to_a_heading() {
        let text = "## What, and why\n[a](#what-and-why) [b](b.md#one--two)\n";
        assert_eq!(findings(text), [""; 0]);
        assert_eq!(
            findings("[a](#why) [b](b.md#three)"),
            [
                "docs/a.md: docs/a.md has no heading #why",
                "docs/a.md: docs/b.md has no heading #three"
            ]
        );
    }

    #[test]
    fn a_path_that_is_named_is_there() {
        let text = "`io/a.rs`, `green/src/io/a.rs`, `docs/`, `green/tests/ROOM`, `text/plain`, `target/x`, `/json`, `docs/a b`";
        assert_eq!(findings(text), [""; 0]);
        assert_eq!(
            findings("`io/b.rs` and `green/test`"),
            [
                "docs/a.md: nothing is at io/b.rs",
                "docs/a.md: nothing is at green/test"
            ]
        );
    }

    #[test]
    fn a_test_that_is_named_is_there() {
        assert_eq!(findings("`green/tests/io.rs::it_works`"), [""; 0]);
        assert_eq!(
            findings("`green/tests/io.rs::it_work` and `green/tests/os.rs::it_works`"),
            [
                "docs/a.md: green/tests/io.rs has no test it_work",
                "docs/a.md: nothing is at green/tests/os.rs"
            ]
        );
    }
}
