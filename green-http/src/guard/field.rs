//! The characters that the parts of a message may consist of (RFC 9110, 5.6.2 and 5.5; RFC 3986, 3.2.2).

use super::refusal::Refusal;

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

/// True for one or more characters of a token.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| TOKEN[usize::from(byte)])
}

/// A field line without its CRLF, as its name and its value.
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Refusal::bad("a field is folded over several lines"));
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(Refusal::bad("a field has no colon"));
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err(Refusal::bad("the name of a field is no token"));
    }
    let control = |&byte: &u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    if value.iter().any(control) {
        return Err(Refusal::bad("the value of a field has a control character"));
    }
    Ok((name, value.trim_ascii()))
}

/// True for what a Host field may say: a host and perhaps a port. It may be empty.
pub(super) fn is_host(value: &[u8]) -> bool {
    let (host, port) = match (value.first(), memchr::memrchr(b':', value)) {
        (Some(b'['), _) => {
            let Some(end) = memchr::memchr(b']', value) else {
                return false;
            };
            let inside = &value[1..end];
            let literal = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            if inside.is_empty() || !inside.iter().all(literal) {
                return false;
            }
            match value[end + 1..].split_first() {
                None => return true,
                Some((b':', port)) => return port.iter().all(u8::is_ascii_digit),
                Some(_) => return false,
            }
        }
        (_, Some(colon)) => (&value[..colon], &value[colon + 1..]),
        (_, None) => (value, &b""[..]),
    };
    let allowed = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
                    | b'%'
            )
    };
    let named = value.is_empty() || !host.is_empty();
    named && host.iter().all(allowed) && port.iter().all(u8::is_ascii_digit)
}
