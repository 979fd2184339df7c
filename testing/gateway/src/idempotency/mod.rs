//! A mutation under an idempotency key is executed once, however often it arrives.
//!
//! The record of what came of it is made together with its effect. Between the two nothing is awaited,
//! and an execution that waits for I/O runs on a task of its own, so that no caller who goes away can
//! come between them either.

mod config;
mod key;
#[cfg(test)]
mod model;
mod receipt;
mod records;
#[cfg(test)]
mod tests;

pub use config::{Deduplication, IdempotencyLimits};
pub(crate) use key::{Fingerprint, OperationKey, Owner};
pub(crate) use receipt::Receipt;

use crate::answer::Answer;
use crate::defect::{Defect, REMEMBERED_WITH_DEFECT};
use crate::metrics::IdempotencyMetrics;
use crate::outcome::{OnReplied, Outcome};
use records::{Begin, Records};
use ron_app_sdk::oap::{ErrorReply, Executed, Reason};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;

/// For the same request to end, before the caller is told to ask again.
const PATIENCE: Duration = Duration::from_millis(300);
/// When to ask again then.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// A mutation under a key.
pub(crate) struct KeyedRequest {
    pub(crate) key: OperationKey,
    pub(crate) fingerprint: Fingerprint,
}

/// Executes mutations once per key.
pub(crate) struct Idempotency {
    records: Mutex<Records<Receipt>>,
    limits: IdempotencyLimits,
    metrics: IdempotencyMetrics,
}

impl Idempotency {
    pub(crate) fn new(
        limits: IdempotencyLimits,
        deduplication: Deduplication,
        defect: Option<Defect>,
    ) -> Arc<Self> {
        let mut records = Records::new(limits, deduplication);
        if defect == Some(Defect::EarlyEviction) {
            records.remember_only(REMEMBERED_WITH_DEFECT);
        }
        Arc::new(Self {
            records: Mutex::new(records),
            limits,
            metrics: IdempotencyMetrics::default(),
        })
    }

    pub(crate) fn metrics(&self) -> IdempotencyMetrics {
        self.metrics.clone()
    }

    /// Executes the request, or answers with what came of it before.
    ///
    /// Where `execute` fails with [`Executed::No`], the key is free again.
    pub(crate) fn run<E>(self: &Arc<Self>, request: KeyedRequest, execute: E) -> Answer<Outcome>
    where
        E: FnOnce() -> Answer<Result<Receipt, ErrorReply>> + Send + 'static,
    {
        match self.begin(&request) {
            Turn::Execute(running) => running.execute(execute),
            Turn::Wait(ended) => {
                let waiting = Arc::clone(self).wait(request, ended, execute);
                Answer::pending(waiting)
            }
            Turn::Answer(outcome) => Answer::Ready(outcome),
        }
    }

    /// Whoever waits may find the key free, and executes the request then.
    async fn wait<E>(
        self: Arc<Self>,
        request: KeyedRequest,
        mut ended: watch::Receiver<()>,
        execute: E,
    ) -> Outcome
    where
        E: FnOnce() -> Answer<Result<Receipt, ErrorReply>> + Send + 'static,
    {
        let turn = timeout(PATIENCE, async {
            loop {
                // Nothing is ever sent: an error means that the execution has ended.
                let _ = ended.changed().await;
                match self.begin(&request) {
                    Turn::Wait(again) => ended = again,
                    Turn::Execute(running) => break running.execute(execute),
                    Turn::Answer(outcome) => break Answer::Ready(outcome),
                }
            }
        });
        match turn.await {
            Ok(answer) => answer.wait().await,
            Err(_elapsed) => {
                self.metrics.in_progress.inc();
                let error = ErrorReply::not_executed(Reason::IdempotencyInProgress);
                Outcome::error(error.with_retry_after(RETRY_AFTER), Executed::Unknown)
            }
        }
    }

    fn begin(self: &Arc<Self>, request: &KeyedRequest) -> Turn {
        let KeyedRequest { key, fingerprint } = request;
        let refuse = |reason, detail: String, executed| {
            let error = ErrorReply::not_executed(reason).with_detail(detail);
            Turn::Answer(Outcome::error(error, executed))
        };
        match self.change(|records, now| records.begin(key, *fingerprint, now)) {
            Begin::Run => Turn::Execute(Running {
                idempotency: Arc::clone(self),
                key: key.clone(),
                phase: Phase::Reserved,
            }),
            Begin::Wait(ended) => Turn::Wait(ended),
            Begin::Replay(receipt) => {
                self.metrics.replays.inc();
                Turn::Answer(receipt.outcome(true))
            }
            Begin::Mismatch => {
                self.metrics.mismatches.inc();
                let detail = "the key was used for another request".to_owned();
                refuse(Reason::IdempotencyMismatch, detail, Executed::No)
            }
            Begin::InDoubt => {
                let detail = "the execution under this key broke off".to_owned();
                refuse(Reason::Internal, detail, Executed::Unknown)
            }
            Begin::Full => {
                let limit = self.limits.max_keys;
                let detail = format!("the gateway remembers at most {limit} idempotency keys");
                refuse(Reason::Unavailable, detail, Executed::No)
            }
            Begin::SubjectFull => {
                let limit = self.limits.max_keys_per_subject;
                let detail = format!("a subject has at most {limit} idempotency keys at a time");
                refuse(Reason::RateLimited, detail, Executed::No)
            }
        }
    }

    /// Changes the records and shows how many there are.
    fn change<T>(&self, change: impl FnOnce(&mut Records<Receipt>, Instant) -> T) -> T {
        // No change calls anything that is not ours: a panic elsewhere has left none half done.
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        // The runtime's clock, which a test can move; read here, so that it never goes back.
        let now = tokio::time::Instant::now().into_std();
        let result = change(&mut records, now);
        let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
        self.metrics.records.set(count);
        result
    }
}

/// What a request is to do now.
enum Turn {
    Execute(Running),
    Wait(watch::Receiver<()>),
    Answer(Outcome),
}

/// The permission to execute a mutation. However it is lost, the key does not stay locked.
struct Running {
    idempotency: Arc<Idempotency>,
    key: OperationKey,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was done, or nothing is to be known about it.
    Reserved,
    Executing,
    Over,
}

impl Running {
    fn execute(
        mut self,
        execute: impl FnOnce() -> Answer<Result<Receipt, ErrorReply>>,
    ) -> Answer<Outcome> {
        self.phase = Phase::Executing;
        match execute() {
            Answer::Ready(result) => Answer::Ready(self.finish(result)),
            Answer::Pending(result) => {
                let task = tokio::spawn(async move { self.finish(result.await) });
                Answer::pending(async move {
                    task.await.unwrap_or_else(|_panicked| {
                        let error = ErrorReply::not_executed(Reason::Internal);
                        Outcome::error(error, Executed::Unknown)
                    })
                })
            }
        }
    }

    fn finish(mut self, result: Result<Receipt, ErrorReply>) -> Outcome {
        let receipt = match result {
            Ok(receipt) => receipt,
            Err(error) => {
                let executed = error.executed;
                if executed == Executed::No {
                    self.phase = Phase::Reserved;
                }
                return Outcome::error(error, executed);
            }
        };
        let record = receipt.clone();
        let key = &self.key;
        let later = self
            .idempotency
            .change(|records, now| records.committed(key, record, now));
        let outcome = receipt.outcome(false);
        let Some(record) = later else {
            self.phase = Phase::Over;
            return outcome;
        };
        // As it was asked for: a reply that is dropped drops this, and with it the knowledge.
        self.phase = Phase::Reserved;
        outcome.on_replied(OnReplied::new(move || self.record(record)))
    }

    fn record(mut self, receipt: Receipt) {
        self.phase = Phase::Over;
        let key = &self.key;
        self.idempotency
            .change(|records, now| records.record(key, receipt, now));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let (phase, key) = (self.phase, &self.key);
        match phase {
            Phase::Reserved => self.idempotency.change(|records, _| records.release(key)),
            // A store that panicked, or a runtime that ends: there may be an effect.
            Phase::Executing => self
                .idempotency
                .change(|records, now| records.abandon(key, now)),
            Phase::Over => {}
        }
    }
}
