//! What is put and fetched.

use bytes::Bytes;
use fastrand::Rng;
use ron_app_sdk::{AddrB3, MAX_BODY};

/// No power of two, so that a length that was rounded shows.
const SIZE: usize = 100_003;

/// Objects for the checks.
#[derive(Debug)]
pub(super) struct Sample {
    /// Another one in each run, so that it really has to be stored.
    pub(super) object: Bytes,
    /// Its address.
    pub(super) address: AddrB3,
    /// As long as an object may be. The same one in each run, so that runs do not fill a store.
    pub(super) longest: Bytes,
    /// Of bytes that nobody has stored.
    pub(super) missing: AddrB3,
    /// What names of this run begin with.
    pub(super) run: String,
}

impl Sample {
    pub(super) fn fresh() -> Self {
        let mut random = Rng::new();
        let mut object = vec![0; SIZE];
        random.fill(&mut object);
        let mut longest = vec![0; MAX_BODY];
        Rng::with_seed(1).fill(&mut longest);
        let mut missing = [0; 32];
        random.fill(&mut missing);
        Self {
            address: AddrB3::of(&object),
            object: object.into(),
            longest: longest.into(),
            missing: AddrB3::of(&missing),
            run: format!("{:016x}", random.u64(..)),
        }
    }

    /// A part of the object.
    pub(super) fn part(&self, first: usize, last: usize) -> &[u8] {
        self.object.get(first..=last).unwrap_or_default()
    }
}
