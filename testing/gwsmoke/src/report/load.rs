//! The report of a load.

use crate::load::{Latencies, Operation, Pacing, Recorder};
use crate::options::{Face, LoadOptions};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What a load has measured. Times are in microseconds, bytes are those of objects and messages.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// `load`
    pub mode: &'static str,
    /// Which face was called.
    pub face: Face,
    /// `open` or `closed`.
    pub r#loop: &'static str,
    /// Open loop: calls that were due in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Open loop: the bound for calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// Closed loop: callers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// From the beginning to the end of the last call, in seconds.
    pub elapsed_s: f64,
    /// Whether it was ended early.
    pub interrupted: bool,
    /// Calls that ended.
    pub calls: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Open loop: calls that were due while too many were open, and were never begun.
    pub missed: u64,
    /// Calls that were open when the load was ended early, and are in no other figure.
    pub unfinished: u64,
    /// Attempts of all calls.
    pub attempts: u64,
    /// Attempts after a call's first.
    pub retries: u64,
    /// Calls that succeeded, per second.
    pub calls_per_s: f64,
    /// Bytes that were moved, per second, in units of 10^6.
    pub megabytes_per_s: f64,
    /// One for each operation that was called.
    pub operations: Vec<OperationRow>,
    /// One for each kind of failure of an operation.
    pub errors: Vec<ErrorRow>,
    /// Open loop: by how much calls began after they were due: what the driver itself adds to the latencies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_delay_us: Option<Quantiles>,
}

/// One operation.
#[derive(Clone, Debug, Serialize)]
pub struct OperationRow {
    /// Which.
    pub operation: Operation,
    /// Calls that ended.
    pub calls: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Attempts of all calls.
    pub attempts: u64,
    /// Attempts after a call's first.
    pub retries: u64,
    /// Calls that succeeded, per second.
    pub calls_per_s: f64,
    /// Bytes that they moved.
    pub bytes: u64,
    /// Messages that a `receive` brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// How long calls took that succeeded: in the open loop from when they were due, in the closed one from their
    /// beginning.
    pub latency_us: Option<Quantiles>,
    /// The same of those that failed.
    pub failed_latency_us: Option<Quantiles>,
}

/// Durations in microseconds. A quantile is the shortest duration that so many did not exceed, to three digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// 90 % took at most as long.
    pub p90: f64,
    /// 95 %
    pub p95: f64,
    /// 99 %
    pub p99: f64,
    /// 99.9 %
    pub p99_9: f64,
    /// The longest.
    pub max: f64,
    /// The average.
    pub mean: f64,
}

/// One kind of failure of an operation.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorRow {
    /// Which operation.
    pub operation: Operation,
    /// The name of the [`ron_app_sdk::ErrorKind`].
    pub kind: &'static str,
    /// How often.
    pub count: u64,
    /// What the first of them said.
    pub example: String,
}

impl Quantiles {
    /// Those of some durations, where there are any.
    pub fn of(latencies: &Latencies) -> Option<Self> {
        let histogram = latencies.histogram()?;
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let quantile =
            |quantile| micros(histogram.value_at_quantile(quantile).min(histogram.max()));
        Some(Self {
            p50: quantile(0.5),
            p90: quantile(0.9),
            p95: quantile(0.95),
            p99: quantile(0.99),
            p99_9: quantile(0.999),
            max: micros(histogram.max()),
            mean: histogram.mean() / 1e3,
        })
    }

    const fn all(&self) -> [f64; 6] {
        [self.p50, self.p90, self.p95, self.p99, self.p99_9, self.max]
    }
}

impl LoadReport {
    /// What was measured in so much time.
    pub fn new(
        options: &LoadOptions,
        elapsed: Duration,
        interrupted: bool,
        recorder: &Recorder,
    ) -> Self {
        let seconds = elapsed.as_secs_f64().max(1e-9);
        let rows = Operation::ALL.into_iter().filter_map(|operation| {
            let measured = recorder.measured(operation);
            let is_receive = operation == Operation::Receive;
            (measured.calls > 0).then(|| OperationRow {
                operation,
                calls: measured.calls,
                failed: measured.failed.count(),
                attempts: measured.attempts,
                retries: measured.retries,
                calls_per_s: measured.succeeded.count() as f64 / seconds,
                bytes: measured.bytes,
                messages: is_receive.then_some(measured.received),
                latency_us: Quantiles::of(&measured.succeeded),
                failed_latency_us: Quantiles::of(&measured.failed),
            })
        });
        let operations: Vec<OperationRow> = rows.collect();
        let errors = recorder.errors().into_iter();
        let errors = errors.map(|((operation, kind), errors)| ErrorRow {
            operation,
            kind,
            count: errors.count,
            example: errors.example,
        });
        let sum = |of: fn(&OperationRow) -> u64| operations.iter().map(of).sum::<u64>();
        let (rate, max_in_flight, concurrency) = match options.pacing() {
            Pacing::Open {
                rate,
                max_in_flight,
            } => (Some(rate), Some(max_in_flight), None),
            Pacing::Closed { concurrency } => (None, None, Some(concurrency)),
        };
        let progress = recorder.progress();
        let (calls, failed) = (sum(|row| row.calls), sum(|row| row.failed));
        Self {
            mode: "load",
            face: options.face,
            r#loop: if rate.is_some() { "open" } else { "closed" },
            rate,
            max_in_flight,
            concurrency,
            elapsed_s: seconds,
            interrupted,
            calls,
            failed,
            missed: progress.missed,
            unfinished: progress.started.saturating_sub(calls),
            attempts: sum(|row| row.attempts),
            retries: sum(|row| row.retries),
            calls_per_s: (calls - failed) as f64 / seconds,
            megabytes_per_s: sum(|row| row.bytes) as f64 / 1e6 / seconds,
            operations,
            errors: errors.collect(),
            start_delay_us: Quantiles::of(&recorder.start_delays()),
        }
    }

    /// How many percent of the calls that were to be made failed or were missed; all, where none was made.
    pub fn failed_percent(&self) -> f64 {
        let all = self.calls + self.missed;
        if all == 0 {
            return 100.0;
        }
        100.0 * (self.failed + self.missed) as f64 / all as f64
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} loop over {}", self.r#loop, self.face)?;
        match (self.rate, self.max_in_flight, self.concurrency) {
            (Some(rate), Some(most), _) => {
                write!(f, ", {rate} calls due per second, at most {most} at once")?;
            }
            (_, _, Some(callers)) => write!(f, ", {callers} callers")?,
            _ => {}
        }
        let early = if self.interrupted {
            ", ended early"
        } else {
            ""
        };
        writeln!(f, ", {:.1} s{early}\n", self.elapsed_s)?;
        write!(f, "{:<16} {:>9} {:>9}", "latency, µs", "calls", "per s")?;
        for name in ["p50", "p90", "p95", "p99", "p99.9", "max"] {
            write!(f, " {name:>10}")?;
        }
        writeln!(f)?;
        for row in &self.operations {
            let name = row.operation.name();
            let succeeded = row.calls - row.failed;
            if let Some(quantiles) = &row.latency_us {
                write!(f, "{name:<16} {succeeded:>9} {:>9.1}", row.calls_per_s)?;
                write_quantiles(f, quantiles)?;
            }
            if let Some(quantiles) = &row.failed_latency_us {
                let name = format!("{name}, failed");
                write!(f, "{name:<16} {:>9} {:>9}", row.failed, "")?;
                write_quantiles(f, quantiles)?;
            }
        }
        if let Some(quantiles) = &self.start_delay_us {
            write!(f, "{:<16} {:>9} {:>9}", "(start delay)", "", "")?;
            write_quantiles(f, quantiles)?;
        }
        writeln!(
            f,
            "\n{} calls, {:.1} per s and {:.2} MB/s succeeded; {} attempts, {} of them retries",
            self.calls, self.calls_per_s, self.megabytes_per_s, self.attempts, self.retries
        )?;
        writeln!(
            f,
            "{} failed, {} missed, {} unfinished",
            self.failed, self.missed, self.unfinished
        )?;
        if !self.errors.is_empty() {
            writeln!(
                f,
                "\n{:<10} {:<20} {:>9}  the first one",
                "operation", "failure", "count"
            )?;
        }
        for row in &self.errors {
            let ErrorRow {
                operation,
                kind,
                count,
                example,
            } = row;
            writeln!(f, "{operation:<10} {kind:<20} {count:>9}  {example}")?;
        }
        Ok(())
    }
}

fn write_quantiles(f: &mut fmt::Formatter<'_>, quantiles: &Quantiles) -> fmt::Result {
    for value in quantiles.all() {
        // Three digits are known: as many are shown behind the point as say something.
        let digits = usize::from(value < 1000.0);
        write!(f, " {value:>10.digits$}")?;
    }
    writeln!(f)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::load::Outcome;
    use crate::options::{Arguments, Command};
    use clap::Parser;
    use proptest::prelude::*;
    use ron_app_sdk::ErrorKind;

    fn options(line: &str) -> LoadOptions {
        let words = ["gwsmoke", "load"]
            .into_iter()
            .chain(line.split_whitespace());
        match Arguments::try_parse_from(words).unwrap().command {
            Some(Command::Load(options)) => options,
            _ => panic!("{line}"),
        }
    }

    fn recorder() -> Recorder {
        let recorder = Recorder::default();
        for millis in 1..=1000 {
            recorder.started_late(Duration::from_micros(5));
            recorder.ended(
                Operation::Get,
                Duration::from_millis(millis),
                &Outcome::ok(2, 500),
            );
        }
        recorder.started_late(Duration::from_micros(5));
        let failed = Outcome::failed(5, ErrorKind::Server, "the gateway answered 503");
        recorder.ended(Operation::Put, Duration::from_secs(5), &failed);
        recorder.started();
        recorder.missed();
        recorder
    }

    #[test]
    fn the_json_has_what_was_measured() {
        let report = LoadReport::new(
            &options("--rate 100"),
            Duration::from_secs(10),
            false,
            &recorder(),
        );
        let json: serde_json::Value = serde_json::to_value(&report).unwrap();
        for (pointer, expected) in [
            ("/mode", serde_json::json!("load")),
            ("/face", "oap".into()),
            ("/loop", "open".into()),
            ("/rate", 100.0.into()),
            ("/max_in_flight", 1024.into()),
            ("/calls", 1001.into()),
            ("/failed", 1.into()),
            ("/missed", 1.into()),
            ("/unfinished", 1.into()),
            ("/attempts", 2005.into()),
            ("/retries", 1004.into()),
            ("/calls_per_s", 100.0.into()),
            ("/megabytes_per_s", 0.05.into()),
            ("/operations/0/operation", "get".into()),
            ("/operations/0/calls_per_s", 100.0.into()),
            ("/operations/1/latency_us", serde_json::Value::Null),
            ("/operations/1/failed", 1.into()),
            ("/errors/0/operation", "put".into()),
            ("/errors/0/kind", "Server".into()),
            ("/errors/0/count", 1.into()),
            ("/errors/0/example", "the gateway answered 503".into()),
        ] {
            assert_eq!(json.pointer(pointer), Some(&expected), "{pointer}");
        }
        let longest = json["operations"][0]["latency_us"]["max"].as_f64().unwrap();
        assert!((longest - 1e6).abs() < 1e3, "{longest}");
        assert!(json.get("concurrency").is_none());
        assert!((report.failed_percent() - 100.0 * 2.0 / 1002.0).abs() < 1e-9);
        let closed = LoadReport::new(
            &options(""),
            Duration::from_secs(1),
            true,
            &Recorder::default(),
        );
        let json = serde_json::to_value(&closed).unwrap();
        assert_eq!(json["concurrency"], 16);
        assert!(json.get("rate").is_none() && json.get("start_delay_us").is_none());
        assert_eq!(closed.failed_percent(), 100.0);
    }

    #[test]
    fn the_table_has_every_operation_and_failure() {
        let report = LoadReport::new(
            &options("--rate 100"),
            Duration::from_secs(10),
            true,
            &recorder(),
        );
        let text = report.to_string();
        for part in [
            "open loop over oap, 100 calls due per second, at most 1024 at once, 10.0 s, ended early\n",
            "\nget                   1000     100.0 ",
            "\nput, failed              1 ",
            "\n(start delay) ",
            "1001 calls, 100.0 per s and 0.05 MB/s succeeded; 2005 attempts, 1004 of them retries\n",
            "1 failed, 1 missed, 1 unfinished\n",
            "\nput        Server                       1  the gateway answered 503\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_durations_to_three_digits(
            mut nanos in proptest::collection::vec(1u64..60_000_000_000, 1..400),
        ) {
            let mut latencies = Latencies::default();
            for value in &nanos {
                latencies.record(Duration::from_nanos(*value));
            }
            nanos.sort_unstable();
            let quantiles = Quantiles::of(&latencies).unwrap();
            for (quantile, got) in [0.5, 0.9, 0.95, 0.99, 0.999, 1.0].into_iter().zip(quantiles.all()) {
                let at = ((quantile * nanos.len() as f64).ceil() as usize).max(1) - 1;
                let expected = nanos[at] as f64 / 1e3;
                prop_assert!((got - expected).abs() <= expected * 1e-3 + 0.001, "{quantile}: {got} {expected}");
            }
            prop_assert!(quantiles.mean <= quantiles.max * 1.001);
        }
    }
}
