//! How long calls take, in fixed buckets.

use super::counters::{read, Counters};
use super::snapshot::LatencyBucket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The buckets' upper bounds, in microseconds. 2 and 5 ms are what the SDK may add to a call, 80 and 200 ms what a
/// call within a region and between regions may take.
pub(super) const BOUNDS: [u64; 18] = [
    100, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Durations, counted by bucket. The last one has no bound.
#[derive(Default)]
pub(super) struct Histogram {
    buckets: Counters<{ BOUNDS.len() + 1 }>,
    sum_nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets
            .add(BOUNDS.partition_point(|bound| bound * 1000 < nanos), 1);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The sum of what was recorded, and how much of it is in each bucket.
    pub(super) fn read(&self) -> (Duration, Vec<LatencyBucket>) {
        let bounds = BOUNDS.iter().copied().map(Duration::from_micros);
        let bounds = bounds.map(Some).chain([None]);
        let buckets = bounds
            .zip(self.buckets.values())
            .map(|(at_most, count)| LatencyBucket { at_most, count });
        (
            Duration::from_nanos(read(&self.sum_nanos)),
            buckets.collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for (micros, nanos) in [(0, 0), (100, 0), (100, 1), (80_000, 0), (3_600_000_000, 0)] {
            histogram.record(Duration::from_micros(micros) + Duration::from_nanos(nanos));
        }
        let (sum, buckets) = histogram.read();
        assert_eq!(
            sum,
            Duration::from_micros(3_600_080_200) + Duration::from_nanos(1)
        );
        let filled: Vec<_> = buckets.iter().filter(|bucket| bucket.count > 0).collect();
        let at_most = |micros| Some(Duration::from_micros(micros));
        let bucket = |at_most, count| LatencyBucket { at_most, count };
        assert_eq!(
            filled,
            [
                &bucket(at_most(100), 2),
                &bucket(at_most(250), 1),
                &bucket(at_most(80_000), 1),
                &bucket(None, 1),
            ]
        );
    }

    #[test]
    fn the_bounds_rise() {
        assert!(BOUNDS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
