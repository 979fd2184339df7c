//! What a mailbox is asked for, and what it answers.

use crate::call::{Call, Request};
use crate::fingerprint::Fingerprint;
use crate::history::History;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Puts a message into a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// The topic.
    pub topic: Arc<str>,
    /// The idempotency key; `None` where the message was sent without one. Keys of different subjects are
    /// different keys, and need different fingerprints.
    pub key: Option<Fingerprint>,
    /// The body.
    pub body: Fingerprint,
}

/// The answer to [`SendMessage`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// The message's identifier.
    pub message: Arc<str>,
    /// Whether the answer says that the message was there already.
    pub replayed: bool,
}

/// Takes messages out of a topic for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiveMessages {
    /// The topic.
    pub topic: Arc<str>,
    /// What calls for the same batch have in common; `None` where the call cannot be repeated.
    pub receive_id: Option<Fingerprint>,
    /// For how long the messages stay hidden from others, as asked for or as is the default.
    pub visibility: Duration,
    /// How many messages at most.
    pub max: u32,
}

/// One message of the answer to [`ReceiveMessages`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// The message's identifier.
    pub message: Arc<str>,
    /// The lease under which it can be acknowledged. Leases of one message are told apart by it.
    pub lease: Fingerprint,
    /// Which delivery of the message this is, from 1.
    pub attempt: u32,
    /// The body, as it arrived.
    pub body: Fingerprint,
}

/// Uses a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseLease {
    /// The message.
    pub message: Arc<str>,
    /// The lease under which it was received.
    pub lease: Fingerprint,
    /// What for.
    pub action: LeaseAction,
}

/// What a lease is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LeaseAction {
    /// The message is done with.
    Ack,
    /// Somebody else may have the message, after a delay.
    Nack {
        /// The delay.
        delay: Duration,
    },
    /// The message stays hidden for a time that begins now.
    Extend {
        /// The time.
        visibility: Duration,
    },
}

/// The answer to [`UseLease`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseAnswer {
    /// It is done.
    Done,
    /// The message has a newer lease: nothing was done, unless by an earlier attempt of the same call.
    Stale,
    /// There is no such message, or there no longer is. As for `Stale`.
    NotFound,
}

/// The mailbox's process ends and starts again. Leases may end early then, but no message may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart;

/// One message that is still there when everything that could be received was received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remnant {
    /// The message's identifier. A dead letter has that of the message that it was.
    pub message: Arc<str>,
    /// The topic that it was sent to.
    pub topic: Arc<str>,
    /// The body.
    pub body: Fingerprint,
    /// Where it is.
    pub place: Place,
}

/// Where a message is that is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// It can be received, now or after a delay.
    Ready,
    /// Somebody has it.
    Leased,
    /// It was delivered too often, or refused.
    DeadLetter {
        /// Why it is there.
        reason: String,
        /// How often it had been delivered.
        deliveries: u32,
    },
}

impl Request for SendMessage {
    type Reply = Sent;

    fn calls_mut(history: &mut History) -> &mut Vec<Call<Self>> {
        &mut history.sends
    }
}

impl Request for ReceiveMessages {
    type Reply = Vec<Received>;

    fn calls_mut(history: &mut History) -> &mut Vec<Call<Self>> {
        &mut history.receives
    }
}

impl Request for UseLease {
    type Reply = LeaseAnswer;

    fn calls_mut(history: &mut History) -> &mut Vec<Call<Self>> {
        &mut history.lease_uses
    }
}

impl Request for Restart {
    type Reply = ();

    fn calls_mut(history: &mut History) -> &mut Vec<Call<Self>> {
        &mut history.restarts
    }
}
