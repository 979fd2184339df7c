//! What the runner and an agent say to each other: one line each way, of fields that tabs separate.
//!
//! The first field is a verb; the others are `name=value`, where every byte of the value that is not printable ASCII,
//! and each `%`, is written as `%` and two hexadecimal digits. A language needs no library to speak it.

use percent_encoding::{percent_decode_str, percent_encode, AsciiSet, CONTROLS};
use std::fmt;

const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');
/// Bodies up to here are written out, longer ones by their pattern.
const WRITTEN_OUT: usize = 256;

/// A line: a request, or what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) verb: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Line {
    pub(crate) fn new(verb: &str) -> Self {
        Self {
            verb: verb.to_owned(),
            fields: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.fields.push((name.into(), value.to_string()));
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Those whose names begin with a text, without it.
    pub(crate) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let fields = self.fields.iter();
        fields.filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.trim_end_matches(['\r', '\n']).split('\t');
        let mut line = Self::new(parts.next().unwrap_or_default());
        for part in parts {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("no field: {part:?}"))?;
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|error| error.to_string())?;
            line.fields.push((name.to_owned(), value.into_owned()));
        }
        Ok(line)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.verb)?;
        for (name, value) in &self.fields {
            write!(f, "\t{name}={}", percent_encode(value.as_bytes(), ESCAPED))?;
        }
        Ok(())
    }
}

/// The bytes that a text stands for: `text:` and a text, `hex:` and digits, or `pattern:` and a number of bytes, of
/// which the one at place `i` is `i % 251`.
pub(crate) fn body(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("no body: {text:?}");
    match text.split_once(':') {
        Some(("text", text)) => Ok(text.as_bytes().to_vec()),
        Some(("hex", digits)) if digits.len() % 2 == 0 && digits.is_ascii() => (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong()))
            .collect(),
        Some(("pattern", len)) => Ok(pattern(len.parse().map_err(|_| wrong())?)),
        _ => Err(wrong()),
    }
}

/// How a reply writes a body: that of up to 256 bytes as `hex:`, a longer one as `pattern:` where it is one.
pub(crate) fn body_text(body: &[u8]) -> String {
    if body.len() > WRITTEN_OUT && body == pattern(body.len()) {
        return format!("pattern:{}", body.len());
    }
    let digits: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("hex:{digits}")
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_was() {
        let line = Line::new("mailbox_send")
            .with("topic", "orders")
            .with("attribute.a", "50 %\tof ü\n");
        let text = line.to_string();
        assert_eq!(
            text,
            "mailbox_send\ttopic=orders\tattribute.a=50%20%25%09of%20%C3%BC%0A"
        );
        assert_eq!(Line::parse(&format!("{text}\n")).unwrap(), line);
        assert_eq!(line.under("attribute.").count(), 1);
        assert!(Line::parse("verb\tfield").is_err());
    }

    #[test]
    fn bodies_have_three_ways_to_be_written() {
        for (text, bytes) in [
            ("text:hé", "hé".as_bytes()),
            ("hex:00fF", &[0, 255]),
            ("pattern:3", &[0, 1, 2]),
        ] {
            assert_eq!(body(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "hex:0", "hex:zz", "hex:é1", "pattern:x", "other:1"] {
            assert!(body(text).is_err(), "{text}");
        }
        assert_eq!(body_text(b"\x00\xff"), "hex:00ff");
        assert_eq!(body_text(&body("pattern:70000").unwrap()), "pattern:70000");
        assert!(body_text(&[1; 300]).starts_with("hex:0101"));
    }
}
