//! Texts that have rules: how they are read from a DTO.

use serde::de::{Deserializer, Error, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Reads a text and checks it. The error says what was expected or which rule was broken; it repeats the text
/// only where the check's own error does.
pub(crate) fn deserialize<'de, D, T, E>(
    deserializer: D,
    expected: &'static str,
    check: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    deserializer.deserialize_str(Text {
        expected,
        check,
        result: PhantomData,
    })
}

struct Text<F, T> {
    expected: &'static str,
    check: F,
    result: PhantomData<T>,
}

impl<T, E: fmt::Display, F: FnOnce(&str) -> Result<T, E>> Visitor<'_> for Text<F, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<R: Error>(self, text: &str) -> Result<T, R> {
        (self.check)(text).map_err(R::custom)
    }
}

/// Checks a text's length in bytes and its characters; the errors are for the two.
pub(crate) fn check_characters<E>(
    text: &str,
    most: usize,
    is_allowed: impl Fn(u8) -> bool,
    (length, character): (impl FnOnce(usize) -> E, E),
) -> Result<(), E> {
    if text.is_empty() || text.len() > most {
        return Err(length(text.len()));
    }
    if text.bytes().all(is_allowed) {
        Ok(())
    } else {
        Err(character)
    }
}
