//! Generators made of nothing but switches; any function that a generator calls may yield for it.
//!
//! ```text
//! $ cargo run -p greenlet --example genlet
//! 0 1 2 3 4
//! one: a b, two: a b
//! moves for three discs: A-C A-B C-B A-C B-A B-C A-C
//! ```
//!
//! `greenlet::Generator` is this, made safe against a value that is given at the wrong level.

use greenlet::{Greenlet, current};

/// An iterator over what its body gives to `give`.
struct Genlet<T: 'static>(Greenlet<(), Option<T>>);

impl<T: 'static> Genlet<T> {
    fn new(body: impl FnOnce() + 'static) -> Genlet<T> {
        // The end of the body is a switch, too: to the parent, with no value.
        Genlet(Greenlet::new(|()| {
            body();
            None
        }))
    }
}

impl<T: 'static> Iterator for Genlet<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.0.is_dead() {
            return None;
        }
        // The one who asks is the one to switch back to.
        let asks = self.0.set_parent(&current());
        asks.expect("a generator does not ask itself");
        self.0.switch(()).expect("this thread does not unwind")
    }
}

/// Makes `value` the next one of the generator that runs, from any depth of calls, and goes on when it is asked again.
fn give<T: 'static>(value: T) {
    let asks = current().parent().expect("only in a generator");
    let asked = asks.switch::<Option<T>, ()>(Some(value));
    asked.expect("this thread does not unwind");
}

fn numbers(below: u32) {
    (0..below).for_each(give);
}

fn letters(title: &'static str) {
    give(format!("{title}: a"));
    give("b".to_owned());
}

fn hanoi(discs: u32, from: char, to: char, by: char) {
    if discs > 0 {
        hanoi(discs - 1, from, by, to);
        give(format!("{from}-{to}"));
        hanoi(discs - 1, by, to, from);
    }
}

fn line<T: ToString>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(" ")
}

fn main() {
    println!("{}", line(Genlet::<u32>::new(|| numbers(5))));
    let [one, two] =
        ["one", "two"].map(|title| line(Genlet::<String>::new(move || letters(title))));
    println!("{one}, {two}");
    let moves = Genlet::<String>::new(|| hanoi(3, 'A', 'C', 'B'));
    println!("moves for three discs: {}", line(moves));
}
