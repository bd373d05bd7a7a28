//! Every public item has an example that runs.
//!
//! The compiler can ask for documentation, but not for an example in it. So the sources are read: each public type,
//! function, trait and macro of the places listed here must have a block of code in its documentation. What its methods
//! need is the rule of [`methods`](crate::methods).

use crate::source::Source;
use crate::unneeded;

/// The crates, and directories of `green`, that keep the rule. Others are added when they do.
pub const KEPT_BY: &[&str] = &[
    "greenlet/",
    "hub-core/",
    "hub-epoll/",
    "hub-poll/",
    "hub-polling/",
    "hub-select/",
    "green-dns/",
    "green/",
    "green-http/",
    "green-tls/",
    "green-ws/",
    "green-backdoor/",
    "green-console/",
    "green-patch/",
];

/// Files whose items need no example of their own, each with the reason.
const EXEMPT: &[(&str, &str)] = &[
    (
        "hub-core/src/conformance/",
        "each promise is a test, and called as the examples of the module call others",
    ),
    (
        "green-patch/src/unsupported.rs",
        "stands in for functions that have examples, where these cannot be",
    ),
];

/// The usual name of a trait that is public for the compiler alone: nobody else can name it.
const SEALED: &str = "trait Sealed";

/// Findings in the libraries of [`KEPT_BY`].
pub fn check(sources: &[Source]) -> Vec<String> {
    check_with(sources, KEPT_BY, EXEMPT)
}

fn check_with(sources: &[Source], kept_by: &[&str], exempt: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut used = Vec::new();
    let libraries = sources.iter().filter(|source| source.is_library());
    let is_kept = |source: &&Source| kept_by.iter().any(|path| source.path.starts_with(path));
    for source in libraries.filter(is_kept) {
        let found = without_example(&source.text);
        match exempt
            .iter()
            .find(|(path, _)| source.path.starts_with(path))
        {
            Some((path, _)) if !found.is_empty() => used.push(*path),
            Some(_) => {}
            None => findings.extend(
                found
                    .into_iter()
                    .map(|(line, item)| format!("{}:{line}: {item} has no example", source.path)),
            ),
        }
    }
    let exempt = exempt.iter().map(|(path, _)| *path);
    findings.extend(unneeded("examples", exempt, &used));
    findings
}

/// The line and the declaration of each public item without a block of code in its documentation.
fn without_example(text: &str) -> Vec<(usize, String)> {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let mut found = Vec::new();
    let (mut has_example, mut is_hidden) = (false, false);
    let (mut is_exported, mut in_attribute) = (false, false);
    for (at, line) in text[..end].lines().enumerate() {
        let code = line.trim();
        if in_attribute || code.starts_with("#[") {
            is_hidden |= code.starts_with("#[doc(hidden)]") || code.starts_with("#[cfg(test)]");
            is_exported |= code == "#[macro_export]";
            has_example |= code.contains("include_str!");
            in_attribute = !code.ends_with(']');
        } else if code.starts_with("//") {
            has_example |= code.starts_with("///") && code.contains("```");
        } else {
            let is_item = is_item(line) || is_exported && code.starts_with("macro_rules!");
            if is_item && !has_example && !is_hidden && name(code) != SEALED {
                found.push((at + 1, name(code)));
            }
            (has_example, is_hidden, is_exported) = (false, false, false);
        }
    }
    found
}

/// True if a public item is declared here: a type at any depth, since macros make some; a function only outside of all
/// braces, where it is no method.
fn is_item(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix("pub ") else {
        return false;
    };
    let mut words = rest
        .split_whitespace()
        .filter(|word| !["unsafe", "const", "async", "extern", "\"C\""].contains(word));
    match (words.next(), words.next()) {
        (Some("struct" | "enum" | "trait" | "type" | "union"), Some(name)) => {
            !name.starts_with('$')
        }
        (Some("fn"), Some(name)) => !line.starts_with(' ') && !name.starts_with('$'),
        _ => false,
    }
}

/// `struct Name` of a declaration.
fn name(code: &str) -> String {
    let end = code
        .find(['<', '(', '{', ';', ':', '='])
        .unwrap_or(code.len());
    code[..end].trim_start_matches("pub ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        check_with(&[Source::new("a/src/x.rs", text)], &["a/"], &[])
    }

    #[test]
    fn an_item_without_an_example_is_found() {
        for item in [
            "pub struct A<T>(T);",
            "#[derive(Debug)]\npub enum A {\n}",
            "pub unsafe trait A {}",
            "#[allow(\n    clippy::x,\n    reason = \"y\"\n)]\npub const fn a() {}",
            "pub type A = u8;",
            "#[macro_export]\nmacro_rules! a {\n}",
            "queue! {\n    /// Says.\n    pub struct A<T>(Fifo<T>);\n}",
        ] {
            let without = format!("/// Says what.\n{item}\n");
            assert_eq!(findings(&without).len(), 1, "{without}");
        }
        let with = "/// Says what.\n///\n/// ```\n/// a();\n/// ```\n#[derive(\n    Debug,\n)]\npub struct A;\n";
        assert_eq!(findings(with), [""; 0]);
        let another = format!("{with}pub struct B;\n");
        assert_eq!(
            findings(&another),
            ["a/src/x.rs:10: struct B has no example"]
        );
    }

    #[test]
    fn what_nobody_sees_needs_none() {
        let fine = "pub(crate) struct A;\nstruct B;\n#[doc(hidden)]\npub struct C;\nimpl A {\n    pub fn d() {}\n}\nmacro_rules! e {\n}\n#[cfg(test)]\nmod tests {\n    pub struct F;\n}\n";
        assert_eq!(findings(fine), [""; 0]);
        let elsewhere = Source::new("b/src/x.rs", "pub struct A;\n");
        let test = Source::new("a/tests/x.rs", "pub struct A;\n");
        assert_eq!(check_with(&[elsewhere, test], &["a/"], &[]), [""; 0]);
    }

    #[test]
    fn a_file_is_exempt_while_it_needs_to_be() {
        let exempt = [("a/src/x", "for a reason")];
        let bare = Source::new("a/src/x/y.rs", "pub struct A;\n");
        assert_eq!(check_with(&[bare], &["a/"], &exempt), [""; 0]);
        assert_eq!(check_with(&[], &["a/"], &exempt).len(), 1);
    }
}
