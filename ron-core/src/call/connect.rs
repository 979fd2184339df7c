//! A connection without a call: opened, or found open, as often as a call would try and within a limit of its own.

use super::meter::Meter;
use super::open_calls::{OpenCall, Waiter};
use super::{outcome, CallReport, Core, Retry};
use crate::config::{check_duration, Transport, CALL_LIMIT};
use crate::error::SdkError;
use crate::metrics::{Call, End};
use crate::oap::{Executed, Plane};
use crate::ready::Readiness;
use crate::retry::{CallPolicy, Next};
use crate::telemetry::{self, CallEnd, CallSpan, Outcome, RetrySpan};
use crate::transport::endpoint::Endpoint;
use crate::transport::{Content, Exchange, Failure, Reply};
use std::time::{Duration, Instant};

/// What it is called in spans: `control.hello`.
const NAME: (Plane, &str) = (Plane::Control, "hello");

/// A connection on its way, from attempt to attempt. It counts as an open call.
pub(super) struct Connecting<'a> {
    retry: &'a Retry,
    policy: CallPolicy,
    tracing: bool,
    started: Instant,
    limit: Duration,
    /// Whether a connection that is open has to show that it is alive.
    probes: bool,
    meter: Meter<'a>,
    open: OpenCall<'a>,
}

/// What came of an attempt.
pub(super) enum Attempt {
    Done(Result<CallReport, SdkError>),
    /// Try again after this time.
    Again(Duration, RetrySpan),
}

impl<T> Core<T> {
    /// Checks the limit and counts the attempt to connect in, before any I/O.
    pub(super) fn begin_connecting(
        &self,
        limit: Option<Duration>,
        probes: bool,
    ) -> Result<Connecting<'_>, SdkError> {
        let connecting = self.admit_connecting(limit, probes);
        if let Err(error) = &connecting {
            let refused = End::Failed(error.kind(), None);
            self.metrics.refused(Call::ControlHello, refused);
        }
        connecting
    }

    fn admit_connecting(
        &self,
        limit: Option<Duration>,
        probes: bool,
    ) -> Result<Connecting<'_>, SdkError> {
        self.origin.check()?;
        let started = Instant::now();
        let limit = limit.unwrap_or(self.config.overall_timeout);
        check_duration("timeout", limit, CALL_LIMIT)?;
        Ok(Connecting {
            retry: &self.retry,
            policy: CallPolicy::new(true, true, started, limit),
            tracing: self.tracing.is_enabled(),
            started,
            limit,
            probes,
            open: self.calls.enter()?,
            meter: Meter::begin(&self.metrics, Call::ControlHello),
        })
    }
}

impl<T> Core<T> {
    /// What is known of the client, given whether a connection is well where there was one.
    pub(super) fn readiness(&self, connection: Option<Result<(), SdkError>>) -> Readiness {
        Readiness::of(connection, self.config.transport == Transport::Tor)
    }

    /// What is known without asking anybody; `condition` asks the transport what it knows.
    pub(super) fn ready_with(
        &self,
        condition: impl FnOnce() -> Option<Result<(), SdkError>>,
    ) -> Readiness {
        let connection = match self.origin.check() {
            Ok(()) => condition(),
            Err(forked) => Some(Err(forked)),
        };
        self.readiness(connection)
    }
}

impl Connecting<'_> {
    pub(super) fn span(&self, gateway: &Endpoint) -> CallSpan {
        CallSpan::new(self.tracing, NAME, gateway, self.limit, 0, self.started)
    }

    /// A place to wait for the end of the client at.
    pub(super) fn waiter(&self) -> Waiter<'_> {
        self.open.waiter()
    }

    pub(super) fn begin_attempt(&mut self) {
        self.policy.begin_attempt();
        telemetry::attempt_begun(self.tracing, self.policy.attempts());
    }

    /// What the transport needs to know: on the control plane there is no request.
    pub(super) fn exchange(&self) -> Exchange<'_> {
        Exchange {
            plane: Plane::Control,
            capability: &[],
            content: self,
            deadline: self.policy.deadline(),
            hashes_reply: false,
            answer_within: self.limit,
            probes: self.probes,
        }
    }

    /// Decides what follows an attempt.
    pub(super) fn conclude(&mut self, result: Result<Reply, Failure>) -> Attempt {
        let attempt = self.policy.attempts();
        let Failure { error, cause, .. } = match result {
            Ok(reply) => {
                let outcome = Outcome {
                    error: None,
                    status: None,
                    executed: Executed::No,
                };
                telemetry::attempt_ended(
                    self.tracing,
                    attempt,
                    outcome,
                    Some(reply.connection.number()),
                );
                self.policy.succeeded(&self.retry.budget);
                return Attempt::Done(Ok(CallReport {
                    attempts: attempt,
                    replayed: false,
                    executed: Executed::No,
                    elapsed: self.started.elapsed(),
                }));
            }
            Err(failure) => failure,
        };
        let outcome = outcome(&error);
        telemetry::attempt_ended(self.tracing, attempt, outcome, None);
        let Retry {
            backoff,
            budget,
            random,
        } = self.retry;
        let limits = (backoff, budget, &**random);
        let next = self
            .policy
            .failed(Instant::now(), &error, cause, false, limits);
        match next {
            Next::Retry(after) => {
                self.meter.retried(&error, cause);
                Attempt::Again(after, RetrySpan::new(self.tracing, attempt, outcome, after))
            }
            // There is no capability to be replaced.
            Next::Refresh => Attempt::Done(Err(self.final_error(error))),
            Next::Stop(gave_up) => {
                let attempts = self.policy.attempts();
                Attempt::Done(Err(error
                    .with_executed(Executed::No)
                    .with_attempts(attempts, gave_up)))
            }
        }
    }

    /// Counts it, and says what telemetry may know of how it went.
    pub(super) fn end(&mut self, result: &Result<CallReport, SdkError>) -> CallEnd {
        match result {
            Ok(report) => self.meter.succeeded(report.elapsed),
            Err(error) => self.meter.failed(error, self.started),
        }
        connect_end(result)
    }

    /// The error of one that is not tried again for a reason of this side.
    pub(super) fn final_error(&self, error: SdkError) -> SdkError {
        error
            .with_executed(Executed::No)
            .with_attempts(self.policy.attempts(), None)
    }
}

impl Content for Connecting<'_> {
    fn begins(&self) -> Instant {
        match self.policy.attempts() {
            ..=1 => self.started,
            _ => Instant::now(),
        }
    }

    fn dial_by(&self) -> Instant {
        self.policy.dial_by()
    }

    fn write_meta(&self, _deadline_ms: u32, _out: &mut Vec<u8>) {}

    fn body(&self) -> &[u8] {
        &[]
    }

    fn while_waiting(&self) {}
}

/// What telemetry may know of how it went.
fn connect_end(result: &Result<CallReport, SdkError>) -> CallEnd {
    let (outcome, attempts) = match result {
        Ok(report) => (
            Outcome {
                error: None,
                status: None,
                executed: Executed::No,
            },
            report.attempts,
        ),
        Err(error) => (outcome(error), error.attempts()),
    };
    CallEnd {
        outcome,
        attempts,
        replayed: false,
    }
}
