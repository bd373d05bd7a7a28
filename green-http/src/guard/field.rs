//! The characters that the parts of a message may consist of (RFC 9110, 5.6.2 and 5.5; RFC 3986, 3.2.2).

use super::refusal::Refusal;

const TOKEN: u8 = 1;
const UNDERSCORE: u8 = 2;
const HOST: u8 = 4;
const TARGET: u8 = 8;

/// What each byte may be a part of.
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let mut class = 0;
        if b.is_ascii_alphanumeric() {
            class |= TOKEN | HOST;
        }
        if matches!(
            b,
            b'!' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'_' | b'~'
        ) {
            class |= TOKEN | HOST;
        }
        if matches!(b, b'#' | b'^' | b'`' | b'|') {
            class |= TOKEN;
        }
        if matches!(b, b'(' | b')' | b',' | b';' | b'=') {
            class |= HOST;
        }
        if b > b' ' && b < 0x7f && b != b'#' {
            class |= TARGET;
        }
        if b == b'_' {
            class |= UNDERSCORE;
        }
        table[byte] = class;
        byte += 1;
    }
    table
};

fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// How many bytes at the start of `bytes` are of `wanted`.
fn span(bytes: &[u8], wanted: u8) -> usize {
    let end = bytes.iter().position(|&byte| class(byte) & wanted == 0);
    end.unwrap_or(bytes.len())
}

/// How many bytes at the start of `bytes` a method may consist of.
pub(super) fn token_span(bytes: &[u8]) -> usize {
    span(bytes, TOKEN)
}

/// How many bytes at the start of `bytes` a target may consist of, without a fragment.
pub(super) fn target_span(bytes: &[u8]) -> usize {
    span(bytes, TARGET)
}

/// A field line.
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    /// With the white space around it.
    pub(super) value: &'a [u8],
    /// There is a `_` in its name.
    pub(super) underscore: bool,
}

/// A field line without its CRLF, as its name and its value.
pub(super) fn split(line: &[u8]) -> Result<Field<'_>, Refusal> {
    let mut classes = 0;
    let end = line.iter().position(|&byte| {
        classes |= class(byte);
        class(byte) & TOKEN == 0
    });
    let (name, value) = match end {
        Some(colon) if colon > 0 && line[colon] == b':' => (&line[..colon], &line[colon + 1..]),
        _ => return Err(no_field(line)),
    };
    if has_control(value) {
        return Err(Refusal::bad("the value of a field has a control character"));
    }
    Ok(Field {
        name,
        value,
        underscore: classes & UNDERSCORE != 0,
    })
}

#[cold]
fn no_field(line: &[u8]) -> Refusal {
    Refusal::bad(match line.first() {
        Some(b' ' | b'\t') => "a field is folded over several lines",
        _ if !line.contains(&b':') => "a field has no colon",
        _ => "the name of a field is no token",
    })
}

/// True if there is a control character other than a tab.
fn has_control(value: &[u8]) -> bool {
    let is_control = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    let (words, rest) = value.as_chunks::<8>();
    // Eight at a time, in which a tab and some others count as suspicious: those are looked at one by one.
    let suspicious = |word: &[u8; 8]| {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = ONES << 7;
        let word = u64::from_ne_bytes(*word);
        let low = word.wrapping_sub(ONES * 0x20) & !word;
        let delete = (word ^ (ONES * 0x7f)).wrapping_sub(ONES) & !(word ^ (ONES * 0x7f));
        (low | delete) & HIGHS != 0
    };
    words
        .iter()
        .any(|word| suspicious(word) && word.iter().any(|&byte| is_control(byte)))
        || rest.iter().any(|&byte| is_control(byte))
}

/// True for what a Host field may say: a host and perhaps a port. It may be empty.
pub(super) fn is_host(value: &[u8]) -> bool {
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    if value.first() == Some(&b'[') {
        return is_literal(value, is_port);
    }
    let host = span(value, HOST);
    match &value[host..] {
        [] => true,
        [b':', port @ ..] => host > 0 && is_port(port),
        _ => false,
    }
}

/// An address in brackets, and perhaps a port.
fn is_literal(value: &[u8], is_port: impl Fn(&[u8]) -> bool) -> bool {
    let Some(end) = memchr::memchr(b']', value) else {
        return false;
    };
    let inside = &value[1..end];
    let literal = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    if inside.is_empty() || !inside.iter().all(literal) {
        return false;
    }
    match &value[end + 1..] {
        [] => true,
        [b':', port @ ..] => is_port(port),
        _ => false,
    }
}
