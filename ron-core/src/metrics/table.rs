//! Every metric: its name, what it is, its labels and their values. `docs/OBSERVABILITY.md` is held to this.

use super::ends::{self, ENDS};
use super::label::{AuthFailure, Call, IoTimeout, RetryReason, Verification, VIOLATIONS};
use super::snapshot::{MetricsSnapshot, Series, Value};

/// One of the SDK's metrics.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MetricInfo {
    /// Its name, the same in every language.
    pub name: &'static str,
    /// What it counts, as a sentence.
    pub help: &'static str,
    /// What to do about it.
    pub check: &'static str,
    /// How it counts.
    pub kind: MetricKind,
    labels: &'static [Label],
    pub(super) read: fn(&MetricsSnapshot) -> Vec<Series<'_>>,
}

/// How a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// It counts durations by how long they are.
    Histogram,
}

#[derive(Clone, Copy, Debug)]
struct Label {
    name: &'static str,
    values: fn() -> Vec<&'static str>,
}

const ENDPOINT: Label = Label {
    name: "endpoint",
    values: || Call::TEXTS.to_vec(),
};

const TABLE: [MetricInfo; 10] = [
    MetricInfo {
        name: "sdk_requests_total",
        help: "Calls that have ended, by how they did.",
        check: "see docs/ERRORS.md for what each outcome means; `ok` with code `none` needed no answer",
        kind: MetricKind::Counter,
        labels: &[
            ENDPOINT,
            Label {
                name: "outcome",
                values: || distinct((0..ENDS).map(|place| ends::labels(place).0)),
            },
            Label {
                name: "code",
                values: || distinct((0..ENDS).map(|place| ends::labels(place).1)),
            },
        ],
        read: |snapshot| {
            let requests = snapshot.requests.iter().map(|request| {
                let labels = vec![
                    ("endpoint", request.endpoint),
                    ("outcome", request.outcome),
                    ("code", request.code),
                ];
                Series::number(labels, request.count)
            });
            requests.collect()
        },
    },
    MetricInfo {
        name: "sdk_request_latency_seconds",
        help: "How long calls took that returned, with all their attempts.",
        check: "compare with the retries of the same endpoint, then with the gateway's own times",
        kind: MetricKind::Histogram,
        labels: &[ENDPOINT],
        read: |snapshot| {
            let latencies = snapshot.latencies.iter().map(|latency| Series {
                labels: vec![("endpoint", latency.endpoint)],
                value: Value::Latency(latency),
            });
            latencies.collect()
        },
    },
    MetricInfo {
        name: "sdk_inflight_requests",
        help: "Calls that are open, those included that wait for a slot or for their next attempt.",
        check: "a number that only rises means that calls wait longer than they are made: make fewer at once",
        kind: MetricKind::Gauge,
        labels: &[ENDPOINT],
        read: |snapshot| Series::labelled("endpoint", &snapshot.inflight),
    },
    MetricInfo {
        name: "sdk_backoff_retries_total",
        help: "Attempts after the first one, by what the one before came to.",
        check: "look for the gateway's state and load; do not raise `backoff.max_attempts` first",
        kind: MetricKind::Counter,
        labels: &[
            ENDPOINT,
            Label {
                name: "reason",
                values: || RetryReason::TEXTS.to_vec(),
            },
        ],
        read: |snapshot| {
            let retries = snapshot.retries.iter().map(|retry| {
                let labels = vec![("endpoint", retry.endpoint), ("reason", retry.reason)];
                Series::number(labels, retry.count)
            });
            retries.collect()
        },
    },
    MetricInfo {
        name: "sdk_io_timeouts_total",
        help: "Times that the gateway took longer with something than it may.",
        check: "check the network and the gateway's load; `connect`, `read` and `write` have the settings `timeouts.…`",
        kind: MetricKind::Counter,
        labels: &[Label {
            name: "op",
            values: || IoTimeout::TEXTS.to_vec(),
        }],
        read: |snapshot| Series::labelled("op", &snapshot.io_timeouts),
    },
    MetricInfo {
        name: "sdk_oap_violations_total",
        help: "Connections that ended because the gateway broke the protocol.",
        check: "check that the peer is a RON gateway of a known version, and what is between it and the SDK",
        kind: MetricKind::Counter,
        labels: &[Label {
            name: "kind",
            values: || VIOLATIONS.to_vec(),
        }],
        read: |snapshot| Series::labelled("kind", &snapshot.oap_violations),
    },
    MetricInfo {
        name: "sdk_auth_failures_total",
        help: "Attempts whose capability did not do, and providers that handed out none.",
        check: "`expired`: give the SDK a provider, or check its clock; others: check what hands out capabilities",
        kind: MetricKind::Counter,
        labels: &[Label {
            name: "reason",
            values: || AuthFailure::TEXTS.to_vec(),
        }],
        read: |snapshot| Series::labelled("reason", &snapshot.auth_failures),
    },
    MetricInfo {
        name: "sdk_integrity_verify_total",
        help: "Answers whose bytes were compared with their address.",
        check: "any `mismatch`: check the gateway's storage and what is between it and the SDK",
        kind: MetricKind::Counter,
        labels: &[Label {
            name: "outcome",
            values: || Verification::TEXTS.to_vec(),
        }],
        read: |snapshot| Series::labelled("outcome", &snapshot.integrity_verified),
    },
    MetricInfo {
        name: "sdk_storage_put_bytes_total",
        help: "Bytes of objects that were stored.",
        check: "how much the application stores, without what retries sent again",
        kind: MetricKind::Counter,
        labels: &[],
        read: |snapshot| vec![Series::number(Vec::new(), snapshot.storage_put_bytes)],
    },
    MetricInfo {
        name: "sdk_storage_get_bytes_total",
        help: "Bytes of objects, or of parts of them, that were fetched.",
        check: "how much the application fetches, without what came from the cache",
        kind: MetricKind::Counter,
        labels: &[],
        read: |snapshot| vec![Series::number(Vec::new(), snapshot.storage_get_bytes)],
    },
];

impl MetricInfo {
    /// Every metric, in the order in which the text format has them.
    pub fn all() -> impl ExactSizeIterator<Item = &'static Self> {
        TABLE.iter()
    }

    /// Its labels by their names, each with the values that it can have.
    pub fn labels(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let labels = self.labels.iter();
        labels.map(|label| (label.name, (label.values)())).collect()
    }
}

impl MetricKind {
    /// As the text format calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// In the order of their first appearance.
fn distinct(values: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}
