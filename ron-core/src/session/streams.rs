//! The open calls of one connection.

use rustc_hash::FxHashMap;
use slab::Slab;

/// Streams by their call's id. A [`StreamKey`] finds one without looking its id up again, which a frame that
/// arrives byte by byte would otherwise do for every byte.
#[derive(Debug)]
pub(super) struct Streams<T> {
    slots: Slab<(u64, T)>,
    /// Ids follow one upon the other: nobody can choose them so that they collide.
    keys: FxHashMap<u64, usize>,
}

/// Where a stream was found. It finds nothing once the stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamKey {
    slot: usize,
    corr_id: u64,
}

impl StreamKey {
    pub(super) const fn corr_id(&self) -> u64 {
        self.corr_id
    }
}

impl<T> Streams<T> {
    pub(super) fn new() -> Self {
        Self {
            slots: Slab::new(),
            keys: FxHashMap::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn insert(&mut self, corr_id: u64, stream: T) {
        let slot = self.slots.insert((corr_id, stream));
        self.keys.insert(corr_id, slot);
    }

    pub(super) fn get(&self, corr_id: u64) -> Option<&T> {
        let slot = *self.keys.get(&corr_id)?;
        self.slots.get(slot).map(|(_, stream)| stream)
    }

    pub(super) fn find(&self, corr_id: u64) -> Option<StreamKey> {
        let slot = *self.keys.get(&corr_id)?;
        Some(StreamKey { slot, corr_id })
    }

    #[inline]
    pub(super) fn at(&mut self, key: StreamKey) -> Option<&mut T> {
        match self.slots.get_mut(key.slot) {
            Some((corr_id, stream)) if *corr_id == key.corr_id => Some(stream),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, corr_id: u64) -> Option<&mut T> {
        self.find(corr_id).and_then(|key| self.at(key))
    }

    pub(super) fn remove(&mut self, corr_id: u64) -> Option<T> {
        let slot = self.keys.remove(&corr_id)?;
        self.slots.try_remove(slot).map(|(_, stream)| stream)
    }

    /// The ids above `last`, in order.
    pub(super) fn ids_above(&self, last: u64) -> Vec<u64> {
        let mut ids: Vec<u64> = self.keys.keys().copied().filter(|id| *id > last).collect();
        ids.sort_unstable();
        ids
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_finds_its_stream_and_no_successor_in_its_place() {
        let mut streams = Streams::new();
        streams.insert(1, 'a');
        let key = streams.find(1).unwrap();
        assert_eq!(streams.at(key), Some(&mut 'a'));
        assert_eq!(streams.remove(1), Some('a'));
        streams.insert(2, 'b');
        assert_eq!(streams.at(key), None);
        assert_eq!(streams.get_mut(2), Some(&mut 'b'));
        assert_eq!((streams.len(), streams.ids_above(1)), (1, vec![2]));
    }
}
