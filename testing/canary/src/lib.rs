//! Secrets that must never be seen: what a test looks for in everything that an SDK and a gateway say.
//!
//! [`Canary`] knows the forms in which a secret could turn up in a text, [`Secrets`] are the ones that a call
//! gets hold of, and [`OPERATIONS`] are all operations, through both clients. A new plane adds its operations
//! there, and every test that looks for secrets makes them.
//!
//! ```
//! let mut canary = ron_canary::Canary::default();
//! canary.hide("the key", b"0123456789abcdef");
//! assert!(canary.find(b"all is well").is_none());
//! let seen = canary.find(b"with the key MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
//! assert_eq!(seen.to_string(), "the key, as base64");
//! ```

mod forms;
mod operations;
mod secrets;

pub use operations::{Inputs, Made, Operation, OPERATIONS};
pub use secrets::{plan, Secrets};

use memchr::memmem;
use std::fmt;

/// A secret is looked for in pieces of this many bytes: one that was cut off is found all the same.
const PIECE: usize = 16;

/// Secrets, in every form.
#[derive(Default)]
pub struct Canary(Vec<Needle>);

struct Needle {
    secret: String,
    form: &'static str,
    text: Vec<u8>,
}

/// What was seen, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The name under which the secret was hidden.
    pub secret: String,
    /// Its form.
    pub form: &'static str,
}

impl Canary {
    /// Looks for these bytes too. They should be random, and at least 16: less is found by chance.
    pub fn hide(&mut self, secret: &str, bytes: &[u8]) {
        let whole_pieces = bytes.len() / PIECE * PIECE;
        let last = bytes.len().saturating_sub(PIECE);
        let starts = (0..whole_pieces).step_by(PIECE).chain([last]);
        for start in starts {
            let piece = &bytes[start..(start + PIECE).min(bytes.len())];
            let needle = |(form, text)| Needle {
                secret: secret.to_owned(),
                form,
                text,
            };
            self.0.extend(forms::of(piece).into_iter().map(needle));
        }
    }

    /// The first secret that is in the text, if there is one.
    pub fn find(&self, text: &[u8]) -> Option<Sighting> {
        let is_there = |text: &[u8], needle: &&Needle| memmem::find(text, &needle.text).is_some();
        let compact: Vec<u8> = text
            .iter()
            .copied()
            .filter(|b| !b.is_ascii_whitespace())
            .collect();
        let seen = self.0.iter().find(|needle| is_there(&compact, needle))?;
        Some(Sighting {
            secret: seen.secret.clone(),
            form: seen.form,
        })
    }

    /// Panics where the text has a secret, or where there is no text: then nobody has listened.
    #[allow(clippy::panic)] // it is for tests
    pub fn assert_absent(&self, place: &str, text: &[u8]) {
        assert!(!text.is_empty(), "{place}: nothing was said");
        if let Some(seen) = self.find(text) {
            panic!("{place}: {seen}");
        }
    }
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, as {}", self.secret, self.form)
    }
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canary({} forms)", self.0.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use base64::Engine as _;

    /// A form that a text could have, made in another way than the needles.
    type Show = fn(&[u8]) -> String;

    const SHOWN: [(&str, Show); 10] = [
        ("base64", |bytes| STANDARD.encode(bytes)),
        ("base64url", |bytes| URL_SAFE_NO_PAD.encode(bytes)),
        ("hex", |bytes| {
            bytes.iter().map(|b| format!("{b:02x}")).collect()
        }),
        ("HEX", |bytes| {
            bytes.iter().map(|b| format!("{b:02X}")).collect()
        }),
        ("hex of a dump", |bytes| {
            bytes.iter().map(|b| format!("{b:02x} ")).collect()
        }),
        ("Debug", |bytes| format!("{bytes:?}")),
        ("Debug in hex", |bytes| format!("{bytes:02x?}")),
        ("pretty Debug", |bytes| format!("{bytes:#?}")),
        ("Debug of Bytes", |bytes| {
            format!("{:?}", bytes::Bytes::copy_from_slice(bytes))
        }),
        ("escaped", |bytes| bytes.escape_ascii().to_string()),
    ];

    #[test]
    fn a_secret_is_found_in_every_form_at_every_place() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut noise = |len: usize| -> Vec<u8> { (0..len).map(|_| random.u8(..)).collect() };
        for round in 0..60 {
            let secret = noise(32);
            let mut canary = Canary::default();
            canary.hide("it", &secret);
            let around = [noise(round % 7), secret.clone(), noise(round % 5)].concat();
            for (form, show) in SHOWN {
                let text = show(&around);
                assert!(canary.find(text.as_bytes()).is_some(), "{form}: {text}");
                let cut = &show(&secret[..PIECE]);
                assert!(canary.find(cut.as_bytes()).is_some(), "{form}: {cut}");
                assert!(canary.find(show(&noise(400)).as_bytes()).is_none());
            }
            assert!(canary.find(&around).is_some(), "raw");
        }
    }

    #[test]
    fn the_end_of_a_secret_is_looked_for_too() {
        let mut canary = Canary::default();
        canary.hide("it", b"0123456789abcdefghijklmn");
        assert!(canary.find(b"89abcdefghijklmn").is_some());
        assert!(canary.find(b"789abcdefghijklm").is_none());
    }

    #[test]
    #[should_panic(expected = "the log: nothing was said")]
    fn nothing_at_all_is_suspicious() {
        Canary::default().assert_absent("the log", b"");
    }
}
