//! Reports as JSON, to keep and to compare.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{FORMAT, Report};

impl Report {
    /// The report as JSON.
    ///
    /// # Errors
    /// If a number in it is none.
    pub fn to_json(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// A report that was written by [`to_json`](Report::to_json).
    ///
    /// # Errors
    /// `InvalidData` if it is no report, or one of another format.
    pub fn from_json(text: &str) -> io::Result<Report> {
        let invalid = |what: String| io::Error::new(ErrorKind::InvalidData, what);
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => {
                return Err(invalid(format!("its format is {format}, not {FORMAT}")));
            }
            None => return Err(invalid("it is no report of hub-bench".into())),
        }
        serde_json::from_value(value).map_err(|error| invalid(error.to_string()))
    }

    /// Reads a report from a file.
    ///
    /// # Errors
    /// If it cannot be read, and as [`from_json`](Report::from_json). The error names the file.
    pub fn read(path: impl AsRef<Path>) -> io::Result<Report> {
        let path = path.as_ref();
        fs::read_to_string(path)
            .and_then(|text| Report::from_json(&text))
            .map_err(|error| {
                io::Error::new(error.kind(), format!("reading {}: {error}", path.display()))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn a_report_survives_its_json() {
        let report = report();
        let json = report.to_json().unwrap();
        assert_eq!(Report::from_json(&json).unwrap(), report);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for text in ["", "{}", "[1]", "{\"format\": 1}", "{\"format\": 999}"] {
            let error = Report::from_json(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{text:?}: {error}");
        }
        let error = Report::from_json("{\"format\": 999}").unwrap_err();
        assert!(error.to_string().contains("999"), "{error}");
        let error = Report::read("/no/such/report.json").unwrap_err();
        assert!(error.to_string().contains("/no/such/report.json"));
    }
}
