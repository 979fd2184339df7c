//! The storage plane's state: objects under the address of their content.

mod memory;

pub use memory::MemoryStore;

use crate::answer::Answer;
use crate::selection::{ReadError, Selection};
use bytes::Bytes;
use ron_app_sdk::oap::{ErrorReply, Reason};
use ron_app_sdk::{AddrB3, ByteRange};
use std::time::Instant;

/// Objects under the address of their content.
///
/// Answers own what they need, so that a call does not borrow the store while it waits.
pub trait ObjectStore: Send + Sync {
    /// Keeps `body` under `address`, its own. Keeping an object that is there already is no error.
    ///
    /// `deadline` is checked immediately before the commit: a call that is answered with
    /// [`PutError::DeadlineExceeded`] has had no effect.
    fn put(&self, address: AddrB3, body: Bytes, deadline: Instant) -> Answer<Result<(), PutError>>;

    /// Describes an object.
    fn head(&self, address: AddrB3) -> Answer<Result<Object, ReadError>>;

    /// Reads the selected bytes of an object.
    fn read(&self, address: AddrB3, selection: Selection) -> Answer<Result<Part, ReadError>>;
}

/// An object, described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// The address of the whole object.
    pub address: AddrB3,
    /// The whole object's size in bytes.
    pub size: u64,
}

/// Bytes of an object.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// The object.
    pub object: Object,
    /// Which of its bytes these are; `None` for all.
    pub range: Option<ByteRange>,
    /// The bytes.
    pub body: Bytes,
}

impl Part {
    /// The selected part of an object that is in memory as a whole.
    ///
    /// # Errors
    /// Where the selection cannot be had.
    pub fn of(address: AddrB3, whole: &Bytes, selection: Selection) -> Result<Self, ReadError> {
        let size = whole.len() as u64;
        let range = selection.resolve(size)?;
        // A resolved range lies within the object, whose length is a usize.
        let body = range.map_or_else(
            || whole.clone(),
            |range| whole.slice(range.first() as usize..=range.last() as usize),
        );
        let object = Object { address, size };
        Ok(Self {
            object,
            range,
            body,
        })
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("object", &self.object)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// Why an object was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutError {
    /// There is no room left.
    Full {
        /// How many bytes the store holds at most.
        limit: u64,
    },
    /// Its time was over before it was committed.
    DeadlineExceeded,
    /// The store cannot write at the moment, and did not.
    Unavailable,
}

impl From<PutError> for ErrorReply {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Full { limit } => Self::not_executed(Reason::StorageFull)
                .with_detail(format!("the store holds at most {limit} bytes")),
            PutError::DeadlineExceeded => Self::not_executed(Reason::DeadlineExceeded),
            PutError::Unavailable => Self::not_executed(Reason::Unavailable),
        }
    }
}
