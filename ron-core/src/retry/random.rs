//! One small source of randomness per client, which tests can seed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Spreads delays. Not for secrets.
pub(crate) struct Random(Mutex<fastrand::Rng>);

impl Random {
    /// A source of its own for every client.
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        match getrandom::fill(&mut seed) {
            Ok(()) => Self::seeded(u64::from_ne_bytes(seed)),
            Err(_) => Self(Mutex::new(fastrand::Rng::new())),
        }
    }

    /// A source that repeats itself.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// A duration from zero to `most`, both included, each as likely as any other.
    pub(crate) fn up_to(&self, most: Duration) -> Duration {
        // A generator has no state that a panic could leave half changed.
        let mut random = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_nanos(random.u64(0..=nanos(most)))
    }
}

/// A duration in nanoseconds, which for 584 years and more is as good as for ever.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_two_clients_do_not() {
        let draws = |random: &Random| {
            let hour = Duration::from_secs(3600);
            (0..4).map(|_| random.up_to(hour)).collect::<Vec<_>>()
        };
        assert_eq!(draws(&Random::seeded(7)), draws(&Random::seeded(7)));
        assert_ne!(draws(&Random::new()), draws(&Random::new()));
    }
}
