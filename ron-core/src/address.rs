//! `AddrB3`: the address of an object is the BLAKE3 hash of its bytes.

use crate::text;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;
use std::str::FromStr;

const PREFIX: &str = "b3:";
const HEX_DIGITS: usize = 64;
/// The bytes of an address's text form.
pub(crate) const TEXT_LEN: usize = PREFIX.len() + HEX_DIGITS;

/// The two digits of each byte.
const PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (mut pairs, mut byte) = ([[0; 2]; 256], 0);
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

const EXPECTED: &str = "an address (b3: and 64 lowercase hexadecimal digits)";

/// What each byte is worth as a digit; above 15 where it is none.
const DIGIT: [u8; 256] = {
    let (mut values, mut byte) = ([0xff; 256], 0u8);
    loop {
        values[byte as usize] = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => 0xff,
        };
        if byte == u8::MAX {
            break values;
        }
        byte += 1;
    }
};

/// The BLAKE3 address of an object: `b3:` and 64 lowercase hexadecimal digits.
///
/// ```
/// use ron_app_sdk::AddrB3;
///
/// let address = AddrB3::of(b"hello");
/// assert_eq!(
///     address.to_string(),
///     "b3:ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"
/// );
/// assert_eq!(address.to_string().parse(), Ok(address));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddrB3([u8; 32]);

impl AddrB3 {
    /// The address of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Computes the address of bytes that come in parts.
    pub fn hasher() -> AddressHasher {
        AddressHasher(blake3::Hasher::new())
    }

    /// The address with this digest.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn from_text(text: &[u8]) -> Result<Self, AddressError> {
        let hex = text.strip_prefix(PREFIX.as_bytes());
        let hex = hex.ok_or(AddressError::Prefix)?;
        if hex.len() != HEX_DIGITS {
            return Err(AddressError::Length(hex.len()));
        }
        let (mut digest, mut all) = ([0; 32], 0);
        for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
            let (high, low) = (DIGIT[usize::from(pair[0])], DIGIT[usize::from(pair[1])]);
            *byte = high << 4 | low & 15;
            all |= high | low;
        }
        if all > 15 {
            return Err(AddressError::Digit);
        }
        Ok(Self(digest))
    }

    /// The text form, on the stack.
    pub(crate) fn text(&self) -> AddressText {
        let mut text = [0; TEXT_LEN];
        text[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        for (pair, byte) in text[PREFIX.len()..].chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&PAIRS[usize::from(byte)]);
        }
        AddressText(text)
    }
}

/// The text form of an address.
pub(crate) struct AddressText([u8; TEXT_LEN]);

impl AddressText {
    pub(crate) fn as_str(&self) -> &str {
        // ASCII alone was written.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Computes an [`AddrB3`] from bytes that are written to it.
#[derive(Clone, Debug)]
pub struct AddressHasher(blake3::Hasher);

impl AddressHasher {
    /// The address of what was written.
    pub fn finish(&self) -> AddrB3 {
        AddrB3(*self.0.finalize().as_bytes())
    }
}

/// The hash of a body that is still growing.
pub(crate) struct RunningHash {
    hasher: blake3::Hasher,
    len: usize,
}

impl RunningHash {
    pub(crate) fn new() -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            len: 0,
        }
    }

    /// Catches up with a body, which begins with what it began with the last time. Only whole windows are taken:
    /// what ends elsewhere is hashed at half the speed.
    pub(crate) fn catch_up(&mut self, body: &[u8]) {
        const WINDOW: usize = 64 * 1024;
        let end = body.len() / WINDOW * WINDOW;
        if let Some(new) = body.get(self.len..end) {
            self.hasher.update(new);
            self.len = end;
        }
    }

    /// The address of the complete body; `None` where it is shorter than it has been.
    pub(crate) fn finish(mut self, body: &[u8]) -> Option<AddrB3> {
        self.hasher.update(body.get(self.len..)?);
        Some(AddrB3(*self.hasher.finalize().as_bytes()))
    }
}

impl io::Write for AddressHasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for AddrB3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl fmt::Debug for AddrB3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AddrB3 {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::from_text(text.as_bytes())
    }
}

impl Serialize for AddrB3 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text().as_str())
    }
}

impl<'de> Deserialize<'de> for AddrB3 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, EXPECTED, str::parse)
    }
}

/// Reads an address from a DTO. Every byte of it is checked here: to look for escapes and UTF-8 before is lost.
pub(crate) fn deserialize_in_dto<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<AddrB3, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = AddrB3;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(EXPECTED)
        }

        fn visit_bytes<E: serde::de::Error>(self, text: &[u8]) -> Result<AddrB3, E> {
            AddrB3::from_text(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_bytes(Text)
}

/// Why a text is not an [`AddrB3`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not start with `b3:`.
    #[error("an address starts with b3:")]
    Prefix,
    /// Not 64 digits after the prefix.
    #[error("an address has 64 hexadecimal digits after b3:, this one has {0}")]
    Length(usize),
    /// A character other than `0-9` and `a-f`.
    #[error("an address has only the digits 0-9 and a-f after b3:")]
    Digit,
}

/// An object's address as an argument: an [`AddrB3`], or a text that is checked when the call starts.
#[derive(Clone, Copy, Debug)]
pub struct Address(pub(crate) Result<AddrB3, AddressError>);

impl From<AddrB3> for Address {
    fn from(address: AddrB3) -> Self {
        Self(Ok(address))
    }
}

impl From<&AddrB3> for Address {
    fn from(address: &AddrB3) -> Self {
        Self(Ok(*address))
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        Self(text.parse())
    }
}

impl From<&String> for Address {
    fn from(text: &String) -> Self {
        Self(text.parse())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn malformed_texts_are_refused_with_the_rule() {
        let good = AddrB3::of(b"x").to_string();
        let parse = |text: &str| text.parse::<AddrB3>();
        assert_eq!(parse("sha256:00"), Err(AddressError::Prefix));
        assert_eq!(parse("b3:00"), Err(AddressError::Length(2)));
        assert_eq!(parse(&good.to_uppercase()), Err(AddressError::Prefix));
        assert_eq!(
            parse(&format!("b3:{}", "F".repeat(64))),
            Err(AddressError::Digit)
        );
        assert_eq!(parse(&format!("{good} ")), Err(AddressError::Length(65)));
        assert_eq!(
            parse(&format!("b3:{}", "é".repeat(32))),
            Err(AddressError::Digit)
        );
    }

    proptest! {
        #[test]
        fn a_running_hash_is_that_of_the_whole(
            body in (0usize..200_000).prop_map(|len| vec![7; len]),
            steps in proptest::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut hash = RunningHash::new();
            let mut ends: Vec<usize> = steps.iter().map(|step| step.index(body.len() + 1)).collect();
            ends.sort_unstable();
            for end in &ends {
                hash.catch_up(&body[..*end]);
            }
            prop_assert_eq!(hash.finish(&body), Some(AddrB3::of(&body)));
            let mut hash = RunningHash::new();
            hash.catch_up(&body);
            prop_assert_eq!(hash.finish(&[]).is_none(), body.len() >= 64 * 1024);
        }

        #[test]
        fn text_round_trips(digest: [u8; 32]) {
            let address = AddrB3::from_digest(digest);
            prop_assert_eq!(address.to_string().parse::<AddrB3>().unwrap(), address);
            let json = serde_json::to_string(&address).unwrap();
            prop_assert_eq!(serde_json::from_str::<AddrB3>(&json).unwrap(), address);
        }

        #[test]
        fn arbitrary_text_never_panics(text: String) {
            let _ = text.parse::<AddrB3>();
        }
    }
}
