//! The index: names of addresses.

use crate::address::AddrB3;
use crate::text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest index key in bytes.
pub const MAX_INDEX_KEY: usize = 253;

/// A name in the index: 1 to 253 characters of `a-z 0-9 . _ -`, without a dot at its beginning or end.
/// Cloning is cheap.
///
/// ```
/// use ron_app_sdk::IndexKey;
///
/// let key: IndexKey = "releases.latest".parse()?;
/// assert_eq!(key.as_str(), "releases.latest");
/// # Ok::<(), ron_app_sdk::IndexKeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexKey(Arc<str>);

impl IndexKey {
    /// Checks a text.
    ///
    /// # Errors
    /// [`IndexKeyError`] names the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, IndexKeyError> {
        let is_allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let errors = (IndexKeyError::Length, IndexKeyError::Character);
        text::check_characters(text, MAX_INDEX_KEY, is_allowed, errors)?;
        if text.starts_with('.') || text.ends_with('.') {
            return Err(IndexKeyError::Dot);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IndexKey {
    type Err = IndexKeyError;

    fn from_str(text: &str) -> Result<Self, IndexKeyError> {
        Self::new(text)
    }
}

impl fmt::Display for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for IndexKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for IndexKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "an index key", Self::new)
    }
}

/// Why a text is not an [`IndexKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexKeyError {
    /// Empty or too long.
    #[error("an index key has 1 to {MAX_INDEX_KEY} characters, this one has {0}")]
    Length(usize),
    /// A character outside of the allowed ones.
    #[error("an index key has only the characters a-z 0-9 . _ -")]
    Character,
    /// A dot at the beginning or the end.
    #[error("an index key has no dot at its beginning or end")]
    Dot,
}

/// What a publish expects a name to stand for before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// For nothing yet.
    Absent,
    /// For this address.
    Address(AddrB3),
}

const ABSENT: &str = "absent";

impl From<AddrB3> for Expected {
    fn from(address: AddrB3) -> Self {
        Self::Address(address)
    }
}

impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_str(ABSENT),
            Self::Address(address) => address.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "an address or absent", |text| match text {
            ABSENT => Ok(Self::Absent),
            address => address.parse().map(Self::Address),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_hold_at_their_bounds() {
        let long = "k".repeat(MAX_INDEX_KEY);
        for key in ["a", "a.b", "a..b", "_-", &long] {
            assert_eq!(IndexKey::new(key).unwrap().as_str(), key);
        }
        for (key, error) in [
            ("", IndexKeyError::Length(0)),
            (&*format!("{long}k"), IndexKeyError::Length(254)),
            ("a/b", IndexKeyError::Character),
            ("A", IndexKeyError::Character),
            (".a", IndexKeyError::Dot),
            ("a.", IndexKeyError::Dot),
            (".", IndexKeyError::Dot),
        ] {
            assert_eq!(IndexKey::new(key), Err(error), "{key:?}");
        }
    }

    #[test]
    fn what_is_expected_travels_as_a_text() {
        let address = AddrB3::of(b"");
        for (expected, text) in [
            (Expected::Absent, "\"absent\"".to_owned()),
            (Expected::Address(address), format!("\"{address}\"")),
        ] {
            assert_eq!(serde_json::to_string(&expected).unwrap(), text);
            assert_eq!(serde_json::from_str::<Expected>(&text).unwrap(), expected);
        }
        assert!(serde_json::from_str::<Expected>("\"nothing\"").is_err());
    }
}
