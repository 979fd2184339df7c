//! `SdkError`: what went wrong, whether it took effect, and what to check.

mod kind;

pub use kind::{ErrorKind, RetryRule};

use crate::oap::{ErrorReply, Executed};
use crate::retry::GaveUp;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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
    gave_up: Option<GaveUp>,
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
            gave_up: None,
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
        let (kind, _) = ErrorKind::of_status(status);
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

    /// The client was closed before the call, or while it was open.
    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the client has been closed")
    }

    pub(crate) fn with_executed(mut self, executed: Executed) -> Self {
        self.0.executed = executed;
        self
    }

    /// The error of a call that ends after so many attempts.
    pub(crate) fn with_attempts(mut self, attempts: u32, gave_up: Option<GaveUp>) -> Self {
        self.0.attempts = attempts;
        self.0.gave_up = gave_up;
        self
    }

    pub(crate) fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        self.with_boxed_source(Box::new(source))
    }

    pub(crate) fn with_boxed_source(mut self, source: Box<dyn Error + Send + Sync>) -> Self {
        self.0.source = Some(source.into());
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

    /// Why the call was not tried again, where errors like this one are. `None` where they are not.
    pub fn gave_up(&self) -> Option<GaveUp> {
        self.0.gave_up
    }

    /// When attempts that fail like this are followed by another one.
    pub fn retried(&self) -> RetryRule {
        match self.0.status {
            Some(status) => ErrorKind::of_status(status).1,
            None => self.0.kind.retried(),
        }
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
        let Details { kind, message, .. } = &*self.0;
        write!(f, "{}: {message}; {}", kind.name(), kind.check())?;
        match self.0.attempts {
            0 | 1 => Ok(()),
            attempts => write!(f, " (after {attempts} attempts)"),
        }
    }
}

impl fmt::Debug for SdkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkError")
            .field("kind", &self.0.kind)
            .field("executed", &self.0.executed)
            .field("attempts", &self.0.attempts)
            .field("gave_up", &self.0.gave_up)
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
            "RateLimited: the gateway answered 429 rate_limited: slowdown; \
             slow down, or wait for as long as retry_after says"
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
