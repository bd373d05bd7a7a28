//! The rules, applied to this tree.

use tidy::source::{Source, root, tree};
use tidy::{changelog, examples, length, links, manifests, methods, names, rooms, unsafety, words};

#[track_caller]
fn holds(rule: fn(&[Source]) -> Vec<String>) {
    let findings = rule(&tree(&root()).unwrap());
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn rooms_import_upwards_only() {
    holds(rooms::check);
}

#[test]
fn a_type_name_has_one_meaning() {
    holds(names::check);
}

#[test]
fn files_are_short_or_have_a_reason() {
    holds(length::check);
}

#[test]
fn the_changelog_knows_the_version() {
    holds(changelog::check);
}

#[test]
fn no_word_is_left_that_means_work_or_a_place() {
    holds(words::check);
}

#[test]
fn unsafe_is_inside_the_fence_and_has_reasons() {
    holds(unsafety::check);
}

#[test]
fn public_items_have_examples() {
    holds(examples::check);
}

#[test]
fn public_methods_are_shown() {
    holds(methods::check);
}

#[test]
fn manifests_are_complete() {
    holds(manifests::check);
}

#[test]
fn documents_lead_to_what_is_there() {
    let exists = |path: &str| root().join(path).exists();
    let findings = links::check(&tree(&root()).unwrap(), exists);
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}
