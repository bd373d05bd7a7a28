//! Which room of `green` may import which.
//!
//! A room is a module at the root, or one below it that has a row of its own. What a room imports by the root of the
//! crate, as `crate::GreenThread`, counts as an import of the room that the root has it from.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;
use crate::unneeded;

/// Each room and what it may import, from the ground up: a row names only rows above it in this list.
pub const ROOMS: &[(&str, &str)] = &[
    ("error", ""),
    ("registry", ""),
    ("runtime", "error registry"),
    ("greenthread", "runtime"),
    ("primitives", "runtime greenthread"),
    ("sim", "runtime"),
    ("threads/tpool", "error runtime greenthread primitives"),
    ("groups", "runtime greenthread primitives threads/tpool"),
    ("threads/future/sleep", "runtime"),
    ("threads/future/block_on", "runtime greenthread primitives"),
    (
        "io",
        "error runtime greenthread primitives threads/tpool threads/future/sleep threads/future/block_on",
    ),
    ("hubs", "registry runtime greenthread io"),
    (
        "threads/future",
        "runtime greenthread primitives threads/future/sleep threads/future/block_on io hubs",
    ),
    ("threads", "runtime threads/tpool threads/future"),
    ("server", "error runtime greenthread primitives groups io"),
    ("layer", "runtime threads/tpool"),
    (
        "workers",
        "runtime greenthread primitives io hubs threads/future server",
    ),
    ("debug", "runtime greenthread primitives threads/tpool io"),
];

/// Files, each with a room that it imports against the table. They are to go; nothing may be added.
pub const TO_GO: &[&str] = &[];

/// Findings in the sources of `green`.
pub fn check(sources: &[Source]) -> Vec<String> {
    check_with(sources, ROOMS, TO_GO)
}

fn check_with(sources: &[Source], rooms: &[(&str, &str)], to_go: &[&str]) -> Vec<String> {
    let rust: Vec<_> = sources
        .iter()
        .filter(|source| source.path.starts_with("green/src/") && source.path.ends_with(".rs"))
        .collect();
    let root = rust.iter().find(|source| source.path == "green/src/lib.rs");
    let exports = root.map(|root| exports(&root.code())).unwrap_or_default();
    let (mut findings, mut used) = (BTreeSet::new(), Vec::new());
    for source in &rust {
        let within = module(&source.path).join("::");
        let Some((from, may)) = room(&within, rooms) else {
            if !within.is_empty() {
                findings.insert(format!("{}: its room has no row in the table", source.path));
            }
            continue;
        };
        for path in imports(&source.code(), within.split("::").count()) {
            let path = resolve(&path, &exports);
            let Some((to, _)) = room(&path, rooms) else {
                continue;
            };
            let import = format!("{}: {to}", source.path);
            if to == from || may.split_whitespace().any(|may| may == to) {
                continue;
            } else if let Some(entry) = to_go.iter().find(|entry| **entry == import) {
                used.push(*entry);
            } else {
                findings.insert(format!(
                    "{}: {from} may not import {to} ({path})",
                    source.path
                ));
            }
        }
    }
    let mut findings: Vec<_> = findings.into_iter().collect();
    findings.extend(unneeded("rooms::TO_GO", to_go.iter().copied(), &used));
    findings
}

/// The modules that lead to a file: `["io", "net", "tcp"]`.
fn module(path: &str) -> Vec<&str> {
    let path = path
        .trim_start_matches("green/src/")
        .trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod");
    path.split('/').filter(|part| *part != "lib").collect()
}

/// The row of a path like `io::net::TcpStream`: the longest room that it begins with.
fn room<'a>(path: &str, rooms: &[(&'a str, &'a str)]) -> Option<(&'a str, &'a str)> {
    let path = path.replace("::", "/");
    let begins = |name: &str| path == name || path.starts_with(&format!("{name}/"));
    let rows = rooms.iter().filter(|(name, _)| begins(name));
    rows.max_by_key(|(name, _)| name.len()).copied()
}

/// What the root of the crate has from where: `GreenThread` from `greenthread`.
fn exports(root: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for (at, _) in root.match_indices("use ") {
        let Some(end) = root[at..].find(';') else {
            continue;
        };
        for path in spread(&root[at + 4..at + end]) {
            let (path, name) = match path.split_once(" as ") {
                Some((path, name)) => (path.to_owned(), name.to_owned()),
                None => {
                    let name = path.rsplit("::").next().unwrap_or_default().to_owned();
                    (path, name)
                }
            };
            exports.insert(name, path);
        }
    }
    exports
}

/// The path from the root with what the root exports put in for its first part.
fn resolve(path: &str, exports: &BTreeMap<String, String>) -> String {
    let (first, rest) = path
        .split_once("::")
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (exports.get(first), rest) {
        (Some(export), Some(rest)) => format!("{export}::{rest}"),
        (Some(export), None) => export.clone(),
        (None, _) => path.to_owned(),
    }
}

/// Every path from the root of the crate that the code of a file names, whose module is `depth` below the root.
fn imports(code: &str, depth: usize) -> BTreeSet<String> {
    let up = "super::".repeat(depth);
    let mut paths = BTreeSet::new();
    for start in ["crate::", &up] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
                continue;
            }
            let rest = &code[at + start.len()..];
            let end = match rest.starts_with('{') {
                true => rest.find(';').unwrap_or(rest.len()),
                false => name_end(rest),
            };
            paths.extend(spread(&rest[..end]));
        }
    }
    paths
}

/// Where a path ends, with the braces that it may end in.
fn name_end(text: &str) -> usize {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
        .unwrap_or(text.len());
    match text[..end].ends_with("::") && text[end..].starts_with('{') {
        true => text[end..].find(';').map_or(text.len(), |more| end + more),
        false => end,
    }
}

/// The paths of a `use`: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn spread(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        return vec![tree.trim_end_matches("::").to_owned()];
    };
    let prefix = &tree[..open];
    let inner = tree[open + 1..].trim_end().trim_end_matches('}');
    let mut paths = Vec::new();
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 || at == inner.len() => {
                let part = inner[from..at].trim();
                if !part.is_empty() {
                    paths.extend(
                        spread(part)
                            .into_iter()
                            .map(|path| format!("{prefix}{path}")),
                    );
                }
                from = at + 1;
            }
            _ => {}
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[(&str, &str)] = &[
        ("ground", ""),
        ("upper/low", "ground"),
        ("middle", "ground upper/low"),
        ("upper", "ground middle"),
    ];

    fn findings(files: &[(&str, &str)], to_go: &[&str]) -> Vec<String> {
        let root = (
            "lib.rs",
            "mod ground;\npub use middle::{Door, stairs as steps};\npub use upper::low::window;",
        );
        let sources: Vec<_> = [root]
            .iter()
            .chain(files)
            .map(|(path, text)| Source::new(&format!("green/src/{path}"), text))
            .collect();
        check_with(&sources, TABLE, to_go)
    }

    #[test]
    fn a_row_names_only_rows_above_it() {
        for (at, (room, may)) in ROOMS.iter().enumerate() {
            for other in may.split_whitespace() {
                assert!(
                    ROOMS[..at].iter().any(|(name, _)| *name == other),
                    "{room} may import {other}, which does not stand above it"
                );
            }
        }
    }

    #[test]
    fn upwards_is_fine() {
        let fine = [
            (
                "middle/a.rs",
                "use crate::ground::Floor;\nuse crate::{Door, window};",
            ),
            (
                "upper/mod.rs",
                "use super::ground;\nuse crate::middle::{a, b::{c, d}};",
            ),
            (
                "ground.rs",
                "use crate::ground::a; // crate::upper\n/// [`crate::Door`]\nfn a() {}",
            ),
            (
                "upper/low.rs",
                "use std::{io, fmt};\nuse super::low;\n$crate::upper::a();",
            ),
        ];
        assert_eq!(findings(&fine, &[]), [""; 0]);
    }

    #[test]
    fn downwards_is_found_in_every_form() {
        for text in [
            "use crate::middle::Door;",
            "use crate::middle;",
            "use crate::{a::b, middle::{Door}};",
            "use crate::Door;",
            "use crate::steps;",
            "use crate::{\n    x,\n    Door,\n};",
            "fn f(_: &crate::middle::a::Door) {}",
            "use super::super::middle::Door;",
            "pub(crate) use super::super::Door;",
        ] {
            let found = findings(&[("ground/x.rs", text)], &[]);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(
                found[0].contains("ground may not import middle"),
                "{found:?}"
            );
        }
        let found = findings(&[("upper/low/x.rs", "use crate::upper::attic;")], &[]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_room_needs_a_row() {
        let found = findings(&[("cellar/mod.rs", "fn f() {}")], &[]);
        assert!(
            found[0].contains("cellar/mod.rs: its room has no row"),
            "{found:?}"
        );
    }

    #[test]
    fn exceptions_hold_for_their_file_and_go_when_nothing_needs_them() {
        let file = ("ground/x.rs", "use crate::middle::Door;");
        let entry = "green/src/ground/x.rs: middle";
        assert_eq!(findings(&[file], &[entry]), [""; 0]);
        let other = ("ground/y.rs", "use crate::middle::Door;");
        assert_eq!(findings(&[file, other], &[entry]).len(), 1);
        let found = findings(&[("ground/x.rs", "")], &[entry]);
        assert!(found[0].contains("not needed any more"), "{found:?}");
    }
}
