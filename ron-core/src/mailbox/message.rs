//! Messages, on their way to a gateway and from it.

use super::{AttributeError, Attributes, Lease, Topic};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, SystemTime};

/// A message to be sent.
///
/// ```
/// use ron_app_sdk::{Mail, Topic};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mail = Mail::new(Topic::new("orders")?, "one pizza").attribute("currency", "EUR")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// Where it goes.
    pub topic: Topic,
    /// At most 1,015,808 bytes.
    pub body: Bytes,
    /// What it says beside its body.
    pub attributes: Attributes,
}

impl Mail {
    /// A message without attributes.
    pub fn new(topic: Topic, body: impl Into<Bytes>) -> Self {
        Self {
            topic,
            body: body.into(),
            attributes: Attributes::default(),
        }
    }

    /// The same with an attribute.
    ///
    /// # Errors
    /// [`AttributeError`] names the rule that it breaks.
    pub fn attribute(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, AttributeError> {
        self.attributes.insert(name, value)?;
        Ok(self)
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("topic", &self.topic)
            .field("bytes", &self.body.len())
            .field("attributes", &self.attributes)
            .finish()
    }
}

/// What a gateway says of a message that it has taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Receipt {
    /// The message's id.
    pub id: String,
    /// Whether the message had been taken before under the same idempotency key, if only by an earlier attempt of this
    /// very call whose answer was lost.
    pub duplicate: bool,
}

/// What to receive.
///
/// ```
/// use ron_app_sdk::{Receive, Topic};
/// use std::time::Duration;
///
/// let receive = Receive {
///     max: 10,
///     wait: Duration::from_secs(20),
///     ..Receive::new(Topic::new("orders")?)
/// };
/// # Ok::<(), ron_app_sdk::TopicError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    /// From where.
    pub topic: Topic,
    /// At most so many messages, 1 to 64. The gateway returns as many as fit one reply. Default: 1.
    pub max: u16,
    /// For how long nobody else gets them, 250 ms to 12 h. Default: 30 s.
    pub visibility: Duration,
    /// How long to wait for a first message where there is none, up to 20 s and to what the call's limit
    /// leaves. Default: not at all.
    pub wait: Duration,
}

impl Receive {
    /// One message, for 30 s, without waiting.
    pub const fn new(topic: Topic) -> Self {
        Self {
            topic,
            max: 1,
            visibility: Duration::from_secs(30),
            wait: Duration::ZERO,
        }
    }
}

/// A message that was received. It comes again unless its lease is acknowledged in time.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The right to acknowledge it.
    pub lease: Lease,
    /// Which delivery this is, from 1.
    pub attempt: u32,
    /// What it says beside its body.
    pub attributes: Attributes,
    /// The body, hashed and compared.
    pub body: Bytes,
    /// When the gateway took it, by the gateway's clock.
    pub sent_at: SystemTime,
    /// Where it comes from a dead-letter topic: why it is there.
    pub dead: Option<DeadLetter>,
}

impl Message {
    /// The message's id, which it keeps in a dead-letter topic.
    pub fn id(&self) -> &str {
        self.lease.id()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", self.lease.topic())
            .field("id", &self.id())
            .field("attempt", &self.attempt)
            .field("bytes", &self.body.len())
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

/// Why a message was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The reason.
    pub reason: DeadReason,
    /// How often it was delivered in its own topic.
    pub deliveries: u32,
}

impl DeadLetter {
    /// A message that was given up after so many deliveries.
    pub const fn new(reason: DeadReason, deliveries: u32) -> Self {
        Self { reason, deliveries }
    }
}

/// The reasons for giving a message up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeadReason {
    /// It was delivered as often as a message may be, and never acknowledged.
    TooManyDeliveries,
}
