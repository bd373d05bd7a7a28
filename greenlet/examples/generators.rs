//! Generators that yield from inner calls, and one inside the other.
//!
//! ```text
//! $ cargo run -p greenlet --example generators
//! in order: 1 3 4 6 7 8
//! abc acb bac bca cab cba
//! the first primes: 2 3 5 7 11 13 17 19 23 29
//! ```

use greenlet::{Generator, Yielder};

struct Tree {
    value: u32,
    children: [Option<Box<Tree>>; 2],
}

fn tree(value: u32, left: Option<Tree>, right: Option<Tree>) -> Option<Tree> {
    let children = [left.map(Box::new), right.map(Box::new)];
    Some(Tree { value, children })
}

/// Yields from as deep as the tree is.
fn walk(y: &Yielder<u32>, tree: &Option<Box<Tree>>) {
    if let Some(tree) = tree {
        walk(y, &tree.children[0]);
        y.give(tree.value);
        walk(y, &tree.children[1]);
    }
}

/// Asks a generator of its own for the rest.
fn permutations(items: Vec<char>) -> Generator<String> {
    Generator::new(move |y| {
        if items.is_empty() {
            y.give(String::new());
        }
        for i in 0..items.len() {
            let mut rest = items.clone();
            let first = rest.remove(i);
            for tail in permutations(rest) {
                y.give(format!("{first}{tail}"));
            }
        }
    })
}

/// One generator for each prime, each of which drops the multiples of its own.
fn primes() -> Generator<u32> {
    Generator::new(|y| {
        let mut numbers: Box<dyn Iterator<Item = u32>> = Box::new(2..);
        while let Some(prime) = numbers.next() {
            y.give(prime);
            numbers = Box::new(Generator::new(move |y| {
                for n in numbers {
                    if n % prime != 0 {
                        y.give(n);
                    }
                }
            }));
        }
    })
}

fn line<T: ToString>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(" ")
}

fn main() {
    let root = tree(
        4,
        tree(3, tree(1, None, None), None),
        tree(7, tree(6, None, None), tree(8, None, None)),
    )
    .map(Box::new);
    println!(
        "in order: {}",
        line(Generator::new(move |y| walk(y, &root)))
    );
    println!("{}", line(permutations("abc".chars().collect())));
    println!("the first primes: {}", line(primes().take(10)));
}
