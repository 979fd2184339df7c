//! `SdkError`: what went wrong, whether it took effect, and what to check.

use crate::oap::{ErrorReply, Executed};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What went wrong, as a stable number. Numbers are never reused; new ones are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum ErrorKind {
    /// The call's time ran out.
    DeadlineExceeded = 1,
    /// The gateway could not be reached, or the connection was lost.
    Transport = 2,
    /// TLS failed: certificate, name, version or ALPN.
    Tls = 3,
    /// The Tor proxy could not be used.
    TorUnavailable = 4,
    /// The peer broke the OAP/1 protocol.
    OapViolation = 5,
    /// The capability's time is over.
    CapabilityExpired = 6,
    /// The capability is missing, malformed or does not allow the call.
    CapabilityDenied = 7,
    /// A request or a reply is not what its schema says.
    SchemaViolation = 8,
    /// No such object, path, name or topic.
    NotFound = 9,
    /// The call contradicts the state at the gateway.
    Conflict = 10,
    /// Above a rate or a quota.
    RateLimited = 11,
    /// A fault of the gateway.
    Server = 12,
    /// The SDK's configuration or a call's arguments are at fault.
    Config = 13,
    /// The call was cancelled.
    Cancelled = 14,
    /// The bytes are not those of their address.
    IntegrityMismatch = 15,
    /// Longer than one envelope.
    TooLarge = 16,
    /// The range starts past the object's end.
    RangeNotSatisfiable = 17,
    /// The lease is no longer the message's own.
    StaleLease = 18,
    /// Too many calls at once in this client.
    Busy = 19,
    /// No byte moved for too long.
    Stalled = 20,
    /// The client has been closed.
    Closed = 21,
    /// The client belongs to the parent of this forked process.
    ForkDetected = 22,
    /// A fault of the SDK.
    Internal = 23,
    /// A status that the protocol does not define.
    Unknown = 24,
}

impl ErrorKind {
    /// The kind's number, the same in every language.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The kind of a reply with this status code (400 and above are errors; others are not defined).
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::CapabilityExpired,
            403 => Self::CapabilityDenied,
            404 => Self::NotFound,
            408 => Self::DeadlineExceeded,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            416 => Self::RangeNotSatisfiable,
            429 => Self::RateLimited,
            499 => Self::Cancelled,
            400 | 405 | 406 | 411 | 415 | 422 => Self::SchemaViolation,
            500..=599 => Self::Server,
            _ => Self::Unknown,
        }
    }

    /// What a person should check first.
    const fn advice(self) -> &'static str {
        match self {
            Self::DeadlineExceeded => "allow more time, or check the gateway's load",
            Self::Transport => "check that the gateway runs and that gateway_addr names it",
            Self::Tls => "check tls.ca (RON_SDK_TLS_CA), tls.pin and the gateway's certificate",
            Self::CapabilityExpired => "get a fresh capability",
            Self::CapabilityDenied => "check what the capability allows",
            Self::OapViolation => "check that the peer is a RON gateway of a known version",
            Self::Server => "check the gateway's log",
            _ => "",
        }
    }
}

/// Why a call failed.
///
/// ```
/// use ron_app_sdk::{Capability, ErrorKind};
///
/// let error = Capability::from_bytes(b"not a token".to_vec()).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert_eq!(error.attempts(), 0);
/// ```
#[derive(Clone)]
pub struct SdkError(Box<Details>);

#[derive(Clone)]
struct Details {
    kind: ErrorKind,
    executed: Executed,
    attempts: u32,
    retry_after: Option<Duration>,
    status: Option<u16>,
    message: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl SdkError {
    /// An error before anything was executed.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            executed: Executed::No,
            attempts: 0,
            retry_after: None,
            status: None,
            message: message.into(),
            source: None,
        }))
    }

    /// An argument or a setting that breaks its rule.
    pub(crate) fn invalid(kind: ErrorKind, field: &str, rule: impl fmt::Display) -> Self {
        Self::new(kind, format!("{field}: {rule}"))
    }

    /// The gateway's refusal. `reply` is its meta, or why that could not be read.
    pub(crate) fn refused(status: u16, reply: Result<ErrorReply, serde_json::Error>) -> Self {
        let kind = ErrorKind::of_status(status);
        let mut error = match reply {
            Ok(reply) => {
                let mut message = format!("the gateway answered {status} {}", reply.reason.token());
                if let Some(detail) = &reply.detail {
                    // The text is the peer's: it must not be able to forge a line of a log.
                    let detail = detail.chars().filter(|c| !c.is_control()).take(500);
                    message.push_str(": ");
                    message.extend(detail);
                }
                if let Some(size) = reply.size {
                    message.push_str(&format!(" (the object has {size} bytes)"));
                }
                let mut error = Self::new(kind, message);
                error.0.executed = reply.executed;
                error.0.retry_after = reply.retry_after_ms.map(Duration::from_millis);
                error
            }
            Err(unreadable) => Self::new(
                kind,
                format!("the gateway answered {status} with an unreadable meta: {unreadable}"),
            )
            .with_executed(Executed::Unknown),
        };
        error.0.status = Some(status);
        error
    }

    pub(crate) fn with_executed(mut self, executed: Executed) -> Self {
        self.0.executed = executed;
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the call took effect all the same.
    pub fn executed(&self) -> Executed {
        self.0.executed
    }

    /// How many attempts were made; 0 where the call failed before any I/O.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// When the gateway suggests to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The gateway's status code, where it answered.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }
}

impl fmt::Display for SdkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)?;
        match self.0.kind.advice() {
            "" => Ok(()),
            advice => write!(f, "; {advice}"),
        }
    }
}

impl fmt::Debug for SdkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkError")
            .field("kind", &self.0.kind)
            .field("executed", &self.0.executed)
            .field("attempts", &self.0.attempts)
            .field("retry_after", &self.0.retry_after)
            .field("status", &self.0.status)
            .field("message", &self.0.message)
            .finish()
    }
}

impl Error for SdkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oap::Reason;

    #[test]
    fn every_reasons_code_has_a_defined_kind() {
        for (reason, kind) in [
            (Reason::SchemaViolation, ErrorKind::SchemaViolation),
            (Reason::CapabilityExpired, ErrorKind::CapabilityExpired),
            (Reason::CapabilityMissing, ErrorKind::CapabilityDenied),
            (Reason::NotFound, ErrorKind::NotFound),
            (Reason::DeadlineExceeded, ErrorKind::DeadlineExceeded),
            (Reason::IdempotencyMismatch, ErrorKind::Conflict),
            (Reason::TooLarge, ErrorKind::TooLarge),
            (Reason::RangeNotSatisfiable, ErrorKind::RangeNotSatisfiable),
            (Reason::TooManyInFlight, ErrorKind::RateLimited),
            (Reason::Cancelled, ErrorKind::Cancelled),
            (Reason::UnknownPlane, ErrorKind::Server),
            (Reason::StorageFull, ErrorKind::Server),
        ] {
            assert_eq!(ErrorKind::of_status(reason.code()), kind);
        }
        assert_eq!(ErrorKind::of_status(302), ErrorKind::Unknown);
    }

    #[test]
    fn a_refusal_says_what_the_gateway_said() {
        let reply = ErrorReply {
            retry_after_ms: Some(1500),
            ..ErrorReply::not_executed(Reason::RateLimited).with_detail("slow\ndown")
        };
        let error = SdkError::refused(429, Ok(reply));
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!(error.executed(), Executed::No);
        assert_eq!(error.retry_after(), Some(Duration::from_millis(1500)));
        assert_eq!(error.status(), Some(429));
        assert_eq!(
            error.to_string(),
            "RateLimited: the gateway answered 429 rate_limited: slowdown"
        );
    }

    #[test]
    fn an_unreadable_refusal_leaves_the_execution_unknown() {
        let unreadable = serde_json::from_str::<ErrorReply>("{}");
        let error = SdkError::refused(500, unreadable);
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(error.executed(), Executed::Unknown);
    }
}
