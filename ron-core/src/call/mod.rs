//! One call from the application's view: validate, take the deadline, attempt, classify, back off, try again.

mod asynchronous;
mod blocking;
mod connect;
mod meter;
mod open_calls;
mod report;

use meter::Meter;
use open_calls::{OpenCall, OpenCalls, Waiter};

pub use report::{CallReport, Plain, Report, Reported};

use crate::address::AddrB3;
use crate::cache::ObjectCache;
use crate::capability::{Capability, CapabilitySource, Wanted};
use crate::config::{check_duration, SdkConfig, CALL_LIMIT};
use crate::error::{ErrorKind, SdkError};
use crate::idempotency::IdemKey;
use crate::metrics::{AuthFailure, Call, End, Metrics, Verification};
use crate::oap::{CallContext, EffectReply, ErrorReply, Executed, Operation};
use crate::process::Origin;
use crate::retry::{
    attempt_timeout, Backoff, CallPolicy, Cause, GaveUp, Next, Random, RetryBudget,
};
use crate::stats::ClientStats;
use crate::telemetry::{self, CallEnd, CallSpan, Outcome, RetrySpan, Tracing};
use crate::trace_parent::TraceParent;
use crate::transport::endpoint::Endpoint;
use crate::transport::{ConnectionId, Content, Exchange, Failure, Reply};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An operation of a plane: what it sends and what it makes of the answer.
pub(crate) trait PlaneCall {
    /// What the application gets.
    type Output;

    /// What to ask the gateway for.
    fn operation(&self) -> Operation<'_>;

    /// What to ask the gateway for where the call has so much time left.
    fn operation_within(&self, _left: Duration) -> Operation<'_> {
        self.operation()
    }

    /// Takes from the capability what the call needs to know of it, before the first attempt.
    fn bind(&mut self, _capability: &Capability) -> Result<(), SdkError> {
        Ok(())
    }

    /// For how long the gateway is asked to wait before it answers, where the call has so much time left.
    fn wait(&self, _left: Duration) -> Duration {
        Duration::ZERO
    }

    /// What the call fetches, where that can be kept.
    fn cacheable(&self) -> Option<AddrB3> {
        None
    }

    /// The result that was kept.
    fn restore(&self, _object: Bytes) -> Option<Self::Output> {
        None
    }

    /// What to keep of a result.
    fn part_to_keep<'a>(&self, _output: &'a Self::Output) -> Option<&'a Bytes> {
        None
    }

    /// The request's body.
    fn body(&self) -> &[u8] {
        &[]
    }

    /// Whether reading the answer means to hash its body.
    fn hashes_reply(&self) -> bool {
        false
    }

    /// Whether reading the answer means to compare bytes with their address.
    fn verifies(&self) -> bool {
        self.hashes_reply()
    }

    /// Does beforehand what it takes to read the answer.
    fn while_waiting(&self) {}

    /// Reads a successful answer.
    fn complete(&self, reply: Reply) -> Result<Answer<Self::Output>, SdkError>;
}

/// A successful answer, read.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    pub(crate) executed: Executed,
    pub(crate) replayed: bool,
}

impl<T> Answer<T> {
    /// Of a read, which has no effect.
    pub(crate) const fn of_read(value: T) -> Self {
        Self {
            value,
            executed: Executed::No,
            replayed: false,
        }
    }
}

impl Answer<()> {
    /// Of a mutation that returns nothing.
    pub(crate) const fn of_effect(effect: EffectReply) -> Self {
        Self {
            value: (),
            executed: effect.executed,
            replayed: effect.replayed,
        }
    }
}

/// What a call is made with.
#[derive(Clone, Debug)]
pub(crate) struct CallSettings {
    pub(crate) capability: CapabilitySource,
    pub(crate) limit: Duration,
    pub(crate) idem: Option<IdemKey>,
    pub(crate) traceparent: Option<TraceParent>,
}

/// A client: its settings, its transport, its open calls.
pub(crate) struct Core<T> {
    pub(crate) config: SdkConfig,
    pub(crate) transport: T,
    pub(crate) metrics: Metrics,
    pub(crate) tracing: Tracing,
    retry: Retry,
    cache: Option<ObjectCache>,
    calls: OpenCalls,
    origin: Origin,
}

/// What the retries of all calls share.
struct Retry {
    backoff: Backoff,
    budget: RetryBudget,
    random: Arc<Random>,
}

impl<T> Core<T> {
    /// `random`, `metrics` and `tracing` are the transport's too.
    pub(crate) fn new(
        config: SdkConfig,
        transport: T,
        random: Arc<Random>,
        metrics: Metrics,
        tracing: Tracing,
    ) -> Self {
        Self {
            retry: Retry {
                backoff: Backoff::new(&config.backoff),
                budget: RetryBudget::new(),
                random,
            },
            cache: ObjectCache::new(&config.cache),
            config,
            transport,
            metrics,
            tracing,
            calls: OpenCalls::new(),
            origin: Origin::here(),
        }
    }

    /// Calls that are open or wait for a slot.
    pub(crate) fn open_calls(&self) -> usize {
        self.calls.count()
    }

    /// Whether a process that is not the client's own drops it: then nothing of it may be dropped.
    pub(crate) fn is_inherited(&self) -> bool {
        !self.origin.is_here()
    }

    /// What there is at the moment; `transport` adds what it has. Nothing in a forked child.
    fn stats_with(&self, transport: impl FnOnce() -> ClientStats) -> ClientStats {
        if self.is_inherited() {
            return ClientStats::default();
        }
        let (cached_objects, cached_bytes) = self.cache.as_ref().map_or((0, 0), ObjectCache::size);
        ClientStats {
            open_calls: self.open_calls(),
            cached_objects,
            cached_bytes,
            ..transport()
        }
    }

    /// Ends what is left of a closed client, and says how many calls that was.
    fn end(&self, have_all_ended: bool, close_transport: impl FnOnce()) -> usize {
        let left = if have_all_ended { 0 } else { self.open_calls() };
        self.calls.cut_off();
        close_transport();
        self.cache.iter().for_each(ObjectCache::clear);
        left
    }

    /// Checks the settings and counts the call in, before any I/O.
    pub(crate) fn begin<C: PlaneCall>(
        &self,
        settings: CallSettings,
        call: C,
    ) -> Result<Running<'_, C>, SdkError> {
        let counted = Call::of(&call.operation());
        let running = self.admit(settings, call, counted);
        if let Err(error) = &running {
            let refused = End::Failed(error.kind(), None);
            self.metrics.refused(counted, refused);
        }
        running
    }

    fn admit<C: PlaneCall>(
        &self,
        settings: CallSettings,
        mut call: C,
        counted: Call,
    ) -> Result<Running<'_, C>, SdkError> {
        self.origin.check()?;
        let started = Instant::now();
        let CallSettings {
            capability: source,
            limit,
            idem,
            traceparent,
        } = settings;
        check_duration("timeout", limit, CALL_LIMIT)?;
        source.check_origin()?;
        let (is_read, is_keyed) = {
            let operation = call.operation();
            (!operation.is_mutation(), operation.is_keyed())
        };
        let idem = match idem.filter(|_| is_keyed) {
            Some(key) => Some(key),
            None if is_keyed && self.config.idempotency.enabled => Some(IdemKey::fresh()?),
            None => None,
        };
        // What takes no key can be repeated as it is.
        let is_repeatable = idem.is_some() || !is_keyed;
        let open = self.calls.enter()?;
        let tracing = self.tracing.is_enabled();
        let token = match source.token() {
            Ok(token) => {
                call.bind(token)?;
                Some((token.clone(), 0))
            }
            Err(_) => None,
        };
        Ok(Running {
            cache: self.cache.as_ref(),
            retry: &self.retry,
            policy: CallPolicy::new(is_read, is_repeatable, started, limit),
            token,
            source,
            expired: None,
            call,
            context: CallContext {
                deadline_ms: 0,
                idem,
                attempt: 0,
                traceparent: tracing
                    .then_some(traceparent)
                    .flatten()
                    .map(|parent| parent.as_str().to_owned()),
            },
            tracing,
            started,
            meter: Meter::begin(&self.metrics, counted),
            open,
        })
    }
}

impl<T> std::fmt::Debug for Core<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("gateway_addr", &self.config.gateway_addr)
            .finish_non_exhaustive()
    }
}

/// A call on its way, from attempt to attempt.
pub(crate) struct Running<'a, C> {
    cache: Option<&'a ObjectCache>,
    retry: &'a Retry,
    policy: CallPolicy,
    source: CapabilitySource,
    /// The capability, with the round of the provider that brought it.
    token: Option<(Capability, u64)>,
    /// The gateway's answer to the capability that has to be replaced, and the round of that.
    expired: Option<(SdkError, u64)>,
    call: C,
    context: CallContext,
    /// Whether the call tells anything of itself.
    tracing: bool,
    started: Instant,
    meter: Meter<'a>,
    open: OpenCall<'a>,
}

/// What came of an attempt.
enum Conclusion<T> {
    Done(Result<(T, CallReport), SdkError>),
    Again {
        after: Duration,
        /// The connection that is not to be used again.
        leave: Option<ConnectionId>,
        span: RetrySpan,
    },
}

impl<C: PlaneCall> Running<'_, C> {
    /// The span that the call is made in.
    fn span(&self, gateway: &Endpoint) -> CallSpan {
        let operation = self.call.operation();
        let name = (operation.plane(), operation.name());
        let body_len = self.call.body().len();
        CallSpan::new(
            self.tracing,
            name,
            gateway,
            self.limit(),
            body_len,
            self.started,
        )
    }

    /// Finds out in which trace the call is made, where it was not told.
    fn join_trace(&mut self, span: &CallSpan, tracing: &Tracing) {
        if let Some(context) = tracing.context().filter(|_| self.tracing) {
            if self.context.traceparent.is_none() {
                let current = span.run(|| context.current());
                self.context.traceparent = current.map(|parent| parent.as_str().to_owned());
            }
        }
    }

    /// For the whole call.
    fn limit(&self) -> Duration {
        self.policy.deadline() - self.started
    }

    /// A place to wait for the end of the client at.
    fn waiter(&self) -> Waiter<'_> {
        self.open.waiter()
    }

    /// The provider to wait for, where there is no token to go with.
    fn wanted(&self) -> Option<Wanted> {
        match (&self.token, self.source.token()) {
            (None, Err(provided)) => {
                let expired = self.expired.as_ref().map_or(0, |(_, round)| *round);
                Some(Wanted::new(provided, expired))
            }
            _ => None,
        }
    }

    /// The provider's answer; `None` where the call's time ran out first.
    fn take_token(
        &mut self,
        answer: Option<Result<(Capability, u64), SdkError>>,
    ) -> Result<(), SdkError> {
        let failure = match answer {
            Some(Ok(token)) => return self.use_token(token),
            Some(Err(error))
                if matches!(error.kind(), ErrorKind::Closed | ErrorKind::Cancelled) =>
            {
                error
            }
            answer => {
                self.meter.metrics().auth_failed(AuthFailure::Provider);
                match (answer, self.expired.take()) {
                    (Some(Err(error)), Some((expired, _))) => expired.with_source(error),
                    (Some(Err(error)), None) => error,
                    _ => SdkError::new(
                        ErrorKind::DeadlineExceeded,
                        "the call's time ran out while waiting for the capability provider",
                    ),
                }
            }
        };
        Err(self.final_error(failure, None))
    }

    fn use_token(&mut self, token: (Capability, u64)) -> Result<(), SdkError> {
        self.call.bind(&token.0)?;
        self.token = Some(token);
        Ok(())
    }

    /// What was kept of the same call, where it needs no attempt.
    fn kept(&self) -> Option<(C::Output, CallReport)> {
        let (cache, (capability, _)) = (self.cache?, self.token.as_ref()?);
        let address = self
            .call
            .cacheable()
            .filter(|_| self.policy.attempts() == 0)?;
        let object = cache.get(capability, address, Instant::now())?;
        let answer = Answer::of_read(self.call.restore(object)?);
        let report = self.report(&answer);
        Some((answer.value, report))
    }

    fn keep(&self, output: &C::Output) {
        if let (Some(cache), Some((capability, _))) = (self.cache, &self.token) {
            if let (Some(address), Some(object)) =
                (self.call.cacheable(), self.call.part_to_keep(output))
            {
                cache.put(capability, address, object, Instant::now());
            }
        }
    }

    fn report(&self, answer: &Answer<C::Output>) -> CallReport {
        CallReport {
            attempts: self.policy.attempts(),
            replayed: answer.replayed,
            executed: answer.executed,
            elapsed: self.started.elapsed(),
        }
    }

    fn begin_attempt(&mut self) {
        self.policy.begin_attempt();
        telemetry::attempt_begun(self.tracing, self.policy.attempts());
        self.context.attempt = u8::try_from(self.policy.attempts()).unwrap_or(u8::MAX);
    }

    /// What the transport needs to know.
    fn exchange(&self) -> Exchange<'_>
    where
        C: Sync,
    {
        let deadline = self.policy.deadline();
        let left = deadline.saturating_duration_since(self.begins());
        Exchange {
            plane: self.call.operation().plane(),
            capability: self.token.as_ref().map_or(&[], |(token, _)| token.expose()),
            content: self,
            deadline,
            hashes_reply: self.call.hashes_reply(),
            answer_within: attempt_timeout(self.limit()) + self.call.wait(left),
            probes: false,
        }
    }

    /// Reads what came of an attempt, and decides what follows.
    fn conclude(&mut self, result: Result<Reply, Failure>) -> Conclusion<C::Output> {
        let attempt = self.policy.attempts();
        let (error, cause, connection) = match result {
            Ok(reply) => {
                let connection = reply.connection;
                let (status, reply_bytes) = (reply.code, reply.body.len());
                let read = || self.read(reply);
                match telemetry::decode(self.tracing, attempt, status, reply_bytes, read) {
                    Ok(answer) => {
                        let outcome = Outcome {
                            error: None,
                            status: Some(status),
                            executed: answer.executed,
                        };
                        telemetry::attempt_ended(
                            self.tracing,
                            attempt,
                            outcome,
                            Some(connection.number()),
                        );
                        self.policy.succeeded(&self.retry.budget);
                        // The object is in the one or in the other.
                        let bytes = reply_bytes + self.call.body().len();
                        self.meter.answered(status, bytes);
                        self.keep(&answer.value);
                        let report = self.report(&answer);
                        return Conclusion::Done(Ok((answer.value, report)));
                    }
                    Err(error) => (error, Cause::Ordinary, Some(connection)),
                }
            }
            Err(failure) => (failure.error, failure.cause, None),
        };
        let outcome = outcome(&error);
        let number = connection.map(ConnectionId::number);
        telemetry::attempt_ended(self.tracing, attempt, outcome, number);
        let Retry {
            backoff,
            budget,
            random,
        } = self.retry;
        let can_refresh = self.source.token().is_err();
        let limits = (backoff, budget, &**random);
        let now = Instant::now();
        let next = self.policy.failed(now, &error, cause, can_refresh, limits);
        if matches!(next, Next::Retry(_) | Next::Refresh) {
            self.meter.retried(&error, cause);
        }
        let leave = connection.filter(|_| error.kind() == ErrorKind::IntegrityMismatch);
        match next {
            Next::Retry(after) => Conclusion::Again {
                after,
                leave,
                span: RetrySpan::new(self.tracing, attempt, outcome, after),
            },
            Next::Refresh => {
                let round = self.token.take().map_or(0, |(_, round)| round);
                self.expired = Some((error, round));
                Conclusion::Again {
                    after: Duration::ZERO,
                    leave: None,
                    span: RetrySpan::new(self.tracing, attempt, outcome, Duration::ZERO),
                }
            }
            Next::Stop(gave_up) => Conclusion::Done(Err(self.final_error(error, gave_up))),
        }
    }

    fn read(&self, reply: Reply) -> Result<Answer<C::Output>, SdkError> {
        match reply.code {
            200..=299 => {
                let answer = self.call.complete(reply);
                match &answer {
                    Ok(_) if self.call.verifies() => self.meter.verified(Verification::Ok),
                    Err(error) if error.kind() == ErrorKind::IntegrityMismatch => {
                        self.meter.verified(Verification::Mismatch);
                    }
                    _ => {}
                }
                answer
            }
            400.. => {
                let refusal: Result<ErrorReply, _> = serde_json::from_slice(&reply.meta);
                let reason = refusal.as_ref().ok().map(|refusal| refusal.reason);
                if let Some(reason) = AuthFailure::of(reply.code, reason) {
                    self.meter.metrics().auth_failed(reason);
                }
                Err(SdkError::refused(reply.code, refusal))
            }
            code => Err(SdkError::new(
                ErrorKind::Unknown,
                format!("the gateway answered {code}, which the protocol does not define"),
            )
            .with_executed(Executed::Unknown)),
        }
    }

    /// Counts the call as one that has returned, and says what telemetry may know of its result.
    fn end<T>(&mut self, result: &Result<(T, CallReport), SdkError>) -> CallEnd {
        match result {
            Ok((_, report)) => self.meter.succeeded(report.elapsed),
            Err(error) => self.meter.failed(error, self.started),
        }
        call_end(result)
    }

    /// The call goes on in the process in which it began; what comes of it there, this one cannot know.
    fn left_behind(&mut self, forked: SdkError) -> SdkError {
        if self.policy.attempts() == 0 {
            return forked;
        }
        self.policy.note(Executed::Unknown);
        self.final_error(forked, None)
    }

    fn final_error(&self, error: SdkError, gave_up: Option<GaveUp>) -> SdkError {
        error
            .with_executed(self.policy.executed())
            .with_attempts(self.policy.attempts(), gave_up)
    }
}

impl<C: PlaneCall> Content for Running<'_, C> {
    fn begins(&self) -> Instant {
        // A first attempt begins with its call.
        match self.policy.attempts() {
            ..=1 => self.started,
            _ => Instant::now(),
        }
    }

    fn dial_by(&self) -> Instant {
        self.policy.dial_by()
    }

    fn write_meta(&self, deadline_ms: u32, out: &mut Vec<u8>) {
        let context = CallContext {
            deadline_ms,
            ..self.context.clone()
        };
        let left = Duration::from_millis(deadline_ms.into());
        self.call.operation_within(left).encode(&context, out);
    }

    fn body(&self) -> &[u8] {
        self.call.body()
    }

    fn while_waiting(&self) {
        self.call.while_waiting();
    }
}

/// What telemetry may know of an error.
fn outcome(error: &SdkError) -> Outcome {
    Outcome {
        error: Some(error.kind()),
        status: error.status(),
        executed: error.executed(),
    }
}

/// What telemetry may know of a call's result.
fn call_end<T>(result: &Result<(T, CallReport), SdkError>) -> CallEnd {
    match result {
        Ok((_, report)) => CallEnd {
            outcome: Outcome {
                error: None,
                status: None,
                executed: report.executed,
            },
            attempts: report.attempts,
            replayed: report.replayed,
        },
        Err(error) => CallEnd {
            outcome: outcome(error),
            attempts: error.attempts(),
            replayed: false,
        },
    }
}
