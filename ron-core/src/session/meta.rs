//! The meta of a message that has been received.

use smallvec::SmallVec;
use std::fmt;
use std::ops::Deref;

/// Usual answers fit: these bytes are part of the message, and longer metas have memory of their own.
const INLINE: usize = 144;

/// A received meta: its JSON text, not checked yet.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Meta(SmallVec<[u8; INLINE]>);

impl Meta {
    pub(super) fn reserve(&mut self, len: usize) {
        self.0.reserve_exact(len);
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Deref for Meta {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Meta {
    fn from(text: &[u8]) -> Self {
        Self(SmallVec::from_slice(text))
    }
}

/// Its length: a meta may hold a lease, or somebody's attributes.
impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meta({} bytes)", self.len())
    }
}
