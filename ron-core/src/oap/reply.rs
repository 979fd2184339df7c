//! What a gateway says in a reply's meta.

use crate::address::{self, AddrB3};
use crate::mailbox::{Attributes, DeadLetter, Token};
use crate::range::ByteRange;
use crate::text;
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

/// The longest detail of an error, in characters.
const MAX_DETAIL: usize = 200;

/// Whether a call took effect at the gateway. Reads have no effect: they are always `No`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executed {
    /// It certainly did not.
    No,
    /// It certainly did.
    Yes,
    /// Nobody can say: a connection was lost, or the gateway was interrupted.
    Unknown,
}

/// Why a gateway refused a call. The list is closed; the status code decides the error's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// 400: the meta is not the operation's DTO, or a field breaks its rule.
    SchemaViolation,
    /// 400: HELLO offered no version that the gateway speaks.
    UnsupportedVersion,
    /// 401: the capability's time is over.
    CapabilityExpired,
    /// 403: no capability was sent.
    CapabilityMissing,
    /// 403: the capability is not in the token format.
    CapabilityMalformed,
    /// 403: the capability does not allow this call.
    CapabilityDenied,
    /// 404: no object, path or name of that name.
    NotFound,
    /// 404: the plane has no such operation.
    UnknownOperation,
    /// 408: the deadline had passed before the call was executed.
    DeadlineExceeded,
    /// 409: the same idempotency key came with another request.
    IdempotencyMismatch,
    /// 409: the name stands for another address than was expected.
    UnexpectedValue,
    /// 410: the lease is not the message's own any more: it was delivered again, or given back.
    StaleLease,
    /// 413: the body, object or range is longer than one envelope; `size` says how long.
    TooLarge,
    /// 416: the range starts past the object's end; `size` says where that is.
    RangeNotSatisfiable,
    /// 429: more calls at once on this connection than HELLO allowed.
    TooManyInFlight,
    /// 429: above the subject's rate or quota.
    RateLimited,
    /// 429: the same request under the same idempotency key is being executed.
    IdempotencyInProgress,
    /// 499: the caller cancelled it.
    Cancelled,
    /// 500: a fault of the gateway.
    Internal,
    /// 501: no such plane.
    UnknownPlane,
    /// 502: what the gateway asked for it answered nonsense.
    BadGateway,
    /// 503: the gateway cannot serve it now.
    Unavailable,
    /// 504: what the gateway asked for it did not answer in time.
    GatewayTimeout,
    /// 507: the store is full.
    StorageFull,
}

impl Reason {
    /// The status code that goes with it.
    pub const fn code(self) -> u16 {
        match self {
            Self::SchemaViolation | Self::UnsupportedVersion => 400,
            Self::CapabilityExpired => 401,
            Self::CapabilityMissing | Self::CapabilityMalformed | Self::CapabilityDenied => 403,
            Self::NotFound | Self::UnknownOperation => 404,
            Self::DeadlineExceeded => 408,
            Self::IdempotencyMismatch | Self::UnexpectedValue => 409,
            Self::StaleLease => 410,
            Self::TooLarge => 413,
            Self::RangeNotSatisfiable => 416,
            Self::TooManyInFlight | Self::RateLimited | Self::IdempotencyInProgress => 429,
            Self::Cancelled => super::CODE_CANCELLED,
            Self::Internal => 500,
            Self::UnknownPlane => 501,
            Self::BadGateway => 502,
            Self::Unavailable => 503,
            Self::GatewayTimeout => 504,
            Self::StorageFull => 507,
        }
    }

    /// The token on the wire.
    pub fn token(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(token)) => token,
            _ => String::new(),
        }
    }
}

/// The meta of every reply with a code of 400 or above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorReply {
    /// Why.
    pub reason: Reason,
    /// Whether the call took effect all the same.
    pub executed: Executed,
    /// A sentence for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The object's size in bytes, with 413 and 416.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl ErrorReply {
    /// A refusal of a call that was not executed.
    pub fn not_executed(reason: Reason) -> Self {
        Self {
            reason,
            executed: Executed::No,
            detail: None,
            retry_after_ms: None,
            size: None,
        }
    }

    /// The same with a sentence for a person, of which the first 200 characters count.
    #[must_use]
    pub fn with_detail(mut self, detail: impl AsRef<str>) -> Self {
        // A text that quotes its peer could otherwise grow beyond what a meta may hold.
        let printable = detail.as_ref().chars().filter(|c| !c.is_control());
        self.detail = Some(printable.take(MAX_DETAIL).collect());
        self
    }

    /// The same with another certainty about the effect.
    #[must_use]
    pub fn with_executed(mut self, executed: Executed) -> Self {
        self.executed = executed;
        self
    }

    /// The same with a time after which to try again, in whole milliseconds.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after_ms = Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// The same with the object's size.
    #[must_use]
    pub fn with_size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }
}

/// The meta of a successful storage `put`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoragePutReply {
    /// Always [`Executed::Yes`].
    pub executed: Executed,
    /// Whether this is the recorded result of an earlier attempt.
    pub replayed: bool,
    /// The BLAKE3 address of what was stored.
    #[serde(deserialize_with = "address::deserialize_in_dto")]
    pub address: AddrB3,
    /// Its size in bytes.
    pub size: u64,
}

/// The meta of a successful `get` or `head`, of storage and edge. The body, if any, is the object, or
/// the range that `range` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectReply {
    /// Always [`Executed::No`]: a read has no effect.
    pub executed: Executed,
    /// The BLAKE3 address of the whole object.
    #[serde(deserialize_with = "address::deserialize_in_dto")]
    pub address: AddrB3,
    /// The whole object's size in bytes.
    pub size: u64,
    /// With code 206: which bytes of the object the body is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<ByteRange>,
}

/// The meta of a successful mailbox `send`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxSendReply {
    /// Always [`Executed::Yes`].
    pub executed: Executed,
    /// Whether this is the recorded result of an earlier attempt.
    pub replayed: bool,
    /// The message's id, a [`Token`]'s text.
    #[serde(deserialize_with = "token_text")]
    pub id: String,
}

fn token_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text::deserialize(deserializer, "an id", |text| {
        Token::check(text).map(|()| text.to_owned())
    })
}

/// The meta of a successful mailbox `receive`. The body is the messages' bodies, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxReceiveReply {
    /// Always [`Executed::No`]: what is hidden comes back by itself.
    pub executed: Executed,
    /// Whether this is the batch of an earlier attempt.
    pub replayed: bool,
    /// The messages, the oldest first; none where there is none.
    pub messages: Vec<ReceivedMessage>,
}

/// One message of a [`MailboxReceiveReply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceivedMessage {
    /// Its id.
    pub id: Token,
    /// The right to acknowledge this delivery.
    pub lease: Token,
    /// Which delivery this is, from 1.
    pub attempt: u32,
    /// What it says beside its body.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attrs: Attributes,
    /// Its body's bytes.
    pub len: u32,
    /// The BLAKE3 address of its body.
    #[serde(deserialize_with = "address::deserialize_in_dto")]
    pub address: AddrB3,
    /// When it was taken, in milliseconds since 1970.
    pub sent_at_ms: u64,
    /// In a dead-letter topic: why it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<DeadLetter>,
}

/// The meta of a successful mailbox `ack`, `nack` or `extend`, and of an index `publish`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectReply {
    /// Always [`Executed::Yes`].
    pub executed: Executed,
    /// Whether an earlier attempt had done it already.
    pub replayed: bool,
}

/// The meta of a successful index `resolve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexResolveReply {
    /// Always [`Executed::No`]: a read has no effect.
    pub executed: Executed,
    /// What the name stands for.
    #[serde(deserialize_with = "address::deserialize_in_dto")]
    pub address: AddrB3,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn errors_travel_in_the_documented_form() {
        let reply = ErrorReply::not_executed(Reason::TooLarge)
            .with_detail("longer than one envelope")
            .with_size(2_000_000);
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(
            text,
            r#"{"reason":"too_large","executed":"no","detail":"longer than one envelope","size":2000000}"#
        );
        assert_eq!(serde_json::from_str::<ErrorReply>(&text).unwrap(), reply);
    }

    #[test]
    fn a_detail_is_short_and_printable() {
        let detail = |text: &str| {
            let reply = ErrorReply::not_executed(Reason::NotFound).with_detail(text);
            reply.detail.unwrap()
        };
        assert_eq!(detail("a\u{1}\nb"), "ab");
        assert_eq!(detail(&"é".repeat(5000)).chars().count(), 200);
    }

    #[test]
    fn reply_metas_are_strict() {
        let unknown = r#"{"reason":"not_found","executed":"no","hint":"x"}"#;
        assert!(serde_json::from_str::<ErrorReply>(unknown).is_err());
        let unknown = r#"{"reason":"not_in_the_list","executed":"no"}"#;
        assert!(serde_json::from_str::<ErrorReply>(unknown).is_err());
        let nested = "[".repeat(100_000);
        assert!(serde_json::from_str::<ObjectReply>(&nested).is_err());
    }

    #[test]
    fn reasons_have_their_tokens_and_codes() {
        assert_eq!(Reason::TooManyInFlight.token(), "too_many_in_flight");
        assert_eq!(Reason::TooManyInFlight.code(), 429);
    }
}
