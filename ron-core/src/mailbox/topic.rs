//! Topics: the names of queues.

use crate::text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest topic in bytes.
pub const MAX_TOPIC: usize = 128;

/// What a dead-letter topic's name ends with.
const DEAD: &str = ".dead";

/// The name of a queue of messages: 1 to 128 characters of `a-z 0-9 . _ / -`. Cloning is cheap.
///
/// ```
/// use ron_app_sdk::Topic;
///
/// let topic: Topic = "orders/new".parse()?;
/// assert_eq!(topic.dead_letters()?.as_str(), "orders/new.dead");
/// # Ok::<(), ron_app_sdk::TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

impl Topic {
    /// Checks a text.
    ///
    /// # Errors
    /// [`TopicError`] names the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, TopicError> {
        let is_allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._/-".contains(&b);
        let errors = (TopicError::Length, TopicError::Character);
        text::check_characters(text, MAX_TOPIC, is_allowed, errors)?;
        Ok(Self(text.into()))
    }

    /// Stands for a topic that is not known yet. It breaks the rules: no gateway takes it.
    pub(crate) fn unknown() -> Self {
        Self("".into())
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The topic to which a gateway moves messages of this one that were delivered too often: the same with
    /// `.dead` at its end.
    ///
    /// # Errors
    /// [`TopicError::Length`] where the topic has more than 123 characters. Such a topic takes no messages.
    pub fn dead_letters(&self) -> Result<Self, TopicError> {
        Self::new(&format!("{self}{DEAD}"))
    }

    /// Whether there is no room for the name of its dead-letter topic.
    pub(crate) fn is_too_long_for_dead_letters(&self) -> bool {
        self.0.len() > MAX_TOPIC - DEAD.len()
    }

    /// Whether it is another topic's dead-letter topic. It takes messages from the gateway alone.
    pub fn is_dead_letters(&self) -> bool {
        self.0.ends_with(DEAD)
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a topic", Self::new)
    }
}

/// Why a text is not a [`Topic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Empty or too long.
    #[error("a topic has 1 to {MAX_TOPIC} characters, this one has {0}")]
    Length(usize),
    /// A character outside of the allowed ones.
    #[error("a topic has only the characters a-z 0-9 . _ / -")]
    Character,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_hold_at_their_bounds() {
        let long = "t".repeat(MAX_TOPIC);
        for topic in ["a", "0", "orders/new", "a.b_c-d/e", &long] {
            assert_eq!(Topic::new(topic).unwrap().as_str(), topic);
        }
        for (topic, error) in [
            ("", TopicError::Length(0)),
            (&*format!("{long}t"), TopicError::Length(129)),
            ("Orders", TopicError::Character),
            ("a b", TopicError::Character),
            ("ä", TopicError::Character),
            ("a\"", TopicError::Character),
        ] {
            assert_eq!(Topic::new(topic), Err(error), "{topic:?}");
        }
    }

    #[test]
    fn dead_letters_have_a_topic_of_their_own() {
        let topic = Topic::new("orders").unwrap();
        assert!(!topic.is_dead_letters());
        let dead = topic.dead_letters().unwrap();
        assert_eq!(
            (dead.as_str(), dead.is_dead_letters()),
            ("orders.dead", true)
        );
        let longest = Topic::new(&"t".repeat(123)).unwrap();
        assert!(longest.dead_letters().is_ok());
        let longer = Topic::new(&"t".repeat(124)).unwrap();
        assert_eq!(longer.dead_letters(), Err(TopicError::Length(129)));
    }
}
