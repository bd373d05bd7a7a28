//! The field Sec-WebSocket-Extensions, and the agreement on permessage-deflate.

use std::fmt::Write;

use crate::options::Deflate;
use crate::protocol::{Agreed, Window};

const NAME: &str = "permessage-deflate";
const LARGEST: u8 = 15;

/// An extension with its parameters, as it was offered or accepted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extension {
    name: String,
    params: Vec<(String, Option<String>)>,
}

/// The parameters of permessage-deflate.
#[derive(Debug, Default, PartialEq, Eq)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// `Some(None)`: named without a value.
    client_max_window_bits: Option<Option<u8>>,
}

/// Splits at `separator`, but not within quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c: char| {
        let splits = c == separator && !quoted;
        match c {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = c == '\\' && quoted && !escaped;
        splits
    })
    .map(str::trim)
    .collect()
}

fn is_token(text: &str) -> bool {
    let is_mark = |c: char| "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || is_mark(c))
}

/// `None` if a field is not what RFC 6455, 9.1 describes.
fn parse<'a>(fields: impl Iterator<Item = &'a str>) -> Option<Vec<Extension>> {
    let mut extensions = Vec::new();
    for element in fields
        .flat_map(|field| split(field, ','))
        .filter(|text| !text.is_empty())
    {
        let mut parts = split(element, ';').into_iter();
        let name = parts.next().filter(|name| is_token(name))?.to_owned();
        let mut extension = Extension {
            name,
            params: Vec::new(),
        };
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (part, None),
            };
            let value = match value {
                Some(value) => Some(unquote(value)?),
                None => None,
            };
            extension
                .params
                .push((Some(name).filter(|name| is_token(name))?.to_owned(), value));
        }
        extensions.push(extension);
    }
    Some(extensions)
}

/// A value, which within quotes must be a token too.
fn unquote(value: &str) -> Option<String> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?.replace('\\', ""),
        None => value.to_owned(),
    };
    Some(inner).filter(|inner| is_token(inner))
}

/// The size of a window, in the one form that it has.
fn bits(value: &str) -> Option<u8> {
    let bits: u8 = value.parse().ok()?;
    (value == bits.to_string() && (8..=LARGEST).contains(&bits)).then_some(bits)
}

impl Params {
    /// `None` if a parameter is unknown, there twice, or out of range.
    fn of(extension: &Extension) -> Option<Params> {
        let mut params = Params::default();
        let mut known: Vec<&str> = Vec::new();
        for (name, value) in &extension.params {
            if known.contains(&&**name) {
                return None;
            }
            known.push(name);
            match (&**name, value) {
                ("server_no_context_takeover", None) => params.server_no_context_takeover = true,
                ("client_no_context_takeover", None) => params.client_no_context_takeover = true,
                ("server_max_window_bits", Some(value)) => {
                    params.server_max_window_bits = Some(bits(value)?);
                }
                ("client_max_window_bits", None) => params.client_max_window_bits = Some(None),
                ("client_max_window_bits", Some(value)) => {
                    params.client_max_window_bits = Some(Some(bits(value)?));
                }
                _ => return None,
            }
        }
        Some(params)
    }

    fn text(&self) -> String {
        let mut text = NAME.to_owned();
        for (is_set, name) in [
            (
                self.server_no_context_takeover,
                "server_no_context_takeover",
            ),
            (
                self.client_no_context_takeover,
                "client_no_context_takeover",
            ),
        ] {
            if is_set {
                text.push_str("; ");
                text.push_str(name);
            }
        }
        if let Some(bits) = self.server_max_window_bits {
            let _ = write!(text, "; server_max_window_bits={bits}");
        }
        match self.client_max_window_bits {
            Some(Some(bits)) => {
                let _ = write!(text, "; client_max_window_bits={bits}");
            }
            Some(None) => text.push_str("; client_max_window_bits"),
            None => {}
        }
        text
    }

    /// What a server does with these once they are in its answer.
    fn agreed_of_server(&self) -> Agreed {
        Agreed {
            ours: Window {
                bits: self.server_max_window_bits.unwrap_or(LARGEST),
                takeover: !self.server_no_context_takeover,
            },
            theirs: Window {
                bits: self.client_max_window_bits.flatten().unwrap_or(LARGEST),
                takeover: !self.client_no_context_takeover,
            },
        }
    }
}

/// What a server accepts of what a client offers: the field for the answer, and what it means. An offer that is out of
/// range is passed over.
///
/// # Errors
/// If the fields cannot be read.
pub(super) fn accept<'a>(
    offered: impl Iterator<Item = &'a str>,
    deflate: Option<Deflate>,
) -> Result<Option<(String, Agreed)>, ()> {
    let offers = parse(offered).ok_or(())?;
    let Some(deflate) = deflate else {
        return Ok(None);
    };
    let ours = offers.iter().filter(|offer| offer.name == NAME);
    let Some(offer) = ours.filter_map(Params::of).next() else {
        return Ok(None);
    };
    let limit = deflate.window_bits;
    let least = |asked: Option<u8>| asked.unwrap_or(LARGEST).min(limit);
    let server_bits = least(offer.server_max_window_bits);
    let client_bits = offer.client_max_window_bits.map(least);
    let answer = Params {
        server_no_context_takeover: offer.server_no_context_takeover || !deflate.context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover || !deflate.context_takeover,
        server_max_window_bits: (offer.server_max_window_bits.is_some() || server_bits < LARGEST)
            .then_some(server_bits),
        client_max_window_bits: client_bits.filter(|&bits| bits < LARGEST).map(Some),
    };
    Ok(Some((answer.text(), answer.agreed_of_server())))
}

/// What a client offers.
pub(super) fn offer(deflate: Deflate) -> String {
    let bits = Some(deflate.window_bits).filter(|&bits| bits < LARGEST);
    let params = Params {
        server_no_context_takeover: !deflate.context_takeover,
        client_no_context_takeover: !deflate.context_takeover,
        server_max_window_bits: bits,
        client_max_window_bits: Some(bits),
    };
    params.text()
}

/// What a server's answer to that means.
///
/// # Errors
/// If the server has accepted what was not offered, or in a way that was not.
pub(super) fn confirm<'a>(
    answered: impl Iterator<Item = &'a str>,
    deflate: Option<Deflate>,
) -> Result<Option<Agreed>, String> {
    let Some(extensions) = parse(answered) else {
        return Err("its field Sec-WebSocket-Extensions cannot be read".to_owned());
    };
    let (extension, deflate) = match (&*extensions, deflate) {
        ([], _) => return Ok(None),
        ([extension], Some(deflate)) if extension.name == NAME => (extension, deflate),
        _ => return Err("it accepts an extension that was not offered".to_owned()),
    };
    let out_of_range = || format!("it accepts {NAME} with parameters that are out of range");
    let params = Params::of(extension).ok_or_else(out_of_range)?;
    let keeps_to = deflate.context_takeover || params.server_no_context_takeover;
    let server_bits = params.server_max_window_bits.unwrap_or(LARGEST);
    if !keeps_to || server_bits > deflate.window_bits || params.client_max_window_bits == Some(None)
    {
        return Err(out_of_range());
    }
    let client_bits = params.client_max_window_bits.flatten().unwrap_or(LARGEST);
    let takeover = deflate.context_takeover && !params.client_no_context_takeover;
    Ok(Some(Agreed {
        ours: Window {
            bits: client_bits.min(deflate.window_bits),
            takeover,
        },
        theirs: Window {
            bits: server_bits,
            takeover: !params.server_no_context_takeover,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bits: u8, takeover: bool) -> Window {
        Window { bits, takeover }
    }

    #[track_caller]
    fn accepted(offer: &str, deflate: Deflate, answer: &str, ours: Window, theirs: Window) {
        let (text, agreed) = accept([offer].into_iter(), Some(deflate)).unwrap().unwrap();
        assert_eq!(text, answer);
        assert_eq!(agreed, Agreed { ours, theirs });
    }

    #[test]
    fn a_server_accepts_what_it_can_do() {
        let (full, all) = (window(15, true), Deflate::new());
        accepted("permessage-deflate", all, "permessage-deflate", full, full);
        accepted(
            "permessage-deflate; client_max_window_bits",
            all,
            "permessage-deflate",
            full,
            full,
        );
        accepted(
            "x-other; a=\"b\"; c, permessage-deflate; server_max_window_bits=10; client_max_window_bits=\"9\"",
            all,
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
            window(10, true),
            window(9, true),
        );
        accepted(
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            all,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            window(15, false),
            window(15, false),
        );
        let little = Deflate::new().context_takeover(false).window_bits(11);
        accepted(
            "permessage-deflate; client_max_window_bits",
            little,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=11; client_max_window_bits=11",
            window(11, false),
            window(11, false),
        );
        // A client that cannot limit its window is not asked to.
        accepted(
            "permessage-deflate",
            Deflate::new().window_bits(11),
            "permessage-deflate; server_max_window_bits=11",
            window(11, true),
            full,
        );
    }

    #[test]
    fn a_server_passes_over_what_is_out_of_range() {
        for bad in [
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=08",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=0",
            "permessage-deflate; client_max_window_bits=ten",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; unknown",
            "x-other",
            "",
        ] {
            assert_eq!(
                accept([bad].into_iter(), Some(Deflate::new())),
                Ok(None),
                "{bad}"
            );
            let better = format!("{bad}, permessage-deflate");
            let second = accept([&*better].into_iter(), Some(Deflate::new())).unwrap();
            assert_eq!(second.unwrap().0, "permessage-deflate", "{bad}");
        }
        assert_eq!(accept(["permessage-deflate"].into_iter(), None), Ok(None));
        for rubbish in [
            "permessage-deflate; =1",
            "a b",
            "a; b=\"c",
            "a; b=\"c d\"",
            "a; b=",
        ] {
            assert_eq!(
                accept([rubbish].into_iter(), Some(Deflate::new())),
                Err(()),
                "{rubbish}"
            );
        }
    }

    #[test]
    fn a_client_takes_only_what_it_has_offered() {
        let all = Deflate::new();
        assert_eq!(offer(all), "permessage-deflate; client_max_window_bits");
        let little = Deflate::new().context_takeover(false).window_bits(10);
        assert_eq!(
            offer(little),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits=10"
        );
        let confirmed = |answer: &str, deflate| confirm([answer].into_iter(), Some(deflate));
        let agreed = |ours, theirs| Ok(Some(Agreed { ours, theirs }));
        assert_eq!(confirmed("", all), Ok(None));
        let full = window(15, true);
        assert_eq!(confirmed("permessage-deflate", all), agreed(full, full));
        assert_eq!(
            confirmed(
                "permessage-deflate; client_max_window_bits=8; server_max_window_bits=9",
                all
            ),
            agreed(window(8, true), window(9, true))
        );
        assert_eq!(
            confirmed("permessage-deflate; client_no_context_takeover", all),
            agreed(window(15, false), full)
        );
        let answer = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10";
        assert_eq!(
            confirmed(answer, little),
            agreed(window(10, false), window(10, false))
        );
        for (bad, deflate) in [
            ("x-other", all),
            ("permessage-deflate, permessage-deflate", all),
            ("permessage-deflate; client_max_window_bits", all),
            ("permessage-deflate; server_max_window_bits=7", all),
            ("permessage-deflate; server_max_window_bits=16", all),
            ("permessage-deflate", little),
            ("permessage-deflate; server_no_context_takeover", little),
            ("permessage-deflate; server_max_window_bits=10", little),
        ] {
            assert!(confirmed(bad, deflate).is_err(), "{bad}");
        }
        assert!(confirm(["permessage-deflate"].into_iter(), None).is_err());
    }
}
