//! The commands in the documents name targets, packages, examples and benchmarks that are there.

use std::collections::HashSet;

use tidy::source::{Source, root, tree};

/// What follows `name` in the words of a command, if it is there.
fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1).copied()
}

/// Every command line of a document: the lines of its blocks of shell, and the code in its prose that begins like one.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut block = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language == "sh"),
            (Some(_), Some(_)) => block = None,
            (None, Some(true)) => {
                commands.push(line.split(" # ").next().unwrap().trim().to_owned())
            }
            (None, Some(false)) => {}
            (None, None) => commands.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    commands.retain(|command| command.starts_with("make ") || command.starts_with("cargo "));
    commands
}

/// What can be named: `make TARGET`, `-p PACKAGE`, `--example NAME`, `--bench NAME` and `--bin NAME`.
fn things(sources: &[Source]) -> HashSet<String> {
    let mut things = HashSet::new();
    for source in sources {
        let path = source.path.trim_end_matches("/main.rs");
        let stem = path.rsplit('/').next().unwrap().trim_end_matches(".rs");
        for (directory, kind) in [
            ("examples/", "--example"),
            ("benches/", "--bench"),
            ("bin/", "--bin"),
        ] {
            if path.contains(directory) {
                things.insert(format!("{kind} {stem}"));
            }
        }
        if source.path.ends_with("Cargo.toml") {
            let names = source
                .text
                .lines()
                .filter_map(|line| line.strip_prefix("name = "));
            things.extend(names.map(|name| format!("-p {}", name.trim_matches('"'))));
        }
        if source.path == "Makefile" {
            let targets = source.text.lines().filter_map(|line| line.split_once(':'));
            things.extend(targets.map(|(target, _)| format!("make {target}")));
        }
    }
    things
}

/// What a command names that is not among the things; words in capitals stand for what the reader fills in.
fn missing(command: &str, things: &HashSet<String>) -> Vec<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let mut named: Vec<String> = ["-p", "--example", "--bench", "--bin"]
        .iter()
        .filter_map(|kind| Some(format!("{kind} {}", option(&words, kind)?)))
        .collect();
    if words[0] == "make" {
        let targets = words[1..].iter().filter(|word| !word.contains('='));
        named.extend(targets.map(|target| format!("make {target}")));
    }
    named.retain(|thing| {
        let name = thing.rsplit(' ').next().unwrap();
        name.chars().any(char::is_lowercase) && !things.contains(thing)
    });
    named
}

#[test]
fn the_commands_of_the_documents_name_what_is_there() {
    let sources = tree(&root()).unwrap();
    let things = things(&sources);
    let mut checked = 0;
    let mut findings = Vec::new();
    for document in sources.iter().filter(|source| source.path.ends_with(".md")) {
        for command in commands(&document.text) {
            checked += 1;
            let missing = missing(&command, &things);
            findings.extend(
                missing
                    .iter()
                    .map(|thing| format!("{}: {thing}", document.path)),
            );
        }
    }
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
    assert!(checked > 20, "only {checked} commands were found");
}

#[test]
fn a_command_that_names_nothing_is_found() {
    let things = HashSet::from(["make demo", "-p green", "--example echo"].map(str::to_owned));
    let text = "Run `make demo` or\n\n```sh\nmake demos PREFIX=/usr # installs\ncargo run -p grin --example echo\n```\n";
    let found: Vec<_> = commands(text)
        .iter()
        .flat_map(|command| missing(command, &things))
        .collect();
    assert_eq!(found, ["make demos", "-p grin"]);
}
