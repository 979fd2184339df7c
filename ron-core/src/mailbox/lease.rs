//! Leases: the right to acknowledge one delivery of a message.

use super::Topic;
use crate::text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// The longest message id or lease token in bytes.
const MAX_TOKEN: usize = 128;

/// A message's id or a lease's token: 1 to 128 characters of `A-Z a-z 0-9 . _ : ~ -`, made by a gateway.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(Arc<str>);

impl Token {
    /// Checks a text; `None` where it breaks the rule.
    pub fn new(text: &str) -> Option<Self> {
        Self::check(text).ok().map(|()| Self(text.into()))
    }

    /// Whether a text is one; the error is the rule.
    pub(crate) fn check(text: &str) -> Result<(), &'static str> {
        const RULE: &str = "it is not 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -";
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:~-".contains(&b);
        text::check_characters(text, MAX_TOKEN, is_allowed, (|_| RULE, RULE))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Nothing: a lease's token is a secret, and this may be one.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "an id or a lease", |text| {
            Self::check(text).map(|()| Self(text.into()))
        })
    }
}

/// The right to acknowledge, give back or keep one delivery of a message. It ends when the message is
/// delivered again, given back, or given up after its last delivery: after that the gateway refuses it as `StaleLease`,
/// and the message stays where it is.
///
/// Whoever has it can act on the message: `Debug` does not show its token. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    pub(crate) topic: Topic,
    pub(crate) id: Token,
    pub(crate) lease: Token,
}

impl Lease {
    /// The lease with this token, of the message with this id in this topic.
    pub const fn new(topic: Topic, id: Token, lease: Token) -> Self {
        Self { topic, id, lease }
    }

    /// The topic of the message.
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The message's id.
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The token itself. Keep it out of logs.
    pub fn expose(&self) -> &str {
        self.lease.as_str()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_rule() {
        assert!(Token::new(&"t".repeat(128)).is_some());
        for bad in ["", &"t".repeat(129), "a b", "a\"", "a/b"] {
            assert!(Token::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let (topic, id) = (Topic::new("orders").unwrap(), Token::new("1").unwrap());
        let lease = Lease::new(topic, id, Token::new("canary").unwrap());
        assert!(!format!("{lease:?}").contains("canary"));
    }
}
