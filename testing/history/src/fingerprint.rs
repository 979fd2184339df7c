//! `Fingerprint`: what stands in a history for bytes that are too long or too secret for it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The first 16 bytes of a BLAKE3 digest: equal for equal bytes, and telling nothing else of them.
///
/// Bodies, values, leases, idempotency keys and receive identifiers appear in a history as this alone,
/// so that a history can be kept and shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::hash(bytes.as_ref()).as_bytes()[..16]);
        Self(short)
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 32 hexadecimal digits")]
pub struct NotAFingerprint;

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u128::from_str_radix(text, 16) {
            Ok(number) if text.len() == 32 && is_hexadecimal => Ok(Self(number.to_be_bytes())),
            _ => Err(NotAFingerprint),
        }
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_prefix_of_the_digest_and_reads_what_it_writes() {
        let fingerprint = Fingerprint::of(b"");
        // The empty input of BLAKE3's test vectors.
        assert_eq!(fingerprint.to_string(), "af1349b9f5f9a1a6a0404dea36dcc949");
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_ne!(fingerprint, Fingerprint::of("a"));
    }

    #[test]
    fn other_texts_are_refused() {
        let digits = "af1349b9f5f9a1a6a0404dea36dcc949";
        let signed = format!("+{}", &digits[1..]);
        for text in ["", &digits[1..], &format!("{digits}0"), &signed] {
            assert_eq!(text.parse::<Fingerprint>(), Err(NotAFingerprint), "{text}");
        }
    }
}
