//! What an index is asked for, and what it answers.

use crate::call::{Call, Request};
use crate::fingerprint::Fingerprint;
use crate::history::History;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Gives a key a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The key.
    pub key: Arc<str>,
    /// The new value. No two calls that may take effect give a key the same one.
    pub value: Fingerprint,
    /// What the key must have for it.
    pub expected: Expected,
}

/// What a key must have, so that it is given another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Any value, or none.
    Anything,
    /// No value.
    Absent,
    /// This value.
    Value(Fingerprint),
}

/// The answer to [`Publish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishAnswer {
    /// The key has the new value.
    Published,
    /// The key did not have what was expected, and keeps what it had.
    Conflict,
}

/// Reads a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The key.
    pub key: Arc<str>,
}

impl Request for Publish {
    type Reply = PublishAnswer;

    fn calls_mut(history: &mut History) -> &mut Vec<Call<Self>> {
        &mut history.publishes
    }
}

/// The reply is the value, or `None` where the key has none.
impl Request for Resolve {
    type Reply = Option<Fingerprint>;

    fn calls_mut(history: &mut History) -> &mut Vec<Call<Self>> {
        &mut history.resolves
    }
}
