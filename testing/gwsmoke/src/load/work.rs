//! What a load works with, and which call comes next.

use super::mix::Mix;
use super::operation::Operation;
use super::sizes::Sizes;
use super::target::Task;
use super::weighted::Weighted;
use bytes::Bytes;
use fastrand::Rng;
use ron_app_sdk::{AddrB3, ByteRange};
use std::ops::Range;

/// Objects take at most so many bytes in all.
const MOST_BYTES: usize = 256 << 20;

/// Bytes to be stored, fetched and sent.
#[derive(Clone, Debug)]
pub struct Object {
    /// The bytes.
    pub body: Bytes,
    /// Their address.
    pub address: AddrB3,
}

impl Object {
    /// The middle half: what [`Operation::Range`] fetches. An empty object has none.
    pub fn middle(&self) -> Option<ByteRange> {
        let size = self.body.len() as u64;
        let first = size / 4;
        let last = (first + (size / 2).max(1)).checked_sub(1)?;
        ByteRange::new(first, last).ok()?.clip(size)
    }
}

/// The objects of a load and the choice among them.
#[derive(Debug)]
pub struct Work {
    mix: Mix,
    objects: Vec<Object>,
    /// For each size, which objects have it.
    by_size: Weighted<Range<usize>>,
}

impl Work {
    /// So many different objects of each size. The same ones each time, so that repeated loads do not fill a store.
    ///
    /// # Errors
    /// A sentence that names the option, where they are too much for one process, or an operation cannot be done
    /// with them.
    pub fn new(mix: Mix, sizes: &Sizes, objects_per_size: usize) -> Result<Self, String> {
        if sizes.has_empty() && mix.has(Operation::Range) {
            return Err(
                "--sizes: 0 does not go with range in --mix: an empty object has no ranges".into(),
            );
        }
        let bytes: usize = sizes.weighted().items().sum::<usize>() * objects_per_size;
        if bytes > MOST_BYTES {
            return Err(format!(
                "--objects: {objects_per_size} of each of --sizes are {bytes} bytes, above {MOST_BYTES}"
            ));
        }
        let mut objects = Vec::new();
        let by_size = sizes.weighted().map(|size| {
            let first = objects.len();
            // There is only one empty object, and there are 256 of one byte.
            let different = match size {
                0 => 1,
                1 => objects_per_size.min(256),
                _ => objects_per_size,
            };
            objects.extend((0..different).map(|number| object(*size, number)));
            first..objects.len()
        });
        Ok(Self {
            mix,
            objects,
            by_size,
        })
    }

    /// All objects.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The object of a task.
    pub fn object(&self, task: Task) -> &Object {
        &self.objects[task.object % self.objects.len()]
    }

    /// Whether the load has this operation.
    pub fn has(&self, operation: Operation) -> bool {
        self.mix.has(operation)
    }

    /// The call that comes next.
    pub fn next(&self, random: &mut Rng) -> Task {
        let operation = self.mix.pick(random);
        let of_size = self.by_size.pick(random).clone();
        let object = random.usize(of_size);
        Task { operation, object }
    }
}

fn object(size: usize, number: usize) -> Object {
    let mut body = vec![0; size];
    Rng::with_seed((size as u64) << 32 | number as u64).fill(&mut body);
    // Random bytes of a small object could be the same as another one's.
    let tag = (number as u64).to_le_bytes();
    let tagged = size.min(tag.len());
    body[..tagged].copy_from_slice(&tag[..tagged]);
    Object {
        address: AddrB3::of(&body),
        body: body.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn objects_differ_and_are_the_same_each_time() {
        let work = |sizes: &str| {
            let mix = "get=1".parse().unwrap();
            Work::new(mix, &sizes.parse().unwrap(), 300).unwrap()
        };
        for (sizes, expected) in [("0", 1), ("1", 256), ("2,100", 600), ("0,5,4096", 601)] {
            let addresses: HashSet<AddrB3> = work(sizes)
                .objects()
                .iter()
                .map(|object| object.address)
                .collect();
            assert_eq!(addresses.len(), expected, "{sizes}");
            let again = work(sizes);
            assert!(again
                .objects()
                .iter()
                .all(|object| addresses.contains(&object.address)));
        }
    }

    #[test]
    fn sizes_are_as_frequent_as_their_weights_whatever_the_number_of_objects() {
        let sizes = "0=3,64=1".parse().unwrap();
        let work = Work::new("get=1".parse().unwrap(), &sizes, 100).unwrap();
        let mut random = Rng::with_seed(3);
        let tasks = (0..40_000).map(|_| work.next(&mut random));
        let empty = tasks
            .filter(|task| work.object(*task).body.is_empty())
            .count();
        assert!(empty.abs_diff(30_000) < 600, "{empty}");
    }

    #[test]
    fn the_middle_half_lies_within() {
        for size in 0..100 {
            let middle = object(size, 0).middle();
            match size {
                0 => assert_eq!(middle, None),
                _ => {
                    let middle = middle.unwrap();
                    assert!(middle.last() < size as u64, "{size}");
                    assert_eq!(middle.len(), (size as u64 / 2).max(1));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_option() {
        let refused = |mix: &str, sizes: &str, objects| {
            let work = Work::new(mix.parse().unwrap(), &sizes.parse().unwrap(), objects);
            work.unwrap_err()
        };
        assert!(refused("range=1", "0,64", 1).contains("--sizes"));
        let most = MOST_BYTES / 1_000_000;
        let error = refused("get=1", "1000000", most + 1);
        assert!(
            error.contains("--objects") && error.contains("268435456"),
            "{error}"
        );
        assert!(Work::new("get=1".parse().unwrap(), &"1000".parse().unwrap(), most).is_ok());
    }
}
