//! Which leases were spent, and how.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// What a lease was spent by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpentBy {
    Ack,
    Nack,
}

/// The spent leases of a window, up to a number; beyond it the oldest are forgotten.
pub(super) struct SpentLeases {
    window: Duration,
    max: usize,
    /// By the message's number and the epoch.
    leases: BTreeMap<(u64, u32), SpentBy>,
    /// When each is forgotten, the earliest first.
    expiries: VecDeque<(Instant, (u64, u32))>,
}

impl SpentLeases {
    pub(super) fn new(window: Duration, max: usize) -> Self {
        Self {
            window,
            max,
            leases: BTreeMap::new(),
            expiries: VecDeque::new(),
        }
    }

    /// Remembers that a lease was spent. No lease is spent twice.
    pub(super) fn insert(&mut self, now: Instant, number: u64, epoch: u32, by: SpentBy) {
        self.leases.insert((number, epoch), by);
        self.expiries
            .push_back((now + self.window, (number, epoch)));
        while self.leases.len() > self.max {
            self.forget_oldest();
        }
    }

    pub(super) fn get(&self, number: u64, epoch: u32) -> Option<SpentBy> {
        self.leases.get(&(number, epoch)).copied()
    }

    /// Whether a newer lease of the same message was spent.
    pub(super) fn has_newer(&self, number: u64, epoch: u32) -> bool {
        let newer = (number, epoch.saturating_add(1))..=(number, u32::MAX);
        epoch < u32::MAX && self.leases.range(newer).next().is_some()
    }

    /// Each is looked at once in its life.
    pub(super) fn forget_expired(&mut self, now: Instant) {
        while self
            .expiries
            .front()
            .is_some_and(|(expiry, _)| *expiry <= now)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, lease)) = self.expiries.pop_front() {
            self.leases.remove(&lease);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.leases.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_remembered_for_a_window_and_the_oldest_make_room() {
        let (now, window) = (Instant::now(), Duration::from_secs(60));
        let mut spent = SpentLeases::new(window, 3);
        for epoch in 1..=4 {
            spent.insert(now, 7, epoch, SpentBy::Nack);
        }
        assert_eq!(spent.get(7, 1), None);
        assert_eq!(spent.get(7, 2), Some(SpentBy::Nack));
        assert!(spent.has_newer(7, 3) && !spent.has_newer(7, 4));
        assert!(!spent.has_newer(6, 1) && !spent.has_newer(8, 1));
        spent.insert(now + window / 2, 8, 1, SpentBy::Ack);
        spent.forget_expired(now + window);
        assert_eq!((spent.len(), spent.expiries.len()), (1, 1));
        assert_eq!(spent.get(8, 1), Some(SpentBy::Ack));
        spent.forget_expired(now + 2 * window);
        assert_eq!((spent.len(), spent.expiries.len()), (0, 0));
    }
}
