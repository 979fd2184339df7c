//! One call from the application's view: validate, take the deadline, attempt, classify, record.

mod report;

pub use report::{CallReport, Plain, Report, Reported};

use crate::capability::CapabilitySource;
use crate::config::{check_duration, SdkConfig, CALL_LIMIT};
use crate::error::{ErrorKind, SdkError};
use crate::idempotency::IdemKey;
use crate::oap::{CallContext, Executed, Operation, MAX_CAPABILITY};
use crate::transport::{Exchange, Failure, Reply};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Calls of one client that are open or wait for a slot: 1,024 in flight and 16,384 behind them.
const MAX_CALLS: usize = 1024 + 16_384;

/// An operation of a plane: what it sends and what it makes of the answer.
pub(crate) trait PlaneCall {
    /// What the application gets.
    type Output;

    /// What to ask the gateway for.
    fn operation(&self) -> Operation<'_>;

    /// The request's body.
    fn body(&self) -> &[u8] {
        &[]
    }

    /// Reads a successful answer.
    fn complete(self, reply: Reply) -> Result<Answer<Self::Output>, SdkError>;
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

/// What a call is made with.
#[derive(Clone, Debug)]
pub(crate) struct CallSettings {
    pub(crate) capability: CapabilitySource,
    pub(crate) limit: Duration,
    pub(crate) idem: Option<IdemKey>,
}

/// A client: its settings, its transport, its open calls.
pub(crate) struct Core<T> {
    pub(crate) config: SdkConfig,
    pub(crate) transport: T,
    calls: AtomicUsize,
}

impl<T> Core<T> {
    pub(crate) const fn new(config: SdkConfig, transport: T) -> Self {
        Self {
            config,
            transport,
            calls: AtomicUsize::new(0),
        }
    }

    /// Checks the settings and counts the call in, before any I/O.
    pub(crate) fn begin<C: PlaneCall>(
        &self,
        settings: CallSettings,
        call: C,
    ) -> Result<Attempt<'_, C>, SdkError> {
        let started = Instant::now();
        check_duration("timeout", settings.limit, CALL_LIMIT)?;
        debug_assert!(settings.capability.current().expose().len() <= MAX_CAPABILITY);
        let is_mutation = call.operation().is_mutation();
        let idem = match settings.idem {
            Some(key) => Some(key),
            None if is_mutation && self.config.idempotency.enabled => {
                Some(IdemKey::random().map_err(|error| {
                    SdkError::new(ErrorKind::Internal, format!("no randomness: {error}"))
                })?)
            }
            None => None,
        };
        let _open = OpenCall::count_in(&self.calls)?;
        Ok(Attempt {
            call,
            capability: settings.capability,
            context: CallContext {
                deadline_ms: 0,
                idem,
                attempt: 1,
                traceparent: None,
            },
            started,
            deadline: started + settings.limit,
            is_mutation,
            _open,
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

/// A call on its way.
pub(crate) struct Attempt<'a, C> {
    call: C,
    capability: CapabilitySource,
    context: CallContext,
    started: Instant,
    deadline: Instant,
    is_mutation: bool,
    _open: OpenCall<'a>,
}

impl<C: PlaneCall> Attempt<'_, C> {
    /// Appends the request's meta.
    pub(crate) fn write_meta(&self, deadline_ms: u32, out: &mut Vec<u8>) {
        let context = CallContext {
            deadline_ms,
            ..self.context.clone()
        };
        self.call.operation().encode(&context, out);
    }

    /// What the transport needs to know, with [`Attempt::write_meta`] as `write_meta`.
    pub(crate) fn exchange<'a>(
        &'a self,
        write_meta: &'a (dyn Fn(u32, &mut Vec<u8>) + Sync),
    ) -> Exchange<'a> {
        Exchange {
            plane: self.call.operation().plane(),
            capability: self.capability.current().expose(),
            write_meta,
            body: self.call.body(),
            deadline: self.deadline,
        }
    }

    /// Reads what came of it.
    pub(crate) fn finish(
        self,
        result: Result<Reply, Failure>,
    ) -> Result<(C::Output, CallReport), SdkError> {
        let attempts = u32::from(self.context.attempt);
        let answer = match result {
            Err(failure) => Err(failure.error),
            Ok(reply) => match reply.code {
                200..=299 => self.call.complete(reply),
                400.. => Err(SdkError::refused(
                    reply.code,
                    serde_json::from_slice(&reply.meta),
                )),
                code => Err(SdkError::new(
                    ErrorKind::Unknown,
                    format!("the gateway answered {code}, which the protocol does not define"),
                )
                .with_executed(Executed::Unknown)),
            },
        };
        match answer {
            Ok(answer) => Ok((
                answer.value,
                CallReport {
                    attempts,
                    replayed: answer.replayed,
                    executed: answer.executed,
                    elapsed: self.started.elapsed(),
                },
            )),
            Err(error) if self.is_mutation => Err(error.with_attempts(attempts)),
            Err(error) => Err(error.with_executed(Executed::No).with_attempts(attempts)),
        }
    }
}

/// Counts a call as open until it is dropped.
struct OpenCall<'a>(&'a AtomicUsize);

impl<'a> OpenCall<'a> {
    fn count_in(calls: &'a AtomicUsize) -> Result<Self, SdkError> {
        let open = Self(calls);
        if calls.fetch_add(1, Ordering::Relaxed) < MAX_CALLS {
            Ok(open)
        } else {
            Err(SdkError::new(
                ErrorKind::Busy,
                format!("{MAX_CALLS} calls of this client are open or waiting already"),
            ))
        }
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn calls_beyond_the_limit_are_refused_and_the_count_returns_to_zero() {
        let calls = AtomicUsize::new(MAX_CALLS - 1);
        let last = OpenCall::count_in(&calls).unwrap();
        let refused = OpenCall::count_in(&calls).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Busy);
        drop(last);
        assert_eq!(calls.load(Ordering::Relaxed), MAX_CALLS - 1);
    }
}
