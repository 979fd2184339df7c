//! The text that Prometheus reads: OpenMetrics 1.0,
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.

use super::snapshot::{Latency, MetricsSnapshot, Series, Value};
use super::table::{MetricInfo, MetricKind};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{text, DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::collections::HashMap;
use std::fmt;

/// A snapshot as text.
pub(super) fn encode(snapshot: MetricsSnapshot) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    registry.register_collector(Box::new(Collected(snapshot)));
    // Writing to a String does not fail.
    let _ = text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Collected(MetricsSnapshot);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for info in MetricInfo::all() {
            let (name, unit) = stem(info.name);
            let kind = match info.kind {
                MetricKind::Counter => MetricType::Counter,
                MetricKind::Gauge => MetricType::Gauge,
                MetricKind::Histogram => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(name, info.help, unit.as_ref(), kind)?;
            for series in self.0.series(info) {
                if series.labels.is_empty() {
                    encode_value(&mut metric, info.kind, &series)?;
                } else {
                    let mut labelled = metric.encode_family(&series.labels)?;
                    encode_value(&mut labelled, info.kind, &series)?;
                }
            }
        }
        Ok(())
    }
}

fn encode_value(
    encoder: &mut MetricEncoder<'_>,
    kind: MetricKind,
    series: &Series<'_>,
) -> fmt::Result {
    match (&series.value, kind) {
        (Value::Latency(latency), _) => encode_latency(encoder, latency),
        (Value::Number(count), MetricKind::Gauge) => encoder.encode_gauge(count),
        (Value::Number(count), _) => {
            encoder.encode_counter(count, None::<&Exemplar<NoLabelSet, f64>>)
        }
    }
}

fn encode_latency(encoder: &mut MetricEncoder<'_>, latency: &Latency) -> fmt::Result {
    let buckets = latency.buckets.iter().map(|bucket| {
        // This is how the library knows the bucket without a bound.
        let bound = bucket
            .at_most
            .map_or(f64::MAX, |at_most| at_most.as_secs_f64());
        (bound, bucket.count)
    });
    let buckets: Vec<_> = buckets.collect();
    encoder.encode_histogram(
        latency.sum.as_secs_f64(),
        latency.count,
        &buckets,
        None::<&HashMap<usize, Exemplar<NoLabelSet, f64>>>,
    )
}

/// A metric's name without what the library adds to it: its unit and `total`.
fn stem(name: &'static str) -> (&'static str, Option<Unit>) {
    let name = name.strip_suffix("_total").unwrap_or(name);
    if let Some(name) = name.strip_suffix("_seconds") {
        return (name, Some(Unit::Seconds));
    }
    match name.strip_suffix("_bytes") {
        Some(name) => (name, Some(Unit::Bytes)),
        None => (name, None),
    }
}
