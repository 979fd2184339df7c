//! A delay drawn from a distribution that is given by three of its quantiles.

use std::time::Duration;

/// The shortest delay that has a logarithm worth using, in milliseconds.
const SHORTEST_MS: f64 = 0.01;

/// A distribution of delays.
///
/// Between two of its quantiles the logarithm of the delay is linear in the probability: half of the
/// delays are below `p50_ms`, nine in ten below `p90_ms`, 99 in 100 below `p99_ms`. The shortest is
/// half of `p50_ms` and the longest is twice `p99_ms`. 0 counts as 10 µs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantiles {
    /// The median, in milliseconds.
    pub(crate) p50_ms: u64,
    /// At least the median.
    pub(crate) p90_ms: u64,
    /// At least `p90_ms`.
    pub(crate) p99_ms: u64,
}

impl Quantiles {
    /// The delay below which a share of `probability` of all delays lies; `probability` is 0 to 1.
    pub(crate) fn at(&self, probability: f64) -> Duration {
        let [p50, p90, p99] =
            [self.p50_ms, self.p90_ms, self.p99_ms].map(|ms| (ms as f64).max(SHORTEST_MS));
        let (from, to, low, high) = match probability {
            p if p < 0.5 => (0.0, 0.5, p50 / 2.0, p50),
            p if p < 0.9 => (0.5, 0.9, p50, p90),
            p if p < 0.99 => (0.9, 0.99, p90, p99),
            _ => (0.99, 1.0, p99, p99 * 2.0),
        };
        let share = ((probability - from) / (to - from)).clamp(0.0, 1.0);
        let ms = (low.ln() + share * (high.ln() - low.ln())).exp();
        Duration::try_from_secs_f64(ms / 1000.0).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUANTILES: Quantiles = Quantiles {
        p50_ms: 20,
        p90_ms: 80,
        p99_ms: 400,
    };

    fn ms(quantiles: Quantiles, probability: f64) -> f64 {
        quantiles.at(probability).as_secs_f64() * 1000.0
    }

    #[test]
    fn the_quantiles_are_met_and_what_is_between_is_between() {
        for (probability, expected) in [
            (0.0, 10.0),
            (0.5, 20.0),
            (0.7, 40.0),
            (0.9, 80.0),
            (0.99, 400.0),
            (1.0, 800.0),
        ] {
            let delay = ms(QUANTILES, probability);
            assert!(
                (delay - expected).abs() < 0.01,
                "{probability}: {delay} ms, not {expected}"
            );
        }
        let delays: Vec<f64> = (0..=1000)
            .map(|i| ms(QUANTILES, f64::from(i) / 1000.0))
            .collect();
        assert!(delays.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn no_delay_and_the_longest_are_delays_too() {
        let [none, longest] = [0, u64::MAX].map(|ms| Quantiles {
            p50_ms: ms,
            p90_ms: ms,
            p99_ms: ms,
        });
        assert!(ms(none, 0.999) < 0.1);
        assert!(longest.at(0.999) > Duration::from_secs(1 << 40));
    }
}
