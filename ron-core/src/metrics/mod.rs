//! What calls and connections are counted by: fixed counters that their owner reads whenever it likes.
//!
//! A call costs a few relaxed additions to counters that were there before it: nothing is looked up, locked, allocated
//! or formatted, and the clock is read no more often than without them. Names and labels meet the counters only when
//! somebody reads them.

mod counters;
mod ends;
mod exposition;
mod histogram;
mod label;
mod snapshot;
mod table;

pub(crate) use ends::End;
pub(crate) use label::{AuthFailure, Call, IoTimeout, RetryReason, Verification};

pub use snapshot::{
    LabelledCount, Latency, LatencyBucket, MetricsSnapshot, RequestCount, RetryCount, Sample,
};
pub use table::{MetricInfo, MetricKind};

use counters::{read, Counters};
use ends::ENDS;
use histogram::Histogram;
use label::VIOLATIONS;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// Counters of one client, or of all that are made with it.
///
/// Each client has its own unless it is made `with_metrics`. There are none for the whole process: whoever has several
/// clients decides which of them are counted together. Cloning is cheap, and clones count together.
///
/// ```
/// # async fn example() -> Result<(), ron_app_sdk::SdkError> {
/// use ron_app_sdk::{Metrics, RonAppSdk, SdkConfig};
///
/// let metrics = Metrics::new();
/// let sdk = RonAppSdk::with_metrics(SdkConfig::from_env()?, &metrics).await?;
/// // Later, where Prometheus asks for it:
/// let text: String = metrics.prometheus();
/// // Or as data:
/// let gets = metrics.snapshot().total("sdk_requests_total", &[("endpoint", "storage.get")]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Metrics(Arc<Cells>);

/// One cell for each metric and each value of its labels.
#[derive(Default)]
struct Cells {
    calls: [CallCells; Call::COUNT],
    io_timeouts: Counters<{ IoTimeout::COUNT }>,
    violations: Counters<{ VIOLATIONS.len() }>,
    auth_failures: Counters<{ AuthFailure::COUNT }>,
    verified: Counters<{ Verification::COUNT }>,
    put_bytes: AtomicU64,
    get_bytes: AtomicU64,
}

/// Of one operation. On cache lines of its own: threads that call different operations do not meet here.
#[derive(Default)]
#[repr(align(64))]
struct CallCells {
    begun: AtomicU64,
    ended: Counters<ENDS>,
    latency: Histogram,
    retries: Counters<{ RetryReason::COUNT }>,
}

impl Metrics {
    /// The media type of [`Metrics::prometheus`], for HTTP's `content-type`.
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Counters that are all 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted until now.
    pub fn snapshot(&self) -> MetricsSnapshot {
        let cells = &*self.0;
        let mut snapshot = MetricsSnapshot {
            io_timeouts: labelled(IoTimeout::TEXTS, &cells.io_timeouts),
            oap_violations: labelled(&VIOLATIONS, &cells.violations),
            auth_failures: labelled(AuthFailure::TEXTS, &cells.auth_failures),
            integrity_verified: labelled(Verification::TEXTS, &cells.verified),
            storage_put_bytes: read(&cells.put_bytes),
            storage_get_bytes: read(&cells.get_bytes),
            ..MetricsSnapshot::default()
        };
        for (endpoint, cells) in Call::TEXTS.iter().zip(&cells.calls) {
            cells.read(endpoint, &mut snapshot);
        }
        snapshot
    }

    /// What was counted until now, in the text format that Prometheus reads; see [`Metrics::CONTENT_TYPE`].
    pub fn prometheus(&self) -> String {
        exposition::encode(self.snapshot())
    }

    /// A call has begun. [`Metrics::ended`] or [`Metrics::dropped`] follows.
    pub(crate) fn begun(&self, call: Call) {
        let begun = &self.cells(call).begun;
        begun.fetch_add(1, Ordering::Relaxed);
    }

    /// A call has returned after so much time.
    pub(crate) fn ended(&self, call: Call, end: End, elapsed: Duration) {
        let cells = self.cells(call);
        cells.latency.record(elapsed);
        cells.ended.add(end.place(), 1);
    }

    /// A call was given up by whoever made it.
    pub(crate) fn dropped(&self, call: Call) {
        self.cells(call).ended.add(End::Dropped.place(), 1);
    }

    /// A call was refused before it began.
    pub(crate) fn refused(&self, call: Call, end: End) {
        self.begun(call);
        self.cells(call).ended.add(end.place(), 1);
    }

    /// Another attempt follows.
    pub(crate) fn retried(&self, call: Call, reason: RetryReason) {
        self.cells(call).retries.add(reason as usize, 1);
    }

    /// Something took too long.
    pub(crate) fn timed_out(&self, what: IoTimeout) {
        self.0.io_timeouts.add(what as usize, 1);
    }

    /// The peer broke the protocol in this [way](crate::session::Violation::kind).
    pub(crate) fn violated(&self, kind: &str) {
        if let Some(at) = VIOLATIONS.iter().position(|known| *known == kind) {
            self.0.violations.add(at, 1);
        }
    }

    /// A capability did not do.
    pub(crate) fn auth_failed(&self, reason: AuthFailure) {
        self.0.auth_failures.add(reason as usize, 1);
    }

    /// Bytes were compared with their address.
    pub(crate) fn verified(&self, outcome: Verification) {
        self.0.verified.add(outcome as usize, 1);
    }

    /// A call has succeeded that moved so many bytes of an object, in either direction.
    pub(crate) fn moved(&self, call: Call, bytes: usize) {
        let counter = match call {
            Call::StoragePut => &self.0.put_bytes,
            Call::StorageGet => &self.0.get_bytes,
            _ => return,
        };
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn cells(&self, call: Call) -> &CallCells {
        &self.0.calls[call as usize]
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl CallCells {
    /// Adds what there is of an operation that was called.
    fn read(&self, endpoint: &'static str, snapshot: &mut MetricsSnapshot) {
        // What has ended is read first: as good as always, that is no more than what has begun then.
        let ended: Vec<u64> = self.ended.values().collect();
        let begun = read(&self.begun);
        if begun == 0 {
            return;
        }
        let all_ended: u64 = ended.iter().sum();
        snapshot.inflight.push(LabelledCount {
            label: endpoint,
            count: begun.saturating_sub(all_ended),
        });
        for (place, count) in ended
            .into_iter()
            .enumerate()
            .filter(|(_, count)| *count > 0)
        {
            let (outcome, code) = ends::labels(place);
            snapshot.requests.push(RequestCount {
                endpoint,
                outcome,
                code,
                count,
            });
        }
        let (sum, buckets) = self.latency.read();
        snapshot.latencies.push(Latency {
            endpoint,
            count: buckets.iter().map(|bucket| bucket.count).sum(),
            sum,
            buckets,
        });
        for (reason, count) in RetryReason::TEXTS.iter().zip(self.retries.values()) {
            snapshot.retries.push(RetryCount {
                endpoint,
                reason,
                count,
            });
        }
    }
}

fn labelled<const N: usize>(labels: &[&'static str], counters: &Counters<N>) -> Vec<LabelledCount> {
    let counts = labels.iter().zip(counters.values());
    counts
        .map(|(label, count)| LabelledCount { label, count })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::retry::Cause;

    fn filled() -> Metrics {
        let metrics = Metrics::new();
        let millis = Duration::from_millis;
        for (end, elapsed) in [
            (End::Ok(Some(200)), millis(3)),
            (End::Ok(Some(200)), millis(90)),
            (End::Failed(ErrorKind::Server, Some(503)), millis(900)),
        ] {
            metrics.begun(Call::StorageGet);
            metrics.ended(Call::StorageGet, end, elapsed);
        }
        metrics.begun(Call::StoragePut);
        metrics.begun(Call::MailboxSend);
        metrics.dropped(Call::MailboxSend);
        metrics.refused(Call::MailboxSend, End::Failed(ErrorKind::Busy, None));
        let reason = RetryReason::of(ErrorKind::Server, Cause::Ordinary);
        metrics.retried(Call::StorageGet, reason);
        metrics.timed_out(IoTimeout::Read);
        metrics.violated("flood");
        metrics.auth_failed(AuthFailure::Expired);
        metrics.verified(Verification::Ok);
        metrics.verified(Verification::Mismatch);
        metrics.moved(Call::StorageGet, 70_000);
        metrics.moved(Call::StoragePut, 5);
        metrics.moved(Call::EdgeGet, 9);
        metrics
    }

    #[test]
    fn what_is_counted_is_read_back() {
        let snapshot = filled().snapshot();
        let total = |name, labels: &[(&str, &str)]| snapshot.total(name, labels) as u64;
        let get = ("endpoint", "storage.get");
        assert_eq!(total("sdk_requests_total", &[get]), 3);
        assert_eq!(total("sdk_requests_total", &[get, ("outcome", "ok")]), 2);
        assert_eq!(total("sdk_requests_total", &[("code", "503")]), 1);
        assert_eq!(total("sdk_requests_total", &[("outcome", "dropped")]), 1);
        assert_eq!(total("sdk_requests_total", &[("outcome", "Busy")]), 1);
        assert_eq!(total("sdk_request_latency_seconds_count", &[get]), 3);
        assert_eq!(
            total("sdk_request_latency_seconds_bucket", &[get, ("le", "0.08")]),
            1
        );
        assert_eq!(total("sdk_inflight_requests", &[]), 1);
        let put = ("endpoint", "storage.put");
        assert_eq!(total("sdk_inflight_requests", &[put]), 1);
        assert_eq!(
            total("sdk_backoff_retries_total", &[get, ("reason", "server")]),
            1
        );
        assert_eq!(total("sdk_io_timeouts_total", &[("op", "read")]), 1);
        assert_eq!(total("sdk_io_timeouts_total", &[]), 1);
        assert_eq!(total("sdk_oap_violations_total", &[("kind", "flood")]), 1);
        assert_eq!(
            total("sdk_auth_failures_total", &[("reason", "expired")]),
            1
        );
        assert_eq!(total("sdk_integrity_verify_total", &[("outcome", "ok")]), 1);
        assert_eq!(total("sdk_storage_get_bytes_total", &[]), 70_000);
        assert_eq!(total("sdk_storage_put_bytes_total", &[]), 5);
        assert_eq!(snapshot.latencies[1].sum, Duration::from_millis(993));
    }

    /// The samples of a text, without its comments.
    fn lines(text: &str) -> Vec<&str> {
        let lines = text.lines();
        lines.filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn the_text_has_every_sample_and_nothing_else() {
        let metrics = filled();
        let samples = metrics.snapshot().samples();
        let expected: Vec<String> = samples
            .iter()
            .map(|sample| {
                let labels = sample.labels.iter();
                let labels: Vec<_> = labels.map(|(k, v)| format!("{k}=\"{v}\"")).collect();
                let labels = match labels.is_empty() {
                    true => String::new(),
                    false => format!("{{{}}}", labels.join(",")),
                };
                // Sums are the only numbers that are not counts.
                match sample.name.ends_with("_sum") {
                    true => format!("{}{labels} {:?}", sample.name, sample.value),
                    false => format!("{}{labels} {}", sample.name, sample.value),
                }
            })
            .collect();
        let text = metrics.prometheus();
        assert_eq!(lines(&text), expected);
        assert!(text.ends_with("# EOF\n"));
        for info in MetricInfo::all() {
            let family = info.name.strip_suffix("_total").unwrap_or(info.name);
            let kind = format!("# TYPE {family} {}\n", info.kind.name());
            assert!(text.contains(&kind), "{kind}");
            let help = format!("# HELP {family} {}\n", info.help);
            assert!(text.contains(&help), "{help}");
        }
    }

    #[test]
    fn every_label_of_a_sample_is_in_the_table() {
        let snapshot = filled().snapshot();
        for info in MetricInfo::all() {
            let known = info.labels();
            for series in snapshot.series(info) {
                let names: Vec<_> = series.labels.iter().map(|(name, _)| *name).collect();
                let known_names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                assert_eq!(names, known_names, "{}", info.name);
                for ((name, value), (_, values)) in series.labels.iter().zip(&known) {
                    assert!(values.contains(value), "{}: {name}={value}", info.name);
                }
            }
        }
    }

    #[test]
    fn the_counters_of_a_client_are_small() {
        assert!(size_of::<Cells>() <= 12 * 1024, "{}", size_of::<Cells>());
    }
}
