//! What a gateway knows a token by: `v1:<key id>:<subject>:<token id>`.

use std::fmt;

const VERSION: &str = "v1";
const MAX_KEY_ID: usize = 32;
const MAX_SUBJECT: usize = 64;
const MAX_TOKEN_ID: usize = 64;

/// A token's identifier, taken apart. Each part is one or more of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identifier<'a> {
    key_id: &'a str,
    subject: &'a str,
    token_id: &'a str,
}

impl<'a> Identifier<'a> {
    /// An identifier of these parts: at most 32 bytes of key id, 64 of subject and 64 of token id.
    ///
    /// # Errors
    /// Where a part breaks its rule.
    pub fn new(
        key_id: &'a str,
        subject: &'a str,
        token_id: &'a str,
    ) -> Result<Self, IdentifierError> {
        check("key id", key_id, MAX_KEY_ID)?;
        check("subject", subject, MAX_SUBJECT)?;
        check_token_id(token_id)?;
        Ok(Self {
            key_id,
            subject,
            token_id,
        })
    }

    /// Reads an identifier.
    ///
    /// # Errors
    /// Where it is not exactly one in version 1.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, IdentifierError> {
        let text = std::str::from_utf8(bytes).map_err(|_| IdentifierError::Form)?;
        let mut parts = text.split(':');
        let (version, key_id, subject, token_id, rest) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        );
        match (version, key_id, subject, token_id, rest) {
            (Some(VERSION), Some(key_id), Some(subject), Some(token_id), None) => {
                Self::new(key_id, subject, token_id)
            }
            _ => Err(IdentifierError::Form),
        }
    }

    /// Which root key it was minted with.
    pub const fn key_id(&self) -> &'a str {
        self.key_id
    }

    /// Whom it was given to.
    pub const fn subject(&self) -> &'a str {
        self.subject
    }

    /// What it is revoked by.
    pub const fn token_id(&self) -> &'a str {
        self.token_id
    }
}

impl fmt::Display for Identifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{VERSION}:{}:{}:{}",
            self.key_id, self.subject, self.token_id
        )
    }
}

/// Why something is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// It is not in the form of version 1.
    #[error("the identifier is not v1:<key id>:<subject>:<token id>")]
    Form,
    /// A part of it breaks its rule.
    #[error("the {part} is not 1 to {longest} of A-Z a-z 0-9 . _ -")]
    Part {
        /// Which one.
        part: &'static str,
        /// How many bytes it has at most.
        longest: usize,
    },
}

pub(super) fn check_key_id(key_id: &str) -> Result<(), IdentifierError> {
    check("key id", key_id, MAX_KEY_ID)
}

pub(super) fn check_token_id(token_id: &str) -> Result<(), IdentifierError> {
    check("token id", token_id, MAX_TOKEN_ID)
}

fn check(part: &'static str, text: &str, longest: usize) -> Result<(), IdentifierError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.is_empty() || text.len() > longest || !text.bytes().all(allowed) {
        return Err(IdentifierError::Part { part, longest });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_written_as_it_is_read() {
        let text = "v1:k-1:Alice_2.example:00ff";
        let identifier = Identifier::parse(text.as_bytes()).unwrap();
        assert_eq!(identifier.subject(), "Alice_2.example");
        assert_eq!(
            (identifier.key_id(), identifier.token_id()),
            ("k-1", "00ff")
        );
        assert_eq!(identifier.to_string(), text);
    }

    #[test]
    fn anything_else_is_refused() {
        let long = |key: usize, subject: usize, token: usize| {
            let part = |len| "x".repeat(len);
            format!("v1:{}:{}:{}", part(key), part(subject), part(token))
        };
        assert!(Identifier::parse(long(32, 64, 64).as_bytes()).is_ok());
        for bad in [
            "",
            "v1",
            "v1:k:s",
            "v1:k:s:t:",
            "v1:k:s:t:x",
            "v2:k:s:t",
            "V1:k:s:t",
            " v1:k:s:t",
            "v1::s:t",
            "v1:k::t",
            "v1:k:s:",
            "v1:k:a b:t",
            "v1:k:é:t",
            "v1:k:s/..:t",
            "v1:k:s:t\n",
            &long(33, 1, 1),
            &long(1, 65, 1),
            &long(1, 1, 65),
        ] {
            assert!(Identifier::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Identifier::parse(b"v1:k:\xff:t").is_err());
    }
}
