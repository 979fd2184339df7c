//! What a [`Metrics`](super::Metrics) has counted, as plain data.

use super::table::MetricInfo;
use std::time::Duration;

/// What was counted until now.
///
/// Counters that are 0 are left out of `requests`; `latencies`, `inflight` and `retries` have the operations that were
/// called; everything else is complete. Calls go on while it is taken, so that figures of different metrics can be
/// apart by the calls that ended meanwhile.
///
/// ```
/// use ron_app_sdk::Metrics;
///
/// let snapshot = Metrics::new().snapshot();
/// assert!(snapshot.requests.is_empty());
/// assert_eq!(snapshot.total("sdk_io_timeouts_total", &[("op", "read")]), 0.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// `sdk_requests_total`: calls that have ended.
    pub requests: Vec<RequestCount>,
    /// `sdk_request_latency_seconds`: how long calls took that returned.
    pub latencies: Vec<Latency>,
    /// `sdk_inflight_requests`: calls that are open, by operation.
    pub inflight: Vec<LabelledCount>,
    /// `sdk_backoff_retries_total`: attempts after the first one.
    pub retries: Vec<RetryCount>,
    /// `sdk_io_timeouts_total`, by `op`.
    pub io_timeouts: Vec<LabelledCount>,
    /// `sdk_oap_violations_total`, by `kind`.
    pub oap_violations: Vec<LabelledCount>,
    /// `sdk_auth_failures_total`, by `reason`.
    pub auth_failures: Vec<LabelledCount>,
    /// `sdk_integrity_verify_total`, by `outcome`.
    pub integrity_verified: Vec<LabelledCount>,
    /// `sdk_storage_put_bytes_total`: bytes of objects that were stored.
    pub storage_put_bytes: u64,
    /// `sdk_storage_get_bytes_total`: bytes of objects, or of parts of them, that were fetched.
    pub storage_get_bytes: u64,
}

/// Calls of one operation that ended in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestCount {
    /// Plane and operation, such as `storage.get`.
    pub endpoint: &'static str,
    /// `ok`, `dropped`, or the name of an [`ErrorKind`](crate::ErrorKind).
    pub outcome: &'static str,
    /// The gateway's status code, `other` where it is an unusual one, `none` where there was no answer.
    pub code: &'static str,
    /// How many.
    pub count: u64,
}

/// Retries of one operation with the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryCount {
    /// Plane and operation.
    pub endpoint: &'static str,
    /// What the attempt before came to.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
}

/// A count under one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LabelledCount {
    /// The label's value.
    pub label: &'static str,
    /// How many.
    pub count: u64,
}

/// How long the calls of one operation took that returned, failed ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// Plane and operation.
    pub endpoint: &'static str,
    /// How many calls.
    pub count: u64,
    /// How long all of them took together.
    pub sum: Duration,
    /// How many took how long.
    pub buckets: Vec<LatencyBucket>,
}

/// The calls that took longer than the bucket before, and this long at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyBucket {
    /// The bucket's upper bound; `None` for the last one, which has none.
    pub at_most: Option<Duration>,
    /// How many calls are in it and in none before.
    pub count: u64,
}

/// One number, with the name and the labels that it has in the text format.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Such as `sdk_requests_total`, or `sdk_request_latency_seconds_bucket`.
    pub name: String,
    /// Names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

impl MetricsSnapshot {
    /// All numbers one by one, as the text format has them: for languages and systems that have no use for the
    /// fields' types.
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for info in MetricInfo::all() {
            for series in self.series(info) {
                series.append_to(info, &mut samples);
            }
        }
        samples
    }

    /// The sum of the samples of this name that have these labels, among others: 0 where there are none.
    pub fn total(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &Sample, (name, value): &(&str, &str)| {
            let mut labels = sample.labels.iter();
            labels.any(|(known, known_value)| known == name && known_value == value)
        };
        let samples = self
            .samples()
            .into_iter()
            .filter(|sample| sample.name == name && labels.iter().all(|label| has(sample, label)));
        samples.map(|sample| sample.value).sum()
    }

    /// What there is of one metric.
    pub(super) fn series(&self, info: &MetricInfo) -> Vec<Series<'_>> {
        (info.read)(self)
    }
}

/// A metric's value under its labels.
pub(super) struct Series<'a> {
    pub(super) labels: Vec<(&'static str, &'static str)>,
    pub(super) value: Value<'a>,
}

pub(super) enum Value<'a> {
    Number(u64),
    Latency(&'a Latency),
}

impl<'a> Series<'a> {
    pub(super) fn number(labels: Vec<(&'static str, &'static str)>, count: u64) -> Self {
        let value = Value::Number(count);
        Self { labels, value }
    }

    /// Counts under one label.
    pub(super) fn labelled(name: &'static str, counts: &[LabelledCount]) -> Vec<Self> {
        let counts = counts.iter();
        counts
            .map(|count| Self::number(vec![(name, count.label)], count.count))
            .collect()
    }

    fn append_to(&self, info: &MetricInfo, samples: &mut Vec<Sample>) {
        let labels = || {
            self.labels
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
        };
        let mut append = |suffix: &str, le: Option<String>, value| {
            samples.push(Sample {
                name: format!("{}{suffix}", info.name),
                labels: le
                    .map(|le| ("le", le))
                    .into_iter()
                    .chain(labels())
                    .collect(),
                value,
            });
        };
        match self.value {
            // Exact up to 2^53.
            Value::Number(count) => append("", None, count as f64),
            Value::Latency(latency) => {
                append("_sum", None, latency.sum.as_secs_f64());
                append("_count", None, latency.count as f64);
                let mut count = 0;
                for bucket in &latency.buckets {
                    count += bucket.count;
                    let le = bucket.at_most.map_or("+Inf".to_owned(), |at_most| {
                        format!("{:?}", at_most.as_secs_f64())
                    });
                    append("_bucket", Some(le), count as f64);
                }
            }
        }
    }
}
