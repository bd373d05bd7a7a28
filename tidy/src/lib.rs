//! What the compiler does not check about this tree: which room imports which, that a name has one meaning, that files
//! stay short, links lead somewhere, manifests are complete, and the frames of the hot path are small.
//!
//! Each rule is a function from sources to findings, a line each; no finding is good. `tests/tree.rs` applies the rules
//! to the tree; the tests beside each rule show that it can fail. What a rule allows against itself stands in a list,
//! with the reason, and an entry that is not needed any more is a finding too, so that the lists only shrink.
#![forbid(unsafe_code)]

pub mod changelog;
mod declared;
pub mod examples;
pub mod frames;
pub mod length;
pub mod links;
pub mod manifests;
pub mod methods;
pub mod names;
pub mod rooms;
pub mod source;
pub mod unsafety;
pub mod words;

/// Findings for the entries of a list of exceptions that nothing needed.
fn unneeded<'a>(
    list: &str,
    entries: impl IntoIterator<Item = &'a str>,
    used: &[&str],
) -> Vec<String> {
    entries
        .into_iter()
        .filter(|entry| !used.contains(entry))
        .map(|entry| format!("{list}: {entry} is not needed any more: remove it"))
        .collect()
}
