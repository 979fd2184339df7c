//! For this project's own benches and counts, under the feature `internals`: no part of the SDK's interface, and
//! without any promise.

use crate::config::BackoffConfig;
use crate::error::{ErrorKind, SdkError};
use crate::retry::{Backoff, CallPolicy, Cause, Next, Random, RetryBudget};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(5);

/// What decides on the retries of a client's calls.
pub struct Retries {
    backoff: Backoff,
    budget: RetryBudget,
    random: Random,
}

impl Retries {
    /// With the default settings, and delays that repeat themselves.
    pub fn new() -> Self {
        Self {
            backoff: Backoff::new(&BackoffConfig::default()),
            budget: RetryBudget::new(),
            random: Random::seeded(1),
        }
    }

    /// A read that succeeds at its first attempt. Returns how many attempts that were.
    pub fn succeed(&self, now: Instant) -> u32 {
        let mut policy = CallPolicy::new(true, true, now, LIMIT);
        policy.begin_attempt();
        policy.succeeded(&self.budget);
        policy.attempts()
    }

    /// A read that fails once, waits and succeeds. Returns how long it waits.
    pub fn fail_once(&self, now: Instant) -> Duration {
        let mut policy = CallPolicy::new(true, true, now, LIMIT);
        let error = SdkError::new(ErrorKind::Transport, "the connection was lost");
        policy.begin_attempt();
        let limits = (&self.backoff, &self.budget, &self.random);
        let next = policy.failed(now, &error, Cause::Ordinary, false, limits);
        policy.begin_attempt();
        policy.succeeded(&self.budget);
        match next {
            Next::Retry(after) => after,
            Next::Refresh | Next::Stop(_) => Duration::MAX,
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_fails_once_is_tried_again_and_pays_its_retry_back() {
        let (retries, now) = (Retries::new(), Instant::now());
        for _ in 0..1000 {
            assert_eq!(retries.succeed(now), 1);
            assert!(retries.fail_once(now) <= BackoffConfig::default().base);
        }
    }
}
