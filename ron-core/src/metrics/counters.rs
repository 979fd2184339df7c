//! Counters in a row, each of which is a relaxed atomic: nothing else depends on their order.

use std::sync::atomic::{AtomicU64, Ordering};

/// So many counters, one for each value of a label.
pub(super) struct Counters<const N: usize>([AtomicU64; N]);

impl<const N: usize> Counters<N> {
    pub(super) fn add(&self, at: usize, count: u64) {
        if let Some(counter) = self.0.get(at) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(read)
    }
}

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

pub(super) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
