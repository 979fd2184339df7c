//! What is measured while a load runs.

use super::operation::Operation;
use super::target::Outcome;
use crate::lock::lock;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::time::Duration;

/// Latencies are kept to three digits, up to two hours: twice the longest call.
const DIGITS: u8 = 3;
const LONGEST: u64 = 2 * 3600 * 1_000_000_000;

/// Counts calls and their latencies. All callers share one.
#[derive(Debug)]
pub struct Recorder {
    operations: [Mutex<Measured>; Operation::ALL.len()],
    errors: Mutex<BTreeMap<(Operation, &'static str), Errors>>,
    start_delays: Mutex<Latencies>,
    started: AtomicU64,
    ended: AtomicU64,
    failed: AtomicU64,
    missed: AtomicU64,
}

/// What was measured of one operation.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Calls that ended.
    pub calls: u64,
    /// Attempts that these calls took.
    pub attempts: u64,
    /// Those of them after a call's first.
    pub retries: u64,
    /// Bytes that they moved.
    pub bytes: u64,
    /// Messages that they brought.
    pub received: u64,
    /// How long those took that succeeded.
    pub succeeded: Latencies,
    /// How long those took that failed.
    pub failed: Latencies,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    /// How many.
    pub count: u64,
    /// What the first one said.
    pub example: String,
}

/// Durations, in a histogram that is made for the first of them.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Option<Histogram<u64>>);

impl Latencies {
    /// Counts one.
    pub fn record(&mut self, latency: Duration) {
        if self.0.is_none() {
            self.0 = Histogram::new_with_bounds(1, LONGEST, DIGITS).ok();
        }
        if let Some(histogram) = &mut self.0 {
            histogram
                .saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(LONGEST).max(1));
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// The histogram, in nanoseconds, where there is a first one.
    pub const fn histogram(&self) -> Option<&Histogram<u64>> {
        self.0.as_ref()
    }
}

/// How far a load has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Calls that have begun.
    pub started: u64,
    /// Calls that have ended.
    pub ended: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Calls that were due and never begun.
    pub missed: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            operations: std::array::from_fn(|_| Mutex::default()),
            errors: Mutex::default(),
            start_delays: Mutex::default(),
            started: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        }
    }
}

impl Recorder {
    /// A call begins.
    pub fn started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// A call begins that was due so long ago.
    pub fn started_late(&self, delay: Duration) {
        self.started();
        lock(&self.start_delays).record(delay);
    }

    /// A call was due, and there were too many already.
    pub fn missed(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    /// A call has ended.
    pub fn ended(&self, operation: Operation, latency: Duration, outcome: &Outcome) {
        {
            let mut measured = lock(&self.operations[operation as usize]);
            measured.calls += 1;
            measured.attempts += u64::from(outcome.attempts);
            measured.retries += u64::from(outcome.attempts.saturating_sub(1));
            measured.bytes += outcome.bytes;
            measured.received += u64::from(outcome.received);
            match &outcome.failure {
                None => measured.succeeded.record(latency),
                Some(_) => measured.failed.record(latency),
            }
        }
        if let Some(failure) = &outcome.failure {
            self.failed.fetch_add(1, Ordering::Relaxed);
            let mut errors = lock(&self.errors);
            let of_kind = errors.entry((operation, failure.kind.name()));
            let of_kind = of_kind.or_insert_with(|| Errors {
                count: 0,
                example: failure.text.clone(),
            });
            of_kind.count += 1;
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        Progress {
            started: self.started.load(Ordering::Relaxed),
            ended: self.ended.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            missed: self.missed.load(Ordering::Relaxed),
        }
    }

    /// What was measured of an operation.
    pub fn measured(&self, operation: Operation) -> Measured {
        lock(&self.operations[operation as usize]).clone()
    }

    /// By how much calls began after they were due.
    pub fn start_delays(&self) -> Latencies {
        lock(&self.start_delays).clone()
    }

    /// The failures.
    pub fn errors(&self) -> BTreeMap<(Operation, &'static str), Errors> {
        lock(&self.errors).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ron_app_sdk::ErrorKind;

    #[test]
    fn calls_are_counted_by_operation_and_failures_by_kind() {
        let recorder = Recorder::default();
        let millis = Duration::from_millis;
        recorder.ended(Operation::Get, millis(1), &Outcome::ok(2, 10));
        for text in ["first", "second"] {
            let failed = Outcome::failed(5, ErrorKind::Server, text);
            recorder.ended(Operation::Get, millis(9), &failed);
        }
        let get = recorder.measured(Operation::Get);
        assert_eq!((get.calls, get.attempts, get.retries), (3, 12, 9));
        assert_eq!(get.bytes, 10);
        assert_eq!((get.succeeded.count(), get.failed.count()), (1, 2));
        assert_eq!(recorder.measured(Operation::Put).calls, 0);
        let errors = recorder.errors();
        let first = Errors {
            count: 2,
            example: "first".into(),
        };
        assert_eq!(errors[&(Operation::Get, "Server")], first);
        assert_eq!(recorder.progress().failed, 2);
    }
}
