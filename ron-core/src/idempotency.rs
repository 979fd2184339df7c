//! Idempotency keys: one per logical mutation, the same on every attempt.

use crate::error::{ErrorKind, SdkError};
use crate::text;
use crate::wipe::wipe;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// The longest idempotency key in bytes.
pub const MAX_IDEM_KEY: usize = 64;

/// The key under which a gateway recognises a mutation that it has already executed: 1 to 64 characters
/// of `A-Z a-z 0-9 . _ : ~ -`.
///
/// A key is a secret: whoever knows it could learn the result of somebody's call. `Debug` does not
/// show it. Cloning is cheap, and its bytes are wiped when the last clone is dropped.
///
/// ```
/// use ron_app_sdk::IdemKey;
///
/// let key = IdemKey::new("invoice-2024-0001")?;
/// assert_eq!(format!("{key:?}"), "IdemKey(redacted)");
/// # Ok::<(), ron_app_sdk::IdemKeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
// In one place, wherever the key is moved to: moving bytes would leave copies of them behind.
pub struct IdemKey(Arc<Text>);

/// The characters, and how many there are.
#[derive(PartialEq, Eq)]
struct Text {
    bytes: [u8; MAX_IDEM_KEY],
    len: u8,
}

impl Drop for Text {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

impl IdemKey {
    /// A key of the application's own, which lets a mutation be repeated by another process.
    ///
    /// # Errors
    /// [`IdemKeyError`] where the text breaks a rule.
    pub fn new(text: &str) -> Result<Self, IdemKeyError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte);
        let errors = (IdemKeyError::Length, IdemKeyError::Character);
        text::check_characters(text, MAX_IDEM_KEY, is_allowed, errors)?;
        Ok(Self::written(text.len(), |bytes| {
            bytes.copy_from_slice(text.as_bytes());
        }))
    }

    /// A fresh key of 128 random bits, as 32 hexadecimal digits.
    ///
    /// # Errors
    /// Where the operating system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let key = Self::written(2 * random.len(), |bytes| {
            for (pair, byte) in bytes.chunks_exact_mut(2).zip(random) {
                pair[0] = DIGITS[usize::from(byte >> 4)];
                pair[1] = DIGITS[usize::from(byte & 15)];
            }
        });
        wipe(&mut random);
        Ok(key)
    }

    /// A key of up to 64 bytes, written where it stays: what is moved leaves a copy behind.
    fn written(len: usize, write: impl FnOnce(&mut [u8])) -> Self {
        let mut key = Arc::new(Text {
            bytes: [0; MAX_IDEM_KEY],
            len: len as u8,
        });
        if let Some(text) = Arc::get_mut(&mut key) {
            write(&mut text.bytes[..len]);
        }
        Self(key)
    }

    /// A fresh key, for a call.
    pub(crate) fn fresh() -> Result<Self, SdkError> {
        Self::random()
            .map_err(|error| SdkError::new(ErrorKind::Internal, format!("no randomness: {error}")))
    }

    /// The key itself. Keep it out of logs.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.0.bytes[..usize::from(self.0.len)]).unwrap_or_default()
    }
}

impl fmt::Debug for IdemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdemKey(redacted)")
    }
}

impl Serialize for IdemKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for IdemKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "an idempotency key", Self::new)
    }
}

/// Why a text is not an [`IdemKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdemKeyError {
    /// Empty or too long.
    #[error("an idempotency key has 1 to {MAX_IDEM_KEY} characters, this one has {0}")]
    Length(usize),
    /// A character outside of the allowed ones.
    #[error("an idempotency key has only the characters A-Z a-z 0-9 . _ : ~ -")]
    Character,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_hold_at_their_bounds() {
        assert!(IdemKey::new(&"k".repeat(64)).is_ok());
        assert_eq!(IdemKey::new(&"k".repeat(65)), Err(IdemKeyError::Length(65)));
        assert_eq!(IdemKey::new(""), Err(IdemKeyError::Length(0)));
        assert_eq!(IdemKey::new("a b"), Err(IdemKeyError::Character));
        assert_eq!(IdemKey::new("a\"b"), Err(IdemKeyError::Character));
        assert_eq!(IdemKey::new("ä"), Err(IdemKeyError::Character));
    }

    #[test]
    fn random_keys_differ_and_are_valid() {
        let key = IdemKey::random().unwrap();
        assert_eq!(IdemKey::new(key.expose()).unwrap(), key);
        assert_eq!(key.expose().len(), 32);
        assert_ne!(IdemKey::random().unwrap(), key);
    }

    #[test]
    fn debug_and_errors_do_not_show_it() {
        let key = IdemKey::new("canary-key").unwrap();
        assert!(!format!("{key:?}").contains("canary"));
        let error = serde_json::from_str::<IdemKey>(r#""canary key""#).unwrap_err();
        assert!(!error.to_string().contains("canary"));
    }
}
