//! Errors as numbers and fields: the classes are made in TypeScript.

use crate::capability::Thrown;
use napi_derive::napi;
use ron_app_sdk::{ErrorKind, Executed, GaveUp, SdkError};
use std::error::Error;
use std::fmt::Display;

/// An error's fields.
#[napi(object, object_from_js = false)]
pub struct Failure {
    /// The kind's number.
    pub kind: u32,
    /// The whole text, with the kind and what to check.
    pub message: String,
    /// `no`, `yes` or `unknown`.
    pub executed: &'static str,
    /// Attempts that were made.
    pub attempts: u32,
    /// The gateway's status, where it answered.
    pub status: Option<u16>,
    /// The gateway's hint, in milliseconds.
    pub retry_after_ms: Option<f64>,
    /// Why there was no further attempt, where there could have been one.
    pub gave_up: Option<&'static str>,
    /// The texts of the errors behind this one, the nearest first.
    pub causes: Vec<String>,
    /// The number of the function that has thrown, where one has.
    pub provider: Option<u32>,
}

impl Failure {
    /// An argument that breaks its rule; nothing was sent.
    pub(crate) fn argument(kind: ErrorKind, field: &str, rule: impl Display) -> Self {
        Self {
            kind: kind.number(),
            message: format!("{}: {field}: {rule}; {}", kind.name(), kind.check()),
            executed: executed(Executed::No),
            attempts: 0,
            status: None,
            retry_after_ms: None,
            gave_up: None,
            causes: Vec::new(),
            provider: None,
        }
    }

    /// A field of a request that breaks its rule.
    pub(crate) fn schema(field: &str, rule: impl Display) -> Self {
        Self::argument(ErrorKind::SchemaViolation, field, rule)
    }
}

impl From<SdkError> for Failure {
    fn from(error: SdkError) -> Self {
        let (mut causes, mut provider) = (Vec::new(), None);
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            provider = provider.or(cause.downcast_ref().map(|Thrown(number)| *number));
            source = cause.source();
        }
        Self {
            kind: error.kind().number(),
            message: error.to_string(),
            executed: executed(error.executed()),
            attempts: error.attempts(),
            status: error.status(),
            retry_after_ms: error
                .retry_after()
                .map(|after| after.as_secs_f64() * 1000.0),
            gave_up: error.gave_up().map(gave_up),
            causes,
            provider,
        }
    }
}

/// The word for it, as in the protocol.
pub(crate) const fn executed(executed: Executed) -> &'static str {
    match executed {
        Executed::No => "no",
        Executed::Yes => "yes",
        Executed::Unknown => "unknown",
    }
}

fn gave_up(why: GaveUp) -> &'static str {
    match why {
        GaveUp::Deadline => "deadline",
        GaveUp::Attempts => "attempts",
        GaveUp::Budget => "budget",
        _ => "other",
    }
}
