//! The lines as a script language.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use rhai::module_resolvers::DummyModuleResolver;
use rhai::{
    AST, Dynamic, Engine, EvalAltResult, FLOAT, INT, LexError, OptimizationLevel, ParseError,
    ParseErrorType, Scope,
};

use crate::commands::{Commands, Returned};
use crate::output::{Output, Quoted};
use crate::server::Settings;
use crate::words::{self, Entered};

/// After as many operations a script lets the other greenthreads run, and looks for its client.
const STRETCH: u64 = 1024;

/// The most that one command is given in a script.
const ARGUMENTS: usize = 8;

/// The most bytes of a string, and elements of an array or a map with all that is in it.
const LONGEST_STRING: usize = 1 << 20;
const MOST_ELEMENTS: usize = 1000;

/// As deep is a value shown that is nested.
const NESTED: usize = 16;

/// As deep may calls and expressions be: as deep as the stack of a session allows.
const CALLS: usize = 32;
const EXPRESSIONS: usize = 32;

/// The script language of one client, with its variables and functions.
pub(crate) struct Script {
    engine: Engine,
    scope: Scope<'static>,
    functions: AST,
    commands: Rc<Commands>,
    output: Rc<RefCell<Output>>,
    /// A command of the script that runs wants to leave: the language makes nothing of that but the script's end.
    leaves: Rc<Cell<bool>>,
}

impl Script {
    pub(crate) fn new(settings: &Settings, output: Rc<RefCell<Output>>) -> Script {
        let mut engine = Engine::new();
        let mut scope = Scope::new();
        engine
            .set_optimization_level(OptimizationLevel::None)
            .set_module_resolver(DummyModuleResolver::new())
            .set_max_operations(settings.operations)
            .set_max_call_levels(CALLS)
            .set_max_expr_depths(EXPRESSIONS, EXPRESSIONS)
            .set_max_string_size(LONGEST_STRING)
            .set_max_array_size(MOST_ELEMENTS)
            .set_max_map_size(MOST_ELEMENTS);
        // The language's own would keep the whole thread waiting.
        engine.register_fn("sleep", |seconds: INT| {
            green::sleep(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
        });
        engine.register_fn("sleep", |seconds: FLOAT| {
            let duration = Duration::try_from_secs_f64(seconds.max(0.0));
            green::sleep(duration.unwrap_or(Duration::MAX));
        });
        let leaves = Rc::new(Cell::new(false));
        register(&mut engine, &settings.commands, &output, &leaves);
        for set_up in &settings.scripts {
            set_up(&mut engine, &mut scope);
        }
        watch(&mut engine, &output);
        Script {
            engine,
            scope,
            functions: AST::empty(),
            commands: Rc::clone(&settings.commands),
            output,
            leaves,
        }
    }

    /// Runs what was entered. With `finished`, what looks like the beginning of more is an error.
    pub(crate) fn enter(&mut self, text: &str, finished: bool) -> Entered {
        if self.is_words(text) {
            return words::run(&self.commands, text, &self.output);
        }
        match self.engine.compile(text) {
            Err(error) if !finished && is_unfinished(&error, text) => Entered::Unfinished,
            Err(error) => Entered::Failed(error.to_string()),
            Ok(ast) => self.eval(ast),
        }
    }

    fn eval(&mut self, ast: AST) -> Entered {
        self.functions += ast;
        let (engine, scope, ast) = (&self.engine, &mut self.scope, &self.functions);
        let result = words::contained("what was called", || {
            engine.eval_ast_with_scope::<Dynamic>(scope, ast)
        });
        self.functions.clear_statements();
        match result {
            _ if self.leaves.take() => Entered::Leave,
            Ok(Ok(value)) if value.is_unit() => Entered::Value(None),
            Ok(Ok(value)) => Entered::Value(Some(shown(&value, 0))),
            Ok(Err(error)) => Entered::Failed(error.to_string()),
            Err(panic) => Entered::Failed(panic),
        }
    }

    /// True if this is no script but a command and its words, such as `help` or `kill 3`: two words one behind the other
    /// are no expression of the language.
    fn is_words(&self, text: &str) -> bool {
        let text = text.trim();
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (name, rest) = (&text[..end], text[end..].trim_start());
        let is_word = |c: char| c.is_alphanumeric() || "_'\"./".contains(c);
        !text.contains('\n')
            && self.commands.names().any(|known| known == name)
            && !self.scope.contains(name)
            && (rest.is_empty() || rest.starts_with(is_word))
    }
}

/// Makes functions of the commands.
fn register(
    engine: &mut Engine,
    commands: &Rc<Commands>,
    output: &Rc<RefCell<Output>>,
    leaves: &Rc<Cell<bool>>,
) {
    for name in commands.names() {
        for count in 0..=ARGUMENTS {
            let (commands, output) = (Rc::clone(commands), Rc::clone(output));
            let leaves = Rc::clone(leaves);
            let called = name.to_owned();
            let types = vec![TypeId::of::<Dynamic>(); count];
            engine.register_raw_fn(name, types, move |context, args| {
                let args: Vec<_> = args.iter().map(|arg| word(arg)).collect();
                let args: Vec<_> = args.iter().map(String::as_str).collect();
                let position = context.call_position();
                match words::call(&commands, &called, &args, &output) {
                    Ok(Returned::Value(value)) => Ok(value.map_or(Dynamic::UNIT, Dynamic::from)),
                    Ok(Returned::Leave) => {
                        leaves.set(true);
                        Err(EvalAltResult::Exit(Dynamic::UNIT, position).into())
                    }
                    Err(text) => Err(EvalAltResult::ErrorRuntime(text.into(), position).into()),
                }
            });
        }
    }
}

/// Sends what is printed to the client, lets the other greenthreads run, and ends what runs for a client who is gone.
fn watch(engine: &mut Engine, output: &Rc<RefCell<Output>>) {
    // That the client is gone is noted by the output, and found by the progress.
    let printed = Rc::clone(output);
    engine.on_print(move |text| drop(writeln!(printed.borrow_mut(), "{text}")));
    let printed = Rc::clone(output);
    engine.on_debug(move |text, _source, position| {
        drop(writeln!(printed.borrow_mut(), "{position:?} {text}"));
    });
    let client = Rc::clone(output);
    engine.on_progress(move |operations| {
        if operations % STRETCH == 0 {
            green::yield_now();
        }
        client.borrow().is_lost().then_some(Dynamic::UNIT)
    });
}

/// True if the error is that the text ends too early: it is found behind the last character, or at the beginning of a
/// string that may have several lines.
fn is_unfinished(error: &ParseError, text: &str) -> bool {
    let position = error.position();
    let (Some(line), Some(column)) = (position.line(), position.position()) else {
        return false;
    };
    let at = text.split('\n').nth(line - 1).unwrap_or_default();
    let behind = line == text.split('\n').count() && column > at.chars().count();
    let open = matches!(
        error.err_type(),
        ParseErrorType::BadInput(LexError::UnterminatedString)
    ) && at.chars().nth(column - 1) == Some('`');
    behind || open
}

/// A value as the language would write it, but for the quotes of strings, and for what is nested deeply.
fn shown(value: &Dynamic, depth: usize) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Quoted(&text).to_string();
    }
    if depth > NESTED && (value.is_array() || value.is_map()) {
        return "...".to_owned();
    }
    if let Ok(array) = value.as_array_ref() {
        let elements: Vec<_> = array.iter().map(|value| shown(value, depth + 1)).collect();
        return format!("[{}]", elements.join(", "));
    }
    if let Ok(map) = value.as_map_ref() {
        let mut entries = Vec::new();
        for (key, value) in map.iter() {
            entries.push(format!("{}: {}", Quoted(key), shown(value, depth + 1)));
        }
        return format!("#{{{}}}", entries.join(", "));
    }
    value.to_string()
}

/// An argument of a command: a text as it is.
fn word(value: &Dynamic) -> String {
    match value.as_immutable_string_ref() {
        Ok(text) => text.to_string(),
        Err(_) => shown(value, 0),
    }
}
