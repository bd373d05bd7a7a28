//! What stands behind the `?` of a request.

use green_http::{Body, Request};

/// Names and values, decoded.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn of(request: &Request<Body>) -> Parameters {
        Parameters::new(request.uri().query().unwrap_or(""))
    }

    fn new(text: &str) -> Parameters {
        Parameters(
            form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The first value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The same, if it is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_numbers_read() {
        let query = Parameters::new("search=a+b%2Fc&id=7&seconds=-1&id=8");
        assert_eq!(query.get("search"), Some("a b/c"));
        assert_eq!(query.number("id"), Some(7));
        assert_eq!(query.number("seconds"), None);
        assert_eq!(query.get("other"), None);
        assert_eq!(Parameters::new("").get(""), None);
    }
}
