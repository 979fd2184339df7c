//! Counts one call.

use crate::error::SdkError;
use crate::metrics::{Call, End, Metrics, RetryReason, Verification};
use crate::retry::Cause;
use std::time::{Duration, Instant};

/// One call as the metrics see it, from its begin to its end. Dropped without one, the call was given up by whoever
/// made it.
pub(super) struct Meter<'a> {
    metrics: &'a Metrics,
    call: Call,
    /// What the gateway answered, where the call succeeded.
    status: Option<u16>,
    has_ended: bool,
}

impl<'a> Meter<'a> {
    pub(super) fn begin(metrics: &'a Metrics, call: Call) -> Self {
        metrics.begun(call);
        Self {
            metrics,
            call,
            status: None,
            has_ended: false,
        }
    }

    pub(super) fn metrics(&self) -> &'a Metrics {
        self.metrics
    }

    /// An answer was read; the call has sent and received so many bytes of an object.
    pub(super) fn answered(&mut self, status: u16, bytes: usize) {
        self.status = Some(status);
        self.metrics.moved(self.call, bytes);
    }

    /// An answer's bytes were compared with their address.
    pub(super) fn verified(&self, outcome: Verification) {
        self.metrics.verified(outcome);
    }

    /// An attempt has failed, and another one follows.
    pub(super) fn retried(&self, error: &SdkError, cause: Cause) {
        let reason = RetryReason::of(error.kind(), cause);
        self.metrics.retried(self.call, reason);
    }

    pub(super) fn succeeded(&mut self, elapsed: Duration) {
        self.end(End::Ok(self.status), elapsed);
    }

    pub(super) fn failed(&mut self, error: &SdkError, started: Instant) {
        let end = End::Failed(error.kind(), error.status());
        self.end(end, started.elapsed());
    }

    fn end(&mut self, end: End, elapsed: Duration) {
        self.has_ended = true;
        self.metrics.ended(self.call, end, elapsed);
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.metrics.dropped(self.call);
        }
    }
}
