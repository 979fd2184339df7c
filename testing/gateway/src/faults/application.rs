//! Faults around the execution of a call, whichever protocol brought it.
//!
//! A reply that must not come is a future that never ends: the call keeps its slot until the client
//! cancels it or goes away, and then the future is dropped with whatever it holds.

use super::alteration::alter;
use super::fault::{Fault, Stage};
use super::latency::Quantiles;
use super::reset::ResetSwitch;
use super::Injection;
use crate::answer::Answer;
use crate::engine::Call;
use crate::gateway::Shared;
use crate::outcome::Outcome;
use bytes::Bytes;
use ron_app_sdk::oap::{ErrorReply, Executed, Reason};
use std::future::{pending, Future};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Executes a call with the faults that were decided for.
pub(crate) fn execute(
    shared: &Arc<Shared>,
    reset: &ResetSwitch,
    call: Call,
    body: Bytes,
    injections: Vec<Injection>,
) -> Answer<Outcome> {
    let (mut delay, mut before, mut after) = (Duration::ZERO, None, Vec::new());
    for injection in injections {
        match injection.fault.kind().stage() {
            Stage::Delay => delay += fire_delay(injection),
            // A call cannot be refused twice: the first one counts.
            Stage::Before if before.is_none() => before = Some(injection),
            Stage::After => after.push(injection),
            _ => {}
        }
    }
    let (shared, reset) = (Arc::clone(shared), reset.clone());
    let execute = move || match before {
        Some(injection) => refuse(injection),
        None => {
            let interrupted = call.action.interrupted();
            let settle = move |outcome| settle(outcome, after, interrupted, reset);
            match shared.engine.execute(call, body, &shared.phase) {
                Answer::Ready(outcome) => settle(outcome),
                Answer::Pending(outcome) => later(async { settle(outcome.await).wait().await }),
            }
        }
    };
    if delay.is_zero() {
        return execute();
    }
    later(async move {
        sleep(delay).await;
        execute().wait().await
    })
}

/// Executes to the end and never answers.
pub(crate) fn silence(answer: Answer<Outcome>) -> Answer<Outcome> {
    later(async {
        drop(answer.wait().await);
        pending().await
    })
}

fn later(outcome: impl Future<Output = Outcome> + Send + 'static) -> Answer<Outcome> {
    Answer::pending(outcome)
}

fn fire_delay(injection: Injection) -> Duration {
    let Fault::Latency {
        p50_ms,
        p90_ms,
        p99_ms,
    } = injection.fault
    else {
        return Duration::ZERO;
    };
    let quantiles = Quantiles {
        p50_ms,
        p90_ms,
        p99_ms,
    };
    let delay = quantiles.at(injection.share());
    injection.fire();
    delay
}

/// What comes of a call that is not executed.
fn refuse(injection: Injection) -> Answer<Outcome> {
    let outcome = match &injection.fault {
        Fault::ErrorBefore {
            reasons,
            retry_after_ms,
        } => error(&injection, reasons, *retry_after_ms, Executed::No),
        Fault::RateLimited { retry_after_ms } => {
            let reasons = [Reason::RateLimited];
            error(&injection, &reasons, *retry_after_ms, Executed::No)
        }
        Fault::CapabilityExpired => {
            let reasons = [Reason::CapabilityExpired];
            error(&injection, &reasons, None, Executed::No)
        }
        _ => {
            injection.fire();
            return later(pending());
        }
    };
    injection.fire();
    Answer::Ready(outcome)
}

/// What comes of a call that was executed.
fn settle(
    mut outcome: Outcome,
    after: Vec<Injection>,
    interrupted: Executed,
    reset: ResetSwitch,
) -> Answer<Outcome> {
    let mut delay = Duration::ZERO;
    for injection in after {
        match &injection.fault {
            Fault::DropReply => {
                injection.fire();
                return later(pending());
            }
            Fault::Reset => {
                injection.fire();
                reset.request();
                return later(pending());
            }
            Fault::LateReply { after_ms } => {
                delay += Duration::from_millis(*after_ms);
                injection.fire();
            }
            Fault::ErrorAfter {
                reasons,
                retry_after_ms,
            } => {
                // What failed has nothing to hide.
                if outcome.code < 400 {
                    outcome = error(&injection, reasons, *retry_after_ms, interrupted);
                    injection.fire();
                }
            }
            _ => {
                if alter(&mut outcome, &injection) {
                    injection.fire();
                }
            }
        }
    }
    if delay.is_zero() {
        return Answer::Ready(outcome);
    }
    later(async move {
        sleep(delay).await;
        outcome
    })
}

fn error(
    injection: &Injection,
    reasons: &[Reason],
    retry_after_ms: Option<u64>,
    executed: Executed,
) -> Outcome {
    let reason = reasons.get(injection.choose(reasons.len()));
    let reason = reason.copied().unwrap_or(Reason::Internal);
    let mut error = ErrorReply::not_executed(reason).with_detail("an injected fault");
    if matches!(reason.code(), 429 | 503) {
        error.retry_after_ms = retry_after_ms;
    }
    Outcome::error(error, executed)
}
