//! Burns time in each call, to show that a gate sees a slower one.

use std::time::{Duration, Instant};

/// The part of a call's median time to burn per call; set by `scripts/perf.sh --self-check` alone.
const VARIABLE: &str = "RON_TIME_GATE_SPIN";

/// How long each call is to take longer.
#[derive(Clone, Copy)]
pub(crate) struct Spin(Duration);

impl Spin {
    /// Of the calls before the timed ones. Callers share a thread, so that each adds its part to all others' times:
    /// together they burn what one caller would.
    pub(crate) fn of(warm_up: &mut [Duration], callers: usize) -> Result<Self, String> {
        let part = match std::env::var(VARIABLE) {
            Ok(text) => text
                .parse::<f64>()
                .ok()
                .filter(|part| (0.0..=10.0).contains(part))
                .ok_or_else(|| format!("{VARIABLE} is not a number from 0 to 10"))?,
            Err(_) => return Ok(Self(Duration::ZERO)),
        };
        warm_up.sort_unstable();
        let median = warm_up.get(warm_up.len() / 2).copied().unwrap_or_default();
        Ok(Self(median.mul_f64(part / callers as f64)))
    }

    pub(crate) fn burn(self) {
        if self.0.is_zero() {
            return;
        }
        let start = Instant::now();
        while start.elapsed() < self.0 {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burns_what_it_says() {
        let start = Instant::now();
        Spin(Duration::from_millis(5)).burn();
        assert!(start.elapsed() >= Duration::from_millis(5));
    }

    #[test]
    fn burns_nothing_unless_it_is_asked_to() {
        let spin = Spin::of(&mut [Duration::from_secs(1)], 1);
        assert!(spin.is_ok_and(|spin| spin.0.is_zero()));
    }
}
