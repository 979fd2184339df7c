//! A store that forgets everything when it stops.

use super::{Object, ObjectStore, Part, PutError};
use crate::answer::Answer;
use crate::selection::{ReadError, Selection};
use bytes::Bytes;
use ron_app_sdk::AddrB3;
use std::collections::hash_map::Entry;
use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

/// Objects per so many bytes of the limit, so that a flood of tiny objects is bounded too.
const BYTES_PER_OBJECT: u64 = 1024;
/// Objects that are taken however small the limit.
const LEAST_OBJECTS: u64 = 1024;

/// Objects in memory, up to a number of bytes; nothing is evicted.
pub struct MemoryStore {
    limit: u64,
    max_objects: u64,
    content: RwLock<Content>,
}

#[derive(Default)]
struct Content {
    objects: HashMap<AddrB3, Bytes>,
    bytes: u64,
}

impl MemoryStore {
    /// A store for `limit` bytes of objects, and for one object per KiB of that, but at least 1,024.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            max_objects: (limit / BYTES_PER_OBJECT).max(LEAST_OBJECTS),
            content: RwLock::default(),
        }
    }

    fn find(&self, address: &AddrB3) -> Result<Bytes, ReadError> {
        // Each change is a single insertion: a panic elsewhere cannot have left one half done.
        let content = self.content.read().unwrap_or_else(PoisonError::into_inner);
        content
            .objects
            .get(address)
            .cloned()
            .ok_or(ReadError::NotFound)
    }

    fn insert(&self, address: AddrB3, body: Bytes, deadline: Instant) -> Result<(), PutError> {
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        let content = &mut *content;
        let count = content.objects.len() as u64;
        match content.objects.entry(address) {
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(entry) => {
                let bytes = content.bytes.saturating_add(body.len() as u64);
                if bytes > self.limit || count >= self.max_objects {
                    return Err(PutError::Full { limit: self.limit });
                }
                if Instant::now() >= deadline {
                    return Err(PutError::DeadlineExceeded);
                }
                // A body that came in parts may have room to spare; an object has none.
                entry.insert(Bytes::copy_from_slice(&body));
                content.bytes = bytes;
                Ok(())
            }
        }
    }
}

impl ObjectStore for MemoryStore {
    fn put(&self, address: AddrB3, body: Bytes, deadline: Instant) -> Answer<Result<(), PutError>> {
        Answer::Ready(self.insert(address, body, deadline))
    }

    fn head(&self, address: AddrB3) -> Answer<Result<Object, ReadError>> {
        Answer::Ready(self.find(&address).map(|whole| Object {
            address,
            size: whole.len() as u64,
        }))
    }

    fn read(&self, address: AddrB3, selection: Selection) -> Answer<Result<Part, ReadError>> {
        let whole = self.find(&address);
        Answer::Ready(whole.and_then(|whole| Part::of(address, &whole, selection)))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_app_sdk::ByteRange;
    use std::time::Duration;

    fn put(store: &MemoryStore, body: &[u8], deadline: Instant) -> Result<AddrB3, PutError> {
        let address = AddrB3::of(body);
        match store.put(address, Bytes::copy_from_slice(body), deadline) {
            Answer::Ready(result) => result.map(|()| address),
            Answer::Pending(_) => unreachable!(),
        }
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn what_was_put_is_read_whole_and_in_part() {
        let store = MemoryStore::new(100);
        let address = put(&store, b"0123456789", later()).unwrap();
        let whole = store.read(address, Selection::Whole).wait().await.unwrap();
        assert_eq!((&whole.body[..], whole.range), (&b"0123456789"[..], None));
        let part = store
            .read(address, Selection::From(8))
            .wait()
            .await
            .unwrap();
        assert_eq!(&part.body[..], b"89");
        assert_eq!(part.range, ByteRange::new(8, 9).ok());
        assert_eq!(part.object, Object { address, size: 10 });
        let absent = store.head(AddrB3::of(b"absent")).wait().await;
        assert_eq!(absent, Err(ReadError::NotFound));
    }

    #[test]
    fn the_limit_counts_each_object_once() {
        let store = MemoryStore::new(10);
        put(&store, b"123456", later()).unwrap();
        put(&store, b"123456", later()).unwrap();
        assert_eq!(
            put(&store, b"12345", later()),
            Err(PutError::Full { limit: 10 })
        );
        put(&store, b"1234", later()).unwrap();
        assert_eq!(
            put(&store, b"1", later()),
            Err(PutError::Full { limit: 10 })
        );
    }

    #[test]
    fn tiny_objects_are_bounded_in_number() {
        let store = MemoryStore::new(100_000);
        for number in 0..LEAST_OBJECTS {
            put(&store, &number.to_be_bytes(), later()).unwrap();
        }
        assert_eq!(
            put(&store, b"one more", later()),
            Err(PutError::Full { limit: 100_000 })
        );
    }

    #[tokio::test]
    async fn nothing_is_committed_after_the_deadline() {
        let store = MemoryStore::new(10);
        let result = put(&store, b"late", Instant::now());
        assert_eq!(result, Err(PutError::DeadlineExceeded));
        let absent = store.head(AddrB3::of(b"late")).wait().await;
        assert_eq!(absent, Err(ReadError::NotFound));
    }
}
