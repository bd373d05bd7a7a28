//! Words that stay out of the tree: what is left to do belongs into a list of issues, and the paths of one machine
//! mean nothing on another.

use crate::source::Source;

/// The words, each in two pieces so that this file has none of them.
const WORDS: &[(&str, &str)] = &[
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("todo", "!("),
    ("unimplemented", "!("),
    ("dbg", "!("),
    ("/wo", "rk/"),
    ("/ho", "me/"),
    ("/ro", "ot/"),
    ("/Use", "rs/"),
];

/// Findings in any file.
pub fn check(sources: &[Source]) -> Vec<String> {
    let words: Vec<_> = WORDS
        .iter()
        .map(|(start, end)| format!("{start}{end}"))
        .collect();
    let mut findings = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.ends_with("Cargo.lock"))
    {
        for (at, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| has(line, word)) {
                findings.push(format!("{}:{}: {word}", source.path, at + 1));
            }
        }
    }
    findings
}

/// True if the word stands in the line, and not as a piece of a longer word.
fn has(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        let (before, after) = (
            line[..at].chars().next_back(),
            line[at + word.len()..].chars().next(),
        );
        let letters = word.chars().all(joins);
        !(before.is_some_and(joins) || letters && after.is_some_and(joins))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_once_and_no_piece_of_another() {
        for (start, end) in WORDS {
            let text = format!("fine\n// {start}{end} later\n");
            let found = check(&[Source::new("a/b.rs", &text)]);
            assert_eq!(found, [format!("a/b.rs:2: {start}{end}")]);
        }
        let fine = format!("XX{}X mas{}DOn net{}rk/ is", "X", "TO", "/wo");
        assert_eq!(check(&[Source::new("a.md", &fine)]), [""; 0]);
    }
}
