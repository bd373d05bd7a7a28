//! The frames of what every wait goes through. They lie on the stack of every greenthread that waits, and each cache
//! line of them is loaded again when it runs on.
//!
//! They grow unseen: a branch that is never taken and holds a whole reactor is enough. So they are read from what
//! `objdump -d -C` says of a release build on x86-64.

/// A function and the bytes that its frame takes, saved registers and return address included.
#[derive(Debug, PartialEq)]
pub struct Frame {
    /// As the disassembler writes it.
    pub function: String,
    /// What the function pushes and subtracts from the stack pointer where it begins.
    pub bytes: u64,
}

/// The end of a function's name and the most bytes that its frame may take.
pub const LIMITS: &[(&str, u64)] = &[
    ("greenlet::body::entry", 832),
    ("Io<T>::note", 80),
    ("Io<T>>::wait_ready", 160),
    ("readiness::registered", 144),
    ("Reactor<W>::park", 112),
];

/// How many instructions after its name a function has set up its frame.
const PROLOGUE: usize = 24;

/// The frames in the output of `objdump -d -C`.
pub fn frames(disassembly: &str) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut lines = disassembly.lines();
    while let Some(line) = lines.next() {
        if let Some(function) = name(line) {
            let body = lines.clone().take_while(|line| !line.is_empty());
            frames.push(Frame {
                function: function.to_owned(),
                bytes: size(body),
            });
        }
    }
    frames
}

/// The function that begins at a line like `0000000000001234 <name>:`.
fn name(line: &str) -> Option<&str> {
    let (address, rest) = line.split_once(" <")?;
    let hex = !address.is_empty() && address.chars().all(|c| c.is_ascii_hexdigit());
    rest.strip_suffix(">:").filter(|_| hex)
}

fn size<'a>(body: impl Iterator<Item = &'a str>) -> u64 {
    let mut bytes = 8;
    for line in body.take(PROLOGUE) {
        let instruction = line.rsplit('\t').next().unwrap_or_default().trim();
        let (operation, operands) = instruction.split_once(' ').unwrap_or((instruction, ""));
        match operation {
            "push" => bytes += 8,
            "call" | "ret" | "pop" | "jmp" => break,
            _ => {}
        }
        // Above a page it is subtracted from a copy, to touch each page.
        let less = operands
            .trim()
            .strip_prefix("$0x")
            .and_then(|rest| rest.split_once(','));
        if let ("sub", Some((count, "%rsp" | "%r11"))) = (operation, less) {
            bytes += u64::from_str_radix(count, 16).unwrap_or(0);
            break;
        }
    }
    bytes
}

/// A line for each function that has a limit, and the findings among them.
#[derive(Debug, Default)]
pub struct Report {
    /// What was measured.
    pub lines: Vec<String>,
    /// Functions above their limit, and limits without a function.
    pub findings: Vec<String>,
}

/// Compares frames with [`LIMITS`].
pub fn check(frames: &[Frame]) -> Report {
    let mut report = Report::default();
    for (end, limit) in LIMITS {
        let named: Vec<_> = frames
            .iter()
            .filter(|frame| frame.function.ends_with(end))
            .collect();
        if named.is_empty() {
            report
                .findings
                .push(format!("no function is named {end}: renamed, or inlined?"));
        }
        for frame in named {
            let line = format!("{} of {limit} bytes: {}", frame.bytes, frame.function);
            if frame.bytes > *limit {
                report.findings.push(line.clone());
            }
            report.lines.push(line);
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
Disassembly of section .text:

0000000000001000 <green::io::net::io::Io<T>::note>:
    1000:\tpush   %rbp
    1001:\tpush   %r15
    1003:\tmov    %rdi,%rbx
    1006:\tsub    $0x18,%rsp
    100d:\tpush   %rax

0000000000002000 <greenlet::body::entry>:
    2000:\tpush   %rbp
    2001:\tmov    %rsp,%r11
    2004:\tsub    $0x3000,%r11
    200b:\tsub    $0x1000,%rsp

0000000000003000 <leaf>:
    3000:\tmov    %rdi,%rax
    3003:\tret
";

    #[test]
    fn a_frame_is_what_is_pushed_and_subtracted() {
        let found = frames(TEXT);
        let expected = [
            ("green::io::net::io::Io<T>::note", 8 + 16 + 0x18),
            ("greenlet::body::entry", 8 + 8 + 0x3000),
            ("leaf", 8),
        ];
        let expected = expected.map(|(function, bytes)| Frame {
            function: function.to_owned(),
            bytes,
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_large_frame_and_a_missing_function_are_found() {
        let report = check(&frames(TEXT));
        assert!(
            report
                .findings
                .iter()
                .any(|line| line.contains("body::entry"))
        );
        assert!(!report.findings.iter().any(|line| line.contains("::note")));
        assert!(
            report
                .findings
                .iter()
                .any(|line| line.contains("no function is named readiness::registered"))
        );
        assert_eq!(report.lines.len(), 2);
    }
}
