//! What was received under which `receive_id`.

use super::message::QueueName;
use crate::idempotency::OperationKey;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

/// A batch that was leased.
pub(super) struct Record {
    pub(super) queue: QueueName,
    pub(super) max: u16,
    pub(super) visibility_ms: u32,
    /// The messages' numbers and epochs, in their order.
    pub(super) leases: Vec<(u64, u32)>,
    /// Receivers that it was given to and that have not taken it yet.
    pub(super) pending: usize,
    /// Whether one has taken it.
    pub(super) is_answered: bool,
    /// When the first of its messages is visible to others.
    ends: Instant,
    number: u64,
}

/// The batches that are remembered, up to a number; beyond it the one that ends first is forgotten.
pub(super) struct Batches {
    max: usize,
    records: HashMap<OperationKey, Record>,
    ends: BTreeMap<(Instant, u64), OperationKey>,
    count: u64,
}

impl Batches {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            records: HashMap::new(),
            ends: BTreeMap::new(),
            count: 0,
        }
    }

    /// Remembers a batch that nobody has taken yet, in place of an earlier one under its key.
    pub(super) fn insert(
        &mut self,
        key: &OperationKey,
        (queue, max, visibility_ms): (QueueName, u16, u32),
        leases: Vec<(u64, u32)>,
        ends: Instant,
    ) {
        self.remove(key);
        self.count += 1;
        let record = Record {
            queue,
            max,
            visibility_ms,
            leases,
            pending: 0,
            is_answered: false,
            ends,
            number: self.count,
        };
        self.records.insert(key.clone(), record);
        self.ends.insert((ends, self.count), key.clone());
        while self.records.len() > self.max {
            let Some((_, first)) = self.ends.pop_first() else {
                break;
            };
            self.records.remove(&first);
        }
    }

    pub(super) fn get(&self, key: &OperationKey) -> Option<&Record> {
        self.records.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &OperationKey) -> Option<&mut Record> {
        self.records.get_mut(key)
    }

    pub(super) fn remove(&mut self, key: &OperationKey) -> Option<Record> {
        let record = self.records.remove(key)?;
        self.ends.remove(&(record.ends, record.number));
        Some(record)
    }

    /// A batch whose end has come, which may have moved since.
    pub(super) fn ended(&self, now: Instant) -> Option<OperationKey> {
        let (&(ends, _), key) = self.ends.first_key_value()?;
        (ends <= now).then(|| key.clone())
    }

    /// The batch ends later.
    pub(super) fn prolong(&mut self, key: &OperationKey, ends: Instant) {
        if let Entry::Occupied(mut entry) = self.records.entry(key.clone()) {
            let record = entry.get_mut();
            self.ends.remove(&(record.ends, record.number));
            record.ends = ends;
            self.ends.insert((ends, record.number), key.clone());
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        debug_assert_eq!(self.records.len(), self.ends.len());
        self.records.len()
    }
}
