//! Every public method is shown in an example: its own, or one of its type, its trait, its `impl` or its module.
//!
//! To be shown is to be called by name: `.name(` or `::name(`; a method of a trait may also be written there. What a
//! macro declares is looked for in the examples of every type that the macro is called for.

use crate::declared::{Declared, Method, Type, declared};
use crate::names::APART;
use crate::source::Source;
use crate::unneeded;

/// Methods that need no example, by the path of the file and the name, each with the reason.
const EXEMPT: &[(&str, &str)] = &[];

/// Findings in the libraries that are published.
pub fn check(sources: &[Source]) -> Vec<String> {
    check_with(sources, EXEMPT)
}

fn check_with(sources: &[Source], exempt: &[(&str, &str)]) -> Vec<String> {
    let libraries = sources.iter().filter(|source| source.is_library());
    let mut packages: Vec<(&str, Vec<Declared>)> = Vec::new();
    for source in libraries.filter(|source| !APART.contains(&source.package())) {
        let file = declared(&source.path, &source.text);
        match packages
            .iter_mut()
            .find(|(name, _)| *name == source.package())
        {
            Some((_, files)) => files.push(file),
            None => packages.push((source.package(), vec![file])),
        }
    }
    let mut used = Vec::new();
    let mut findings = Vec::new();
    for (_, files) in &packages {
        for file in files {
            for (method, of) in not_shown(file, files) {
                let place = format!("{}:{}", file.path, method.name);
                match exempt.iter().find(|(name, _)| *name == place) {
                    Some((name, _)) => used.push(*name),
                    None => findings.push(format!(
                        "{}:{}: no example shows {of}::{}",
                        file.path, method.line, method.name
                    )),
                }
            }
        }
    }
    let exempt = exempt.iter().map(|(name, _)| *name);
    findings.extend(unneeded("methods", exempt, &used));
    findings
}

/// The methods of `file` that no example shows, and of which type.
fn not_shown<'a>(file: &'a Declared, files: &'a [Declared]) -> Vec<(&'a Method, String)> {
    let mut found = Vec::new();
    for method in file.methods.iter().filter(|method| !method.has_example) {
        for (from, of) in owners(files, file, method.within.as_deref(), &method.of) {
            let Some((home, shown_by)) = type_near(files, from, &of) else {
                continue;
            };
            let shows = |example: &str| {
                calls(example, &method.name)
                    || shown_by.is_trait && example.contains(&format!("fn {}(", method.name))
            };
            let around = files.iter().filter(|file| {
                gives_on(files, file, &of)
                    || [from, home].iter().any(|inner| is_around(file, inner))
            });
            let shown = shows(&shown_by.example)
                || shows(&method.example)
                || around.into_iter().any(|module| shows(&module.example));
            if !shown {
                found.push((method, of));
            }
        }
    }
    found
}

/// The types that a method of `of` is declared for: itself, or what the macro `within` is called with, and from where.
fn owners<'a>(
    files: &'a [Declared],
    file: &'a Declared,
    within: Option<&str>,
    of: &str,
) -> Vec<(&'a Declared, String)> {
    let (Some(within), Some(variable)) = (within, of.strip_prefix('$')) else {
        return vec![(file, of.to_owned())];
    };
    let Some(rule) = file.macros.iter().find(|rule| rule.name == within) else {
        return Vec::new();
    };
    let mut owners = Vec::new();
    for caller in files {
        for call in caller.calls.iter().filter(|call| call.name == within) {
            let is_meant =
                macro_near(files, caller, within).is_some_and(|home| home.path == file.path);
            if !is_meant || call.within.as_deref() == Some(within) && caller.path == file.path {
                continue;
            }
            if let Some(argument) = argument(&rule.matcher, &call.arguments, variable) {
                owners.extend(self::owners(
                    files,
                    caller,
                    call.within.as_deref(),
                    argument,
                ));
            }
        }
    }
    owners
}

/// What a call of a macro gives for one of its variables.
fn argument<'a>(matcher: &str, arguments: &'a str, variable: &str) -> Option<&'a str> {
    if matcher.contains(&format!("struct ${variable}:")) {
        let (_, rest) = arguments.split_once("pub struct ")?;
        return rest.split(|c: char| !c.is_alphanumeric()).next();
    }
    let (before, _) = matcher.split_once(&format!("${variable}:"))?;
    let at = before.matches(',').count();
    let argument = arguments.split(',').nth(at)?.trim();
    Some(argument.split('<').next().unwrap_or(argument))
}

/// How much of two paths is the same, from the left.
fn nearness(a: &str, b: &str) -> (bool, usize) {
    let same = a.split('/').zip(b.split('/')).take_while(|(a, b)| a == b);
    (a == b, same.count())
}

fn macro_near<'a>(files: &'a [Declared], from: &Declared, name: &str) -> Option<&'a Declared> {
    let homes = files
        .iter()
        .filter(|file| file.macros.iter().any(|rule| rule.name == name));
    homes.max_by_key(|file| nearness(&file.path, &from.path))
}

/// The file of the public type or trait of this name that is nearest, and its examples.
fn type_near<'a>(
    files: &'a [Declared],
    from: &Declared,
    name: &str,
) -> Option<(&'a Declared, &'a Type)> {
    let homes = files.iter().flat_map(|file| {
        let types = file.types.iter().filter(|declared| declared.name == name);
        types.map(move |declared| (file, declared))
    });
    homes.max_by_key(|(file, _)| nearness(&file.path, &from.path))
}

/// True if `file` is the crate as a whole and has the name `of` in it.
fn gives_on(files: &[Declared], file: &Declared, of: &str) -> bool {
    let Some(directory) = file.path.strip_suffix("lib.rs") else {
        return false;
    };
    let has = |file: &Declared| file.exports.iter().any(|name| name == of);
    let whole = file
        .exports
        .iter()
        .filter_map(|name| name.strip_suffix("::*"));
    let mut paths = whole.map(|module| format!("{directory}{module}/mod.rs"));
    has(file) || paths.any(|path| files.iter().any(|inner| inner.path == path && has(inner)))
}

/// True if `outer` is the module of `inner`, or one that this is in; the crate as a whole is not meant.
fn is_around(outer: &Declared, inner: &Declared) -> bool {
    let module = outer
        .path
        .strip_suffix("/mod.rs")
        .or_else(|| outer.path.strip_suffix(".rs"));
    outer.path == inner.path
        || module.is_some_and(|module| {
            inner
                .path
                .strip_prefix(module)
                .is_some_and(|rest| rest.starts_with('/'))
        })
}

/// True if the code calls a method or function of this name.
fn calls(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        let after = &code[at + name.len()..];
        let is_path = before.ends_with('.') || before.ends_with("::");
        is_path && (after.starts_with('(') || after.starts_with("::<"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files
            .iter()
            .map(|(path, text)| Source::new(path, text))
            .collect();
        check_with(&sources, &[])
    }

    /// A type with these lines of documentation, and a method.
    fn with(documentation: &str) -> String {
        format!(
            "{documentation}pub struct A<T>(T);\n\nimpl<T> A<T> {{\n    /// Says.\n    pub fn b(&self) {{}}\n}}\n"
        )
    }

    #[test]
    fn a_method_that_no_example_shows_is_found() {
        let file = with("/// Says what `A::b` is.\n///\n/// ```\n/// A(1).bb();\n/// ```\n");
        assert_eq!(
            findings(&[("a/src/x.rs", &file)]),
            ["a/src/x.rs:10: no example shows A::b"]
        );
        let traits = "pub trait A {\n    fn b(&self);\n}\n";
        assert_eq!(findings(&[("a/src/x.rs", traits)]).len(), 1);
        let text = with("/// ```text\n/// A(1).b();\n/// ```\n");
        assert_eq!(findings(&[("a/src/x.rs", &text)]).len(), 1);
        let const_fn = "pub struct A;\nimpl A {\n    pub const unsafe fn b() {}\n}\n";
        assert_eq!(findings(&[("a/src/x.rs", const_fn)]).len(), 1);
    }

    #[test]
    fn a_method_is_shown_by_its_type_its_impl_its_module_or_itself() {
        let example = "/// ```\n/// A(1).b();\n/// ```\n";
        let by_type = with(example);
        let by_itself = with("").replace(
            "    /// Says.\n",
            "    /// ```\n    /// A(1).b();\n    /// ```\n",
        );
        let by_impl = with("").replace("impl<T>", &format!("{example}impl<T>"));
        let by_module = format!("//! ```\n//! A::b(&A(1));\n//! ```\n\n{}", with(""));
        for file in [&by_type, &by_itself, &by_impl, &by_module] {
            assert_eq!(findings(&[("a/src/x.rs", file)]), [""; 0], "{file}");
        }
        let module = "//! ```\n//! A(1).b();\n//! ```\n\nmod x;\n";
        let inner = ("a/src/y/x.rs", &*with(""));
        assert_eq!(findings(&[("a/src/y/mod.rs", module), inner]), [""; 0]);
        assert_eq!(findings(&[("a/src/z/mod.rs", module), inner]).len(), 1);
        assert_eq!(findings(&[("a/src/lib.rs", module), inner]).len(), 1);
        let given_on = format!("{module}\npub use y::A;\n");
        assert_eq!(findings(&[("a/src/lib.rs", &given_on), inner]), [""; 0]);
    }

    #[test]
    fn a_trait_may_be_shown_by_who_implements_it() {
        let file = "/// ```\n/// impl A for () {\n///     fn b(&self) {}\n/// }\n/// ```\npub trait A {\n    fn b(&self);\n}\n";
        assert_eq!(findings(&[("a/src/x.rs", file)]), [""; 0]);
    }

    #[test]
    fn what_a_macro_declares_is_looked_for_at_each_of_its_types() {
        let rule = "macro_rules! verbs {\n    ($address:ty, $socket:ident) => {\n        impl $socket {\n            pub fn b(&self) {}\n        }\n    };\n}\n";
        let shown = "/// ```\n/// a.b();\n/// ```\npub struct A;\n";
        let both = "pub struct B;\nverbs!(u8, A);\nverbs!(u8, B);\n";
        assert_eq!(
            findings(&[
                ("a/src/x.rs", rule),
                ("a/src/y.rs", &format!("{shown}{both}"))
            ]),
            ["a/src/x.rs:4: no example shows B::b"]
        );
        let outer = "macro_rules! more {\n    ($socket:ident) => {\n        crate::verbs!(u8, $socket);\n    };\n}\npub struct B;\nmore!(B);\n";
        assert_eq!(
            findings(&[("a/src/x.rs", rule), ("a/src/y.rs", outer)]).len(),
            1
        );
        let nested = "pub struct A;\nimpl A {\n    fn a() {\n        struct B;\n        impl Drop for B {\n            fn drop(&mut self) {}\n        }\n    }\n    pub fn b(&self) {}\n}\n";
        assert_eq!(findings(&[("a/src/x.rs", nested)]).len(), 1);
        let declaring = "macro_rules! queue {\n    ($(#[$doc:meta])* pub struct $name:ident<T>;) => {\n        impl<T> $name<T> {\n            pub fn b(&self) {}\n        }\n    };\n}\nqueue! {\n    /// Says `a(b);`\n    pub struct A<T>;\n}\n";
        assert_eq!(findings(&[("a/src/x.rs", declaring)]).len(), 1);
    }

    #[test]
    fn what_nobody_sees_needs_none() {
        for fine in [
            "struct A;\nimpl A {\n    pub fn b(&self) {}\n}\n",
            "pub struct A;\nimpl A {\n    pub(crate) fn b(&self) {}\n    fn c(&self) {}\n}\n",
            "pub struct A;\nimpl Clone for A {\n    fn clone(&self) -> A {\n        A\n    }\n}\n",
            "pub struct A;\nimpl A {\n    #[doc(hidden)]\n    pub fn b(&self) {}\n}\n",
            "pub trait Sealed {\n    fn b(&self);\n}\n",
            "pub struct A;\n#[cfg(test)]\nmod tests {\n    impl A {\n        pub fn b(&self) {}\n    }\n}\n",
        ] {
            assert_eq!(findings(&[("a/src/x.rs", fine)]), [""; 0], "{fine}");
        }
        assert_eq!(findings(&[("examples/src/x.rs", &with(""))]), [""; 0]);
    }

    #[test]
    fn a_method_is_exempt_while_it_needs_to_be() {
        let exempt = [("a/src/x.rs:b", "for a reason")];
        let bare = Source::new("a/src/x.rs", &with(""));
        assert_eq!(check_with(&[bare], &exempt), [""; 0]);
        assert_eq!(check_with(&[], &exempt).len(), 1);
    }
}
