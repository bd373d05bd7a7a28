//! Names of hosts, and where they are looked for.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// More than this does not fit into a message.
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

/// The name of a host as the name servers know it: ASCII, in lower case, without a dot at its end.
///
/// ```
/// use green_dns::Name;
///
/// assert_eq!(Name::parse("B\u{fc}cher.Example")?.text(), "xn--bcher-kva.example");
/// assert!(Name::parse("no name").is_err());
/// let search = ["one.example".to_owned()];
/// assert_eq!(Name::parse("www")?.candidates(&search, 1), ["www.one.example"]);
/// assert_eq!(Name::parse("www.")?.candidates(&search, 1), ["www"]);
/// assert!(Name::parse("LocalHost")?.is_localhost());
/// # Ok::<(), green_dns::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    text: String,
    /// It had a dot at its end: it is whole, and nothing may be appended.
    rooted: bool,
}

impl Name {
    /// Reads a name. One beyond ASCII is converted as the rules of internationalised names say (UTS 46).
    ///
    /// # Errors
    /// Why it is no name of a host.
    pub fn parse(host: &str) -> Result<Name, NameError> {
        let ascii = if host.is_ascii() {
            Cow::Borrowed(host)
        } else {
            idna::domain_to_ascii_cow(host.as_bytes(), idna::AsciiDenyList::EMPTY)
                .map_err(|_| NameError("it is no internationalised name of a host"))?
        };
        let (text, rooted) = match ascii.strip_suffix('.') {
            Some(text) => (text, true),
            None => (&*ascii, false),
        };
        if text.is_empty() {
            return Err(NameError("the name is empty"));
        }
        if text.len() > LONGEST {
            return Err(NameError("the name is longer than 253 characters"));
        }
        if text.starts_with('-') {
            return Err(NameError("a name of a host does not begin with a hyphen"));
        }
        for label in text.split('.') {
            if label.is_empty() {
                return Err(NameError("there is nothing between two dots of the name"));
            }
            if label.len() > LONGEST_LABEL {
                return Err(NameError("a part of the name is longer than 63 characters"));
            }
            if !label.bytes().all(is_of_hosts) {
                return Err(NameError(
                    "the name has a character that no name of a host has",
                ));
            }
        }
        Ok(Name {
            text: text.to_ascii_lowercase(),
            rooted,
        })
    }

    /// The name without a dot at its end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True if it is this machine's own name for itself (RFC 6761): no name server is asked.
    pub fn is_localhost(&self) -> bool {
        self.text == "localhost" || self.text.ends_with(".localhost")
    }

    /// The whole names to ask for, in this order. `search` is the list of domains to append; a name with `ndots` dots is
    /// first asked for as it is.
    pub fn candidates(&self, search: &[String], ndots: usize) -> Vec<String> {
        let dots = self.text.bytes().filter(|byte| *byte == b'.').count();
        if self.rooted || search.is_empty() {
            return vec![self.text.clone()];
        }
        let domains = search
            .iter()
            .map(|domain| format!("{}.{domain}", self.text));
        let mut candidates: Vec<_> = domains.filter(|name| name.len() <= LONGEST).collect();
        if dots >= ndots {
            candidates.insert(0, self.text.clone());
        } else if dots > 0 || candidates.is_empty() {
            candidates.push(self.text.clone());
        }
        // A single label that is to be searched for is no name of its own: nobody asks for top-level domains.
        candidates
    }
}

/// Why a text is no name of a host.
///
/// ```
/// let error = green_dns::Name::parse("no name").unwrap_err();
/// println!("{error}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameError(&'static str);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for NameError {}

/// The underscore is in no standard and in many names.
fn is_of_hosts(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_name() {
        let long = "a".repeat(64);
        let longest = [&"b".repeat(63); 3].map(String::as_str).join(".") + "." + &"c".repeat(61);
        assert_eq!(Name::parse(&longest).unwrap().text().len(), LONGEST);
        assert!(Name::parse(&format!("{longest}.")).is_ok());
        assert!(Name::parse(&format!("{longest}d")).is_err());
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            "a\0b",
            "-a",
            "a/b",
            "a..",
            &long,
            "a\\.b",
            "*.a",
            "\u{fdd0}.example",
            "a\u{3002}\u{3002}b",
        ] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
        for (good, text) in [
            ("A.Example", "a.example"),
            ("a_b.example.", "a_b.example"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("B\u{dc}CHER\u{3002}example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(Name::parse(good).unwrap().text(), text);
        }
    }

    #[test]
    fn where_names_are_looked_for() {
        let search = ["one.example".to_owned(), "two.example".to_owned()];
        let candidates = |host: &str, ndots| Name::parse(host).unwrap().candidates(&search, ndots);
        assert_eq!(candidates("www", 1), ["www.one.example", "www.two.example"]);
        assert_eq!(candidates("www.", 1), ["www"]);
        assert_eq!(
            candidates("a.b", 1),
            ["a.b", "a.b.one.example", "a.b.two.example"]
        );
        assert_eq!(
            candidates("a.b", 2),
            ["a.b.one.example", "a.b.two.example", "a.b"]
        );
        assert_eq!(candidates("www", 0)[0], "www");
        let name = Name::parse("www").unwrap();
        assert_eq!(name.candidates(&[], 1), ["www"]);
        let label = "a".repeat(60);
        let long = [&*label; 4].join(".");
        assert_eq!(candidates(&long, 9), [&*long]);
    }
}
