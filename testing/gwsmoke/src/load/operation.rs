//! What a load does to a gateway.

use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Fetch an object.
    Get,
    /// Ask for an object's size.
    Head,
    /// Fetch the middle half of an object.
    Range,
    /// Store an object.
    Put,
    /// Fetch the object at a path.
    Edge,
    /// Send a message.
    Send,
    /// Receive messages, without waiting for any. What comes is acknowledged.
    Receive,
    /// Acknowledge a message. It follows a [`Operation::Receive`] and is in no mix.
    Ack,
    /// Ask what a name stands for.
    Resolve,
    /// Let a name stand for an object.
    Publish,
}

impl Operation {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 10] = [
        Self::Get,
        Self::Head,
        Self::Range,
        Self::Put,
        Self::Edge,
        Self::Send,
        Self::Receive,
        Self::Ack,
        Self::Resolve,
        Self::Publish,
    ];

    /// Its name in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Range => "range",
            Self::Put => "put",
            Self::Edge => "edge",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Ack => "ack",
            Self::Resolve => "resolve",
            Self::Publish => "publish",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == Self::Ack.name() {
            return Err(
                "ack is in no mix: each message that a receive brings is acknowledged".into(),
            );
        }
        Self::ALL
            .into_iter()
            .find(|operation| operation.name() == text)
            .ok_or_else(|| {
                let mixable = Self::ALL
                    .iter()
                    .filter(|operation| **operation != Self::Ack);
                let names: Vec<&str> = mixable.map(|operation| operation.name()).collect();
                format!("{text:?} is none of {}", names.join(", "))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_in_order_and_read_back() {
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, index);
            if operation != Operation::Ack {
                assert_eq!(operation.name().parse(), Ok(operation));
            }
        }
    }
}
