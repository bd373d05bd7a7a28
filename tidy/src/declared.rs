//! What a file of Rust declares, as far as the rules about examples ask: its types and traits, the methods of each, and
//! the macros that declare some.
//!
//! It reads lines, not a syntax tree: the code is formatted, so a block ends where its indentation comes back.

/// A file, seen so.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    /// From the root.
    pub path: String,
    /// The code of the examples in the documentation of its module.
    pub example: String,
    pub types: Vec<Type>,
    pub methods: Vec<Method>,
    pub macros: Vec<Macro>,
    pub calls: Vec<Call>,
    /// The names in its `pub use`s, and `name::*` of what it gives on as a whole.
    pub exports: Vec<String>,
}

/// A public type or trait.
#[derive(Debug)]
pub(crate) struct Type {
    pub name: String,
    pub is_trait: bool,
    /// The code of its examples.
    pub example: String,
}

/// A public method, or one of a public trait.
#[derive(Debug)]
pub(crate) struct Method {
    pub line: usize,
    pub name: String,
    /// The type or trait that it is declared for; in a macro this may be one of its variables, as `$socket`.
    pub of: String,
    /// The macro that declares it.
    pub within: Option<String>,
    /// True if its own documentation has an example.
    pub has_example: bool,
    /// The code of the examples at its `impl`.
    pub example: String,
}

/// A macro and what its first rule matches.
#[derive(Debug)]
pub(crate) struct Macro {
    pub name: String,
    pub matcher: String,
}

/// A call of a macro where items stand.
#[derive(Debug)]
pub(crate) struct Call {
    pub name: String,
    /// What stands between its braces or parentheses.
    pub arguments: String,
    /// The macro that this is a part of.
    pub within: Option<String>,
}

/// What is said before an item: documentation and attributes.
#[derive(Debug, Default)]
struct Said {
    /// The code of its examples.
    example: String,
    has_example: bool,
    is_hidden: bool,
    /// In a block of code that runs.
    in_example: bool,
    /// In a block of something else.
    in_text: bool,
}

impl Said {
    fn documentation(&mut self, line: &str) {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            let runs = language.is_empty() || language == "no_run" || language == "should_panic";
            let ends = self.in_example || self.in_text;
            (self.in_example, self.in_text) = (!ends && runs, !ends && !runs);
            self.has_example |= self.in_example;
        } else if self.in_example {
            self.example.push_str(line);
            self.example.push('\n');
        }
    }
}

/// An `impl` or a trait.
struct Block {
    indent: usize,
    /// Whose methods it has; none of those that count if it is of a trait for a type.
    of: Option<String>,
    is_trait: bool,
    example: String,
}

/// Reads one file.
pub(crate) fn declared(path: &str, text: &str) -> Declared {
    let lines: Vec<&str> = text[..tests(text)].lines().collect();
    let mut reader = Reader {
        found: Declared {
            path: path.to_owned(),
            ..Declared::default()
        },
        said: Said::default(),
        module: Said::default(),
        blocks: Vec::new(),
        within: None,
        in_attribute: false,
    };
    for at in 0..lines.len() {
        reader.line(&lines, at);
    }
    reader.found.example = reader.module.example;
    reader.found.exports = exports(&lines);
    reader.found
}

struct Reader {
    found: Declared,
    said: Said,
    module: Said,
    /// The innermost is the last.
    blocks: Vec<Block>,
    /// The macro that this is in, and its indentation.
    within: Option<(String, usize)>,
    in_attribute: bool,
}

impl Reader {
    fn line(&mut self, lines: &[&str], at: usize) {
        let code = lines[at].trim();
        let indent = lines[at].len() - lines[at].trim_start().len();
        if self.in_attribute || code.starts_with("#[") {
            self.said.is_hidden |=
                code.starts_with("#[doc(hidden)]") || code.starts_with("#[cfg(test)]");
            self.in_attribute = !code.ends_with(']');
        } else if let Some(line) = code.strip_prefix("//!") {
            self.module.documentation(line);
        } else if let Some(line) = code.strip_prefix("///") {
            self.said.documentation(line);
        } else if code == "}" {
            self.blocks.pop_if(|block| block.indent == indent);
            self.within.take_if(|within| within.1 == indent);
        } else if !code.starts_with("//") && !code.starts_with("$(#[") {
            let said = std::mem::take(&mut self.said);
            self.item(lines, at, indent, said);
        }
    }

    fn item(&mut self, lines: &[&str], at: usize, indent: usize, said: Said) {
        let code = lines[at].trim();
        if let Some(name) = code.strip_prefix("macro_rules! ") {
            let name = name.trim_end_matches('{').trim().to_owned();
            let matcher = until(&lines[at + 1..], |line| line.ends_with("=> {"));
            self.within = Some((name.clone(), indent));
            self.found.macros.push(Macro { name, matcher });
        } else if code.starts_with("impl") && !code.ends_with('}') {
            let header = until(&lines[at..], |line| line.ends_with('{'));
            self.blocks.push(Block {
                indent,
                of: of_impl(&header).filter(|_| !said.is_hidden),
                is_trait: false,
                example: said.example,
            });
        } else if let Some((kind, name)) = type_of(code) {
            let opens = until(&lines[at..], |line| line.ends_with(['{', ';', '}']));
            if kind == "trait" && opens.ends_with("{ ") {
                self.blocks.push(Block {
                    indent,
                    of: Some(name.clone()).filter(|_| !said.is_hidden),
                    is_trait: true,
                    example: String::new(),
                });
            }
            if !said.is_hidden {
                let (is_trait, example) = (kind == "trait", said.example);
                self.found.types.push(Type {
                    name,
                    is_trait,
                    example,
                });
            }
        } else if !self.method(at, code, indent, &said)
            && let Some(name) = called(code)
        {
            let arguments = arguments(&lines[at..]);
            let within = self.within.as_ref().map(|within| within.0.clone());
            self.found.calls.push(Call {
                name,
                arguments,
                within,
            });
        }
    }

    /// Takes note of a method. False if the line declares none.
    fn method(&mut self, at: usize, code: &str, indent: usize, said: &Said) -> bool {
        let Some(block) = self.blocks.last() else {
            return false;
        };
        let Some(name) = method_of(code, block.is_trait) else {
            return false;
        };
        let of = block
            .of
            .clone()
            .filter(|_| !said.is_hidden && indent == block.indent + 4);
        self.found.methods.extend(of.map(|of| Method {
            line: at + 1,
            name,
            of,
            within: self.within.as_ref().map(|within| within.0.clone()),
            has_example: said.has_example,
            example: block.example.clone(),
        }));
        true
    }
}

/// Where the module of tests begins, or else the end.
fn tests(text: &str) -> usize {
    let begins = text.match_indices("#[cfg(test)]\nmod ").find(|(at, _)| {
        let line = text[*at..].lines().nth(1);
        line.is_some_and(|line| line.ends_with('{'))
    });
    begins.map_or(text.len(), |(at, _)| at)
}

/// What stands between the braces or parentheses of a call of a macro, but for documentation and attributes.
fn arguments(lines: &[&str]) -> String {
    let is_comment = |line: &&&str| line.trim().starts_with("//") || line.trim().starts_with("#[");
    let code: Vec<_> = lines
        .iter()
        .filter(|line| !is_comment(line))
        .copied()
        .collect();
    let text = until(&code, |line| line.trim() == "}" || line.ends_with(");"));
    let text = text.split_once('!').map_or("", |(_, rest)| rest).trim();
    let text = text.trim_start_matches(['(', '{']);
    text.trim_end_matches([';', ')', '}']).to_owned()
}

/// The names in the `pub use`s, and `name::*`.
fn exports(lines: &[&str]) -> Vec<String> {
    let uses = (0..lines.len()).filter(|&at| lines[at].starts_with("pub use "));
    let mut names = Vec::new();
    for at in uses {
        let text = until(&lines[at..], |line| line.ends_with(';'));
        names.extend(words(&text).map(str::to_owned));
        if let Some(whole) = text.trim().strip_suffix("::*;") {
            names.push(format!("{}::*", whole.trim_start_matches("pub use ")));
        }
    }
    names
}

/// The lines from the first to the one that ends it, as one.
fn until(lines: &[&str], ends: impl Fn(&str) -> bool) -> String {
    let last = lines
        .iter()
        .position(|line| ends(line))
        .unwrap_or(lines.len() - 1);
    lines[..=last]
        .iter()
        .flat_map(|line| [line.trim(), " "])
        .collect()
}

/// The type whose own methods an `impl` has; none if it is of a trait.
fn of_impl(header: &str) -> Option<String> {
    let mut rest = header.strip_prefix("impl")?;
    if rest.starts_with('<') {
        rest = &rest[closing(rest)?..];
    }
    let rest = rest.split(" where ").next()?;
    if rest.contains(" for ") {
        return None;
    }
    let end = rest.find(['<', '{']).unwrap_or(rest.len());
    let name = rest[..end].trim().rsplit("::").next()?;
    Some(name.to_owned())
}

/// Where the angle bracket that opens `text` is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
        before = c;
    }
    None
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
        .filter(|word| !["unsafe", "const", "async", "extern", "C", ""].contains(word))
}

/// The kind and the name of a public type.
fn type_of(code: &str) -> Option<(&str, String)> {
    let mut words = words(code.strip_prefix("pub ")?);
    let kind = words.next()?;
    let name = words.next()?;
    let is_type = ["struct", "enum", "trait", "type", "union"].contains(&kind);
    // One of this name is public for the compiler alone.
    (is_type && !name.starts_with('$') && name != "Sealed").then(|| (kind, name.to_owned()))
}

/// The name of a method, which is public in a trait without saying so.
fn method_of(code: &str, in_trait: bool) -> Option<String> {
    let public = code.strip_prefix("pub ");
    let mut words = words(if in_trait { code } else { public? });
    let name = (words.next()? == "fn").then(|| words.next())??;
    (!name.starts_with('$')).then(|| name.to_owned())
}

/// The name of the macro that is called.
fn called(code: &str) -> Option<String> {
    let (path, rest) = code.split_once('!')?;
    let is_path = path
        .chars()
        .all(|c| c.is_alphanumeric() || "_:$".contains(c));
    let opens = rest.starts_with(['(', '{']) || rest.starts_with(" {");
    (is_path && opens).then(|| path.rsplit("::").next().unwrap_or(path).to_owned())
}
