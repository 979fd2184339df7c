//! How long to wait before the next attempt, and for an attempt's answer.

use super::random::{nanos, Random};
use crate::config::BackoffConfig;
use std::time::Duration;

/// A hint is exceeded by up to a quarter of itself, but no more than this, so that those who were given the
/// same hint do not come back at the same moment.
const HINT_SPREAD: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Exponential back-off with full jitter.
///
/// Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    base: u64,
    factor: f64,
    cap: u64,
    pub(super) max_attempts: u32,
}

impl Backoff {
    pub(crate) fn new(config: &BackoffConfig) -> Self {
        Self {
            base: nanos(config.base),
            factor: f64::from(config.factor),
            cap: nanos(config.cap),
            max_attempts: config.max_attempts,
        }
    }

    /// The longest delay after the attempt with this number, from 1: `min(cap, base · factor^(n−1))`.
    pub(crate) fn longest(&self, failed: u32) -> Duration {
        let mut longest = self.base;
        for _ in 1..failed {
            if longest >= self.cap {
                break;
            }
            // Out of range, the conversion saturates.
            longest = (longest as f64 * self.factor) as u64;
        }
        Duration::from_nanos(longest.min(self.cap))
    }

    /// The delay after the attempt with this number: `max(U(0, x), R + U(0, min(R/4, 1 s)))`, where `R` is
    /// the gateway's hint.
    pub(crate) fn delay(&self, failed: u32, hint: Option<Duration>, random: &Random) -> Duration {
        let delay = random.up_to(self.longest(failed));
        let Some(hint) = hint else {
            return delay;
        };
        let spread = random.up_to((hint / 4).min(HINT_SPREAD));
        delay.max(hint.saturating_add(spread))
    }
}

/// How long an attempt of a call with this limit waits for the first byte of its answer.
pub(crate) fn attempt_timeout(limit: Duration) -> Duration {
    (limit / 4).clamp(ATTEMPT_TIMEOUT.0, ATTEMPT_TIMEOUT.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_defaults_double_up_to_the_cap() {
        let backoff = Backoff::new(&BackoffConfig::default());
        let longest: Vec<_> = (1..=9).map(|n| backoff.longest(n).as_millis()).collect();
        let expected = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
        assert_eq!(longest, expected);
    }

    #[test]
    fn the_attempt_timeout_is_a_quarter_of_the_limit_within_bounds() {
        for (limit, timeout) in [
            (1, 250),
            (1000, 250),
            (5000, 1250),
            (40_000, 10_000),
            (3_600_000, 10_000),
        ] {
            assert_eq!(attempt_timeout(millis(limit)), millis(timeout));
        }
    }

    /// The distance between the draws' distribution and the uniform one on `0..=1` (Kolmogorov–Smirnov).
    fn distance_from_uniform(draws: &mut [f64]) -> f64 {
        draws.sort_by(f64::total_cmp);
        let count = draws.len() as f64;
        let distance = |(index, draw): (usize, &f64)| {
            let (below, above) = (index as f64 / count, (index + 1) as f64 / count);
            (draw - below).abs().max((above - draw).abs())
        };
        draws.iter().enumerate().map(distance).fold(0.0, f64::max)
    }

    #[test]
    fn delays_are_spread_evenly_from_zero_to_the_longest() {
        let backoff = Backoff::new(&BackoffConfig::default());
        let random = Random::seeded(0x5eed);
        // 1.949 / √n is passed once in a thousand times by draws that are uniform.
        let bound = 1.949 / (100_000f64).sqrt();
        for failed in [1, 4, 9] {
            let longest = backoff.longest(failed);
            let mut draws: Vec<f64> = (0..100_000)
                .map(|_| backoff.delay(failed, None, &random))
                .inspect(|delay| assert!(*delay <= longest))
                .map(|delay| delay.as_secs_f64() / longest.as_secs_f64())
                .collect();
            let distance = distance_from_uniform(&mut draws);
            assert!(distance < bound, "{distance} of {bound} after {failed}");
        }
        let mut lopsided: Vec<f64> = (0..100_000)
            .map(|_| random.up_to(millis(1000)).as_secs_f64().powf(1.05))
            .collect();
        assert!(
            distance_from_uniform(&mut lopsided) > bound,
            "the test itself"
        );
    }

    proptest! {
        #[test]
        fn a_delay_keeps_to_its_bounds(
            base in 1u64..60_000,
            factor in 1f32..=10.0,
            cap in 1u64..600_000,
            failed in 1u32..100,
            hint in proptest::option::of(any::<u64>()),
            seed in any::<u64>(),
        ) {
            let config = BackoffConfig {
                base: millis(base.min(cap)),
                factor,
                cap: millis(cap),
                max_attempts: 5,
            };
            let backoff = Backoff::new(&config);
            let longest = backoff.longest(failed);
            prop_assert!(longest <= millis(cap));
            prop_assert!(longest >= backoff.longest(failed.saturating_sub(1)));
            let hint = hint.map(Duration::from_millis);
            let delay = backoff.delay(failed, hint, &Random::seeded(seed));
            let hint = hint.unwrap_or_default();
            prop_assert!(delay >= hint);
            let most = hint.saturating_add((hint / 4).min(millis(1000)));
            prop_assert!(delay <= longest.max(most));
        }
    }
}
