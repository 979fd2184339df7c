//! When the calls of an open loop are due: evenly, from the beginning, whatever became of the earlier ones.

use std::time::Duration;

/// The moments at which calls are due, counted from the beginning.
///
/// The n-th is computed from n, so that a long load does not drift.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    rate: f64,
    next: u64,
    end: u64,
}

impl Schedule {
    /// `rate` calls a second, for so long.
    pub fn new(rate: f64, duration: Duration) -> Self {
        // Rounding must not make another call of nothing.
        let calls = (rate * duration.as_secs_f64() - 1e-9).ceil();
        Self {
            rate,
            next: 0,
            end: (calls as u64).max(1),
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.next == self.end {
            return None;
        }
        let due = Duration::from_secs_f64(self.next as f64 / self.rate);
        self.next += 1;
        Some(due)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn calls_are_due_evenly() {
        let millis = Duration::from_millis;
        let due: Vec<Duration> = Schedule::new(10.0, millis(500)).collect();
        assert_eq!(due, [0, 100, 200, 300, 400].map(millis));
        assert_eq!(
            Schedule::new(0.1, millis(100)).collect::<Vec<_>>(),
            [Duration::ZERO]
        );
    }

    #[test]
    fn a_week_does_not_drift() {
        let week = Duration::from_secs(7 * 24 * 3600);
        let mut schedule = Schedule::new(3000.0, week);
        schedule.next = schedule.end - 3000;
        let due = schedule.next().unwrap();
        assert!((week - due).abs_diff(Duration::from_secs(1)) < Duration::from_micros(1));
    }

    proptest! {
        #[test]
        fn there_are_as_many_as_rate_and_duration_say(rate in 0.1f64..10_000.0, millis in 100u64..1000) {
            let duration = Duration::from_millis(millis);
            let due: Vec<Duration> = Schedule::new(rate, duration).collect();
            let expected = rate * duration.as_secs_f64();
            prop_assert!((due.len() as f64) >= expected - 1e-6 && (due.len() as f64) < expected.max(1.0) + 1.0);
            prop_assert!(due.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(due.iter().all(|due| *due < duration));
        }
    }
}
