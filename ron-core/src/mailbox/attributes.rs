//! What a message says beside its body.

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt;

/// The most attributes of one message.
pub const MAX_ATTRIBUTES: usize = 16;
/// The longest name of an attribute in bytes.
const MAX_NAME: usize = 64;
/// The longest value of an attribute in bytes.
const MAX_VALUE: usize = 1024;
/// The most bytes of one message's attributes, names and values together.
pub const MAX_ATTRIBUTE_BYTES: usize = 4096;

/// A message's attributes: names of 1 to 64 characters of `a-z 0-9 . _ -` with values of at most 1,024 bytes
/// of UTF-8 without control characters; at most 16 of them, and 4,096 bytes of names and values in all.
///
/// `Debug` shows the names alone.
///
/// ```
/// use ron_app_sdk::Attributes;
///
/// let mut attributes = Attributes::default();
/// attributes.insert("content-type", "text/plain")?;
/// assert_eq!(attributes.get("content-type"), Some("text/plain"));
/// # Ok::<(), ron_app_sdk::AttributeError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    values: BTreeMap<String, String>,
    bytes: usize,
}

impl Attributes {
    /// Adds an attribute, or replaces the one of that name.
    ///
    /// # Errors
    /// [`AttributeError`] names the rule that it breaks; nothing has changed then.
    pub fn insert(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), AttributeError> {
        let (name, value) = (name.into(), value.into());
        let is_allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_allowed) {
            return Err(AttributeError::Name);
        }
        if value.len() > MAX_VALUE {
            return Err(AttributeError::ValueLength(value.len()));
        }
        // They would take six bytes each in a meta.
        if value.contains(char::is_control) {
            return Err(AttributeError::ControlCharacter);
        }
        let replaced = self.values.get(&name).map(|old| name.len() + old.len());
        let bytes = self.bytes - replaced.unwrap_or(0) + name.len() + value.len();
        if bytes > MAX_ATTRIBUTE_BYTES {
            return Err(AttributeError::TooLong(bytes));
        }
        if replaced.is_none() && self.values.len() == MAX_ATTRIBUTES {
            return Err(AttributeError::TooMany);
        }
        self.values.insert(name, value);
        self.bytes = bytes;
        Ok(())
    }

    /// The value of the attribute with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// All attributes, in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let values = self.values.iter();
        values.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attributes")?;
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.values)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("attributes: an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
                let mut attributes = Attributes::default();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if let Entry::Occupied(_) = attributes.values.entry(name.clone()) {
                        return Err(A::Error::custom("an attribute comes twice"));
                    }
                    attributes.insert(name, value).map_err(A::Error::custom)?;
                }
                Ok(attributes)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// Why a message cannot have an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// The name breaks its rule.
    #[error("an attribute's name has 1 to {MAX_NAME} characters of a-z 0-9 . _ -")]
    Name,
    /// The value is too long.
    #[error("an attribute's value has at most {MAX_VALUE} bytes, this one has {0}")]
    ValueLength(usize),
    /// The value has a control character.
    #[error("an attribute's value has no control characters")]
    ControlCharacter,
    /// There are enough.
    #[error("a message has at most {MAX_ATTRIBUTES} attributes")]
    TooMany,
    /// All of them together are too long.
    #[error(
        "a message's attributes have at most {MAX_ATTRIBUTE_BYTES} bytes in all, these have {0}"
    )]
    TooLong(usize),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::oap::MAX_META;

    #[test]
    fn the_rules_hold_at_their_bounds() {
        let mut attributes = Attributes::default();
        for (name, value, error) in [
            ("", "", AttributeError::Name),
            ("Name", "", AttributeError::Name),
            (&*"n".repeat(65), "", AttributeError::Name),
            ("n", &*"v".repeat(1025), AttributeError::ValueLength(1025)),
            ("n", "a\nb", AttributeError::ControlCharacter),
        ] {
            assert_eq!(
                attributes.insert(name, value),
                Err(error),
                "{name:?} {value:?}"
            );
        }
        attributes.insert("n".repeat(64), "v".repeat(1024)).unwrap();
        for number in 0..15 {
            attributes.insert(number.to_string(), "").unwrap();
        }
        assert_eq!(attributes.insert("more", ""), Err(AttributeError::TooMany));
        attributes.insert("0", "replaced").unwrap();
        assert_eq!(
            (attributes.get("0"), attributes.len()),
            (Some("replaced"), 16)
        );
    }

    #[test]
    fn their_bytes_are_bounded_and_fit_a_meta_however_they_are_escaped() {
        let mut attributes = Attributes::default();
        for name in ["a", "b", "c"] {
            attributes.insert(name, "\"".repeat(1024)).unwrap();
        }
        let rest = MAX_ATTRIBUTE_BYTES - 3 * 1025 - 1;
        let error = attributes.insert("d", "\"".repeat(rest + 1));
        assert_eq!(error, Err(AttributeError::TooLong(MAX_ATTRIBUTE_BYTES + 1)));
        attributes.insert("d", "\"".repeat(rest)).unwrap();
        attributes.insert("d", "\"".repeat(rest)).unwrap();
        let json = serde_json::to_vec(&attributes).unwrap();
        assert!(json.len() < MAX_META / 2 + 100, "{}", json.len());
        assert_eq!(
            serde_json::from_slice::<Attributes>(&json).unwrap(),
            attributes
        );
    }

    #[test]
    fn what_comes_twice_or_breaks_a_rule_is_refused() {
        for text in [r#"{"a":"1","a":"2"}"#, r#"{"A":"1"}"#, r#"{"a":1}"#, "[]"] {
            assert!(serde_json::from_str::<Attributes>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_names_alone() {
        let mut attributes = Attributes::default();
        attributes.insert("name", "canary").unwrap();
        assert_eq!(format!("{attributes:?}"), r#"Attributes{"name"}"#);
    }
}
