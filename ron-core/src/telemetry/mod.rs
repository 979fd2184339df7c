//! What the SDK tells `tracing`: three spans and a few events, listed in `docs/OBSERVABILITY.md`.
//!
//! Nothing else in this crate emits anything. The functions here take numbers, durations and enums, the names
//! that are written in the source, and the gateway's authority: none of these can hold a capability, an
//! idempotency key or a payload, so that none of these can get into a log.
//!
//! A subscriber is the application's code. It is never run while a lock is held.

mod call;
mod connection;
mod switch;

pub(crate) use call::{attempt_begun, attempt_ended, decode, CallEnd, CallSpan, RetrySpan};
pub(crate) use connection::{ConnectionEvent, ConnectionLabel};
pub(crate) use switch::Tracing;

use crate::error::ErrorKind;
use crate::oap::Executed;
use std::time::Duration;
use tracing::debug;

/// What spans and events are filtered by, instead of the path of a module that nobody outside knows.
const TARGET: &str = "ron_app_sdk";

/// What came of a call or of one of its attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// What went wrong, if anything did.
    pub(crate) error: Option<ErrorKind>,
    /// The gateway's status code, where it answered.
    pub(crate) status: Option<u16>,
    pub(crate) executed: Executed,
}

impl Outcome {
    fn name(self) -> &'static str {
        outcome(self.error)
    }

    fn executed(self) -> &'static str {
        match self.executed {
            Executed::No => "no",
            Executed::Yes => "yes",
            Executed::Unknown => "unknown",
        }
    }
}

/// A capability provider was asked for the `round`th time, and has answered.
pub(crate) fn capability_refreshed(round: u64, error: Option<ErrorKind>, elapsed: Duration) {
    debug!(
        name: "sdk.capability.refreshed",
        target: TARGET,
        round,
        outcome = outcome(error),
        elapsed_us = micros(elapsed),
        "the capability provider has answered"
    );
}

fn outcome(error: Option<ErrorKind>) -> &'static str {
    error.map_or("ok", ErrorKind::name)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
