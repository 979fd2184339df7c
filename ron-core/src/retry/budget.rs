//! The retry budget: what all calls of a client together may cost a gateway that fails.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Tokens of a full budget.
const CAPACITY: u32 = 500;
/// What a success at the first attempt gives back.
const FIRST_TRY: u32 = 1;

/// A bucket of tokens. A retry costs some, a success returns them, and one comes back every second, so that
/// a client with few calls recovers too. Empty, it lets a failing gateway alone.
pub(crate) struct RetryBudget {
    tokens: AtomicU32,
    /// Up to when the tokens of time have been handed out.
    refilled: Mutex<Option<Instant>>,
}

impl RetryBudget {
    pub(crate) const fn new() -> Self {
        Self {
            tokens: AtomicU32::new(CAPACITY),
            refilled: Mutex::new(None),
        }
    }

    /// Takes the price of a retry; false where there is not as much left.
    pub(crate) fn take(&self, price: u32, now: Instant) -> bool {
        self.refill(now);
        let less = |tokens: u32| tokens.checked_sub(price);
        self.change(less)
    }

    /// A call has succeeded after a retry at this price, or at its first attempt.
    pub(crate) fn give_back(&self, price: Option<u32>) {
        // Full is the usual case, and costs one load.
        if self.tokens.load(Ordering::Relaxed) < CAPACITY {
            self.add(price.unwrap_or(FIRST_TRY));
        }
    }

    /// Tokens at the moment.
    #[cfg(test)]
    pub(crate) fn tokens(&self) -> u32 {
        self.tokens.load(Ordering::Relaxed)
    }

    fn add(&self, tokens: u32) {
        self.change(|now| Some(now.saturating_add(tokens).min(CAPACITY)));
    }

    fn change(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        let changed = self
            .tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        changed.is_ok()
    }

    fn refill(&self, now: Instant) {
        // One instant, replaced as a whole: a panic elsewhere cannot have left it half changed.
        let mut refilled = self.refilled.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *refilled.get_or_insert(now);
        let seconds = now.saturating_duration_since(since).as_secs();
        if seconds > 0 {
            *refilled = Some(since + std::time::Duration::from_secs(seconds));
            self.add(u32::try_from(seconds).unwrap_or(CAPACITY));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_runs_out_and_comes_back_with_time_and_success() {
        let (budget, start) = (RetryBudget::new(), Instant::now());
        let taken = (0..1000).filter(|_| budget.take(5, start)).count();
        assert_eq!(taken, 100);
        assert!(!budget.take(5, start + Duration::from_millis(4999)));
        assert!(budget.take(5, start + Duration::from_secs(5)));
        assert!(!budget.take(5, start + Duration::from_secs(5)));
        budget.give_back(Some(10));
        budget.give_back(None);
        assert_eq!(budget.tokens(), 11);
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let (budget, start) = (RetryBudget::new(), Instant::now());
        assert!(budget.take(1, start));
        budget.give_back(Some(10));
        budget.give_back(Some(10));
        assert_eq!(budget.tokens(), CAPACITY);
        assert!(budget.take(5, start + Duration::from_secs(1 << 40)));
        assert_eq!(budget.tokens(), CAPACITY - 5);
    }
}
