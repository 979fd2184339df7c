//! The spans and events of one call.

use super::{micros, Outcome, TARGET};
use crate::oap::Plane;
use crate::transport::endpoint::Endpoint;
use std::future::Future;
use std::time::{Duration, Instant};
use tracing::field::Empty;
use tracing::{debug, debug_span, info_span, trace, Instrument, Span};

/// One call, from its first attempt to its end. Dropped without [`CallSpan::end`], the call was given up by
/// whoever made it.
#[derive(Debug)]
pub(crate) struct CallSpan {
    span: Span,
    started: Instant,
    /// It has nothing to say, or has said it.
    is_silent: bool,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallEnd {
    pub(crate) outcome: Outcome,
    pub(crate) attempts: u32,
    pub(crate) replayed: bool,
}

impl CallSpan {
    /// `operation` is the operation's name within its plane.
    pub(crate) fn new(
        enabled: bool,
        (plane, operation): (Plane, &'static str),
        gateway: &Endpoint,
        limit: Duration,
        request_bytes: usize,
        started: Instant,
    ) -> Self {
        if !enabled {
            return Self {
                span: Span::none(),
                started,
                is_silent: true,
            };
        }
        let span = info_span!(
            target: TARGET,
            "sdk.call",
            operation = %format_args!("{}.{operation}", plane.name()),
            gateway = %gateway,
            limit_us = micros(limit),
            request_bytes,
            outcome = Empty,
            attempts = Empty,
            status = Empty,
            executed = Empty,
            replayed = Empty,
        );
        Self {
            span,
            started,
            is_silent: false,
        }
    }

    /// Runs `work` in the span.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    /// Enters the span for as long as the future is polled, each time, and not in between.
    pub(crate) fn follow<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        future.instrument(self.span.clone())
    }

    pub(crate) fn end(mut self, end: CallEnd) {
        if std::mem::replace(&mut self.is_silent, true) {
            return;
        }
        if !self.span.is_disabled() {
            self.span.record("attempts", end.attempts);
            self.span.record("status", end.outcome.status);
            self.span.record("executed", end.outcome.executed());
            self.span.record("replayed", end.replayed);
        }
        self.say_ended(end.outcome.name());
    }

    fn say_ended(&self, outcome: &'static str) {
        self.span.record("outcome", outcome);
        debug!(
            name: "sdk.call.ended",
            target: TARGET,
            parent: &self.span,
            outcome,
            elapsed_us = micros(self.started.elapsed()),
            "the call has ended"
        );
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        if !self.is_silent {
            self.say_ended("dropped");
        }
    }
}

/// The wait between two attempts.
#[derive(Debug)]
pub(crate) struct RetrySpan(Span);

impl RetrySpan {
    /// `attempt` is the number of the one that failed.
    pub(crate) fn new(enabled: bool, attempt: u32, outcome: Outcome, delay: Duration) -> Self {
        if !enabled {
            return Self(Span::none());
        }
        let span = debug_span!(
            target: TARGET,
            "sdk.retry",
            attempt,
            outcome = outcome.name(),
            status = outcome.status,
            executed = outcome.executed(),
            delay_us = micros(delay),
        );
        debug!(
            name: "sdk.retry.begun",
            target: TARGET,
            parent: &span,
            "an attempt has failed, another one follows"
        );
        Self(span)
    }

    /// Waits in the span.
    pub(crate) fn run<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.0.in_scope(wait)
    }

    /// Waits in the span.
    pub(crate) fn follow<F: Future>(&self, wait: F) -> impl Future<Output = F::Output> {
        wait.instrument(self.0.clone())
    }
}

/// Reads a reply in a span of its own.
pub(crate) fn decode<T>(
    enabled: bool,
    attempt: u32,
    status: u16,
    reply_bytes: usize,
    read: impl FnOnce() -> T,
) -> T {
    match enabled {
        true => {
            debug_span!(target: TARGET, "sdk.decode", attempt, status, reply_bytes).in_scope(read)
        }
        false => read(),
    }
}

/// An attempt begins: it takes a connection, or dials one.
pub(crate) fn attempt_begun(enabled: bool, attempt: u32) {
    if enabled {
        trace!(name: "sdk.attempt.begun", target: TARGET, attempt, "an attempt begins");
    }
}

/// An attempt is over. `connection` is the number of the one that brought the reply.
pub(crate) fn attempt_ended(
    enabled: bool,
    attempt: u32,
    outcome: Outcome,
    connection: Option<u64>,
) {
    if !enabled {
        return;
    }
    trace!(
        name: "sdk.attempt.ended",
        target: TARGET,
        attempt,
        outcome = outcome.name(),
        status = outcome.status,
        executed = outcome.executed(),
        connection,
        "an attempt has ended"
    );
}
