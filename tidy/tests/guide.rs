//! The porting guide names nothing that is not there. Its examples are doc tests.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// What the guide names that is not declared here.
const OF_OTHERS: &[&str] = &[
    "SO_REUSEPORT",
    "BufReader",
    "__getattr__",
    "epolls",
    "selects",
    "rustls",
    "zmq",
    "catch_unwind",
    "thread_local",
    "zip",
    "EVENTLET_HUB",
    "ECANCELED",
    "green_patch",
    "subprocess",
];

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// Words of every line that declares something.
fn declared(directory: &Path, names: &mut HashSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            declared(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            names.insert(stem.to_owned());
            for line in fs::read_to_string(&path).unwrap().lines() {
                let line = line.trim();
                let variant = line.starts_with(char::is_uppercase) && line.ends_with([',', ')']);
                let in_macro =
                    line.contains(" -> ") && !line.contains("fn ") && line.ends_with(';');
                let declares = ["pub ", "macro_rules!", "output!(", "delegate!"];
                if variant || in_macro || declares.iter().any(|word| line.contains(word)) {
                    names.extend(words(line).map(str::to_owned));
                }
            }
        }
    }
}

/// The cells of a row of a table; `\|` is no border.
fn cells(row: &str) -> Vec<String> {
    let row = row.replace("\\|", "\u{1}");
    row.trim_matches('|')
        .split('|')
        .map(|cell| cell.replace('\u{1}', "|"))
        .collect()
}

/// The names that a piece of code uses: what is called, what a path leads through, what stands alone.
fn used(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for word in words(code) {
        let at = word.as_ptr().addr() - code.as_ptr().addr();
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        let named = before.ends_with("::")
            || before.ends_with('.')
            || after.starts_with(['(', '!'])
            || after.starts_with("::")
            || word == code;
        // A letter is a value of the example's.
        if named && word.len() > 2 && !word.starts_with(char::is_numeric) {
            used.push(word.to_owned());
        }
    }
    used
}

#[test]
fn every_name_in_the_guide_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = HashSet::new();
    for source in [
        "green/src",
        "green-dns/src",
        "green-patch/src",
        "green-tls/src",
        "green-ws/src",
        "examples",
        "greenlet/examples",
        "greenlet/src",
        "hub-core/src",
    ] {
        declared(&root.join(source), &mut names);
    }
    names.extend(OF_OTHERS.iter().map(|&name| name.to_owned()));
    let guide = fs::read_to_string(root.join("docs/eventlet.md")).unwrap();
    let mut checked = 0;
    let mut unknown = Vec::new();
    for row in guide.lines().filter(|line| line.starts_with('|')) {
        // What is in the first column is Python's.
        let row: Vec<String> = cells(row);
        for cell in &row[1..] {
            for code in cell.split('`').skip(1).step_by(2) {
                for name in used(code) {
                    checked += 1;
                    if !names.contains(&name) {
                        unknown.push(name);
                    }
                }
            }
        }
    }
    assert!(checked > 300, "only {checked} names were found");
    assert!(unknown.is_empty(), "{unknown:?}");
}
