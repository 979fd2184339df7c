//! Objects that were fetched not long ago, for those who fetched them.

use crate::address::AddrB3;
use crate::capability::Capability;
use crate::config::CacheConfig;
use bytes::Bytes;
use hashlink::LruCache;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A bounded cache of verified objects.
///
/// An object never changes, since its address is its hash; who may have it does. So what one capability has
/// fetched serves that capability alone, and for a short time: a revoked one keeps what it has seen that long.
pub(crate) struct ObjectCache {
    max_entries: usize,
    max_bytes: usize,
    ttl: Duration,
    state: Mutex<State>,
}

struct State {
    /// The least recently used one first.
    objects: LruCache<Key, Cached>,
    bytes: usize,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    /// The hash of the capability: the cache keeps no secret.
    holder: [u8; 32],
    address: AddrB3,
}

struct Cached {
    object: Bytes,
    since: Instant,
}

impl ObjectCache {
    /// A cache as configured; `None` where it is off.
    pub(crate) fn new(config: &CacheConfig) -> Option<Self> {
        config.enabled.then(|| Self {
            max_entries: config.max_entries,
            max_bytes: config.max_bytes,
            ttl: config.ttl,
            state: Mutex::new(State {
                objects: LruCache::new_unbounded(),
                bytes: 0,
            }),
        })
    }

    /// What this capability has fetched from this address.
    pub(crate) fn get(
        &self,
        capability: &Capability,
        address: AddrB3,
        now: Instant,
    ) -> Option<Bytes> {
        let key = Key::new(capability, address);
        let mut state = self.lock();
        let cached = state.objects.get(&key)?;
        if now.saturating_duration_since(cached.since) < self.ttl {
            return Some(cached.object.clone());
        }
        state.remove(&key);
        None
    }

    /// Keeps what this capability has fetched, in the place of what was used least recently.
    pub(crate) fn put(
        &self,
        capability: &Capability,
        address: AddrB3,
        object: &Bytes,
        now: Instant,
    ) {
        if object.len() > self.max_bytes {
            return;
        }
        let key = Key::new(capability, address);
        let cached = Cached {
            // Of exactly its length: what it arrived in may be larger.
            object: Bytes::copy_from_slice(object),
            since: now,
        };
        let mut state = self.lock();
        state.remove(&key);
        state.bytes += object.len();
        state.objects.insert(key, cached);
        while state.objects.len() > self.max_entries || state.bytes > self.max_bytes {
            match state.objects.remove_lru() {
                Some((_, gone)) => state.bytes -= gone.object.len(),
                None => break,
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.objects.clear();
        state.bytes = 0;
    }

    /// How many objects there are, and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let state = self.lock();
        (state.objects.len(), state.bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, key: &Key) {
        if let Some(gone) = self.objects.remove(key) {
            self.bytes -= gone.object.len();
        }
    }
}

impl Key {
    fn new(capability: &Capability, address: AddrB3) -> Self {
        Self {
            holder: blake3::derive_key("ron-app-sdk cache holder v1", capability.expose()),
            address,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::capability::Macaroon;
    use proptest::prelude::*;

    const TTL: Duration = Duration::from_secs(30);

    fn cache(max_entries: usize, max_bytes: usize) -> ObjectCache {
        ObjectCache::new(&CacheConfig {
            enabled: true,
            max_entries,
            max_bytes,
            ttl: TTL,
            verify_puts: true,
        })
        .unwrap()
    }

    fn capability(id: u8) -> Capability {
        Capability::from_bytes(Macaroon::mint(b"key", "", &[id]).encode()).unwrap()
    }

    fn object(number: u8, len: usize) -> (AddrB3, Bytes) {
        let object = Bytes::from(vec![number; len]);
        (AddrB3::of(&object), object)
    }

    #[test]
    fn an_object_serves_who_fetched_it_and_nobody_else() {
        let (cache, now) = (cache(10, 100), Instant::now());
        let ((address, object), alice) = (object(1, 10), capability(1));
        assert_eq!(cache.get(&alice, address, now), None);
        cache.put(&alice, address, &object, now);
        assert_eq!(cache.get(&alice, address, now), Some(object.clone()));
        assert_eq!(cache.get(&capability(2), address, now), None);
        let narrowed = alice.attenuate("op=storage.get").unwrap();
        assert_eq!(cache.get(&narrowed, address, now), None);
        assert_eq!(cache.get(&alice, AddrB3::of(b"other"), now), None);
    }

    #[test]
    fn an_object_is_kept_for_its_time_however_often_it_is_used() {
        let (cache, now) = (cache(10, 100), Instant::now());
        let ((address, object), alice) = (object(1, 10), capability(1));
        cache.put(&alice, address, &object, now);
        let just_before = now + TTL - Duration::from_nanos(1);
        assert!(cache.get(&alice, address, just_before).is_some());
        assert_eq!(cache.get(&alice, address, now + TTL), None);
        assert_eq!(cache.size(), (0, 0));
    }

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let (cache, now, alice) = (cache(2, 100), Instant::now(), capability(1));
        let [one, two, three] = [1, 2, 3].map(|number| object(number, 10));
        cache.put(&alice, one.0, &one.1, now);
        cache.put(&alice, two.0, &two.1, now);
        assert!(cache.get(&alice, one.0, now).is_some());
        cache.put(&alice, three.0, &three.1, now);
        assert!(cache.get(&alice, one.0, now).is_some());
        assert_eq!(cache.get(&alice, two.0, now), None);
    }

    #[test]
    fn it_is_off_unless_asked_for() {
        assert!(ObjectCache::new(&CacheConfig::default()).is_none());
    }

    proptest! {
        #[test]
        fn its_bounds_hold_whatever_is_put(
            puts in proptest::collection::vec((any::<u8>(), 0usize..60, 0u8..3, 0u64..20), 0..100),
        ) {
            let (cache, start) = (cache(5, 100), Instant::now());
            for (number, len, holder, at) in puts {
                let ((address, object), now) = (object(number, len), start + Duration::from_secs(at));
                cache.put(&capability(holder), address, &object, now);
                let (entries, bytes) = cache.size();
                prop_assert!(entries <= 5 && bytes <= 100);
                prop_assert_eq!(cache.get(&capability(holder), address, now), Some(object));
                let state = cache.lock();
                let sum: usize = state.objects.iter().map(|(_, cached)| cached.object.len()).sum();
                prop_assert_eq!(sum, bytes);
            }
        }
    }
}
