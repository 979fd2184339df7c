//! `Ledger`: how often each mutation took effect, for tests.

use crate::idempotency::OperationKey;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts effects where they happen, and knows nothing of how repetitions are recognised: what a test
/// compares the gateway's promise with.
///
/// An effect is an execution; a put of an object that is there already is one too. Nothing is ever
/// forgotten: a ledger is for gateways that do not run for long.
#[derive(Default)]
pub struct Ledger {
    effects: Mutex<Effects>,
}

#[derive(Default)]
struct Effects {
    total: u64,
    by_key: HashMap<OperationKey, u64>,
}

impl Ledger {
    /// Effects so far, with and without an idempotency key.
    pub fn effects_total(&self) -> u64 {
        self.effects().total
    }

    /// How many idempotency keys have had an effect; keys of different tenants, subjects or operations
    /// are different ones.
    pub fn keys(&self) -> usize {
        self.effects().by_key.len()
    }

    /// The most effects that one idempotency key has had: 1 where the gateway keeps its promise, 0 where
    /// no key has had any.
    pub fn most_effects_of_one_key(&self) -> u64 {
        self.effects().by_key.values().copied().max().unwrap_or(0)
    }

    /// Counts an effect; `key` is `None` where the mutation came without an idempotency key.
    pub(crate) fn count(&self, key: Option<OperationKey>) {
        let mut effects = self.effects();
        effects.total += 1;
        if let Some(key) = key {
            *effects.by_key.entry(key).or_default() += 1;
        }
    }

    fn effects(&self) -> MutexGuard<'_, Effects> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("effects_total", &self.effects_total())
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::idempotency::Owner;
    use ron_app_sdk::IdemKey;
    use std::sync::Arc;

    #[test]
    fn every_effect_counts_and_a_key_is_its_owners() {
        let ledger = Ledger::default();
        assert_eq!(ledger.most_effects_of_one_key(), 0);
        for (tenant_id, subject) in [(1, "a"), (1, "b"), (2, "a"), (1, "a")] {
            let subject = Arc::from(subject);
            let owner = Owner { tenant_id, subject };
            let key = OperationKey::new(owner, "storage.put", &IdemKey::new("k").unwrap());
            ledger.count(Some(key));
        }
        ledger.count(None);
        assert_eq!(ledger.effects_total(), 5);
        assert_eq!((ledger.keys(), ledger.most_effects_of_one_key()), (3, 2));
    }
}
