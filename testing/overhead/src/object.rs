//! What is fetched and stored: bytes that every process knows beforehand.

use ron_app_sdk::{AddrB3, MAX_BODY};

/// An object with its address.
pub(crate) struct Object {
    pub(crate) body: Vec<u8>,
    pub(crate) address: AddrB3,
}

impl Object {
    /// The object of this length: always the same bytes, which do not compress.
    pub(crate) fn of_len(len: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(5);
        let body: Vec<u8> = (0..len.min(MAX_BODY)).map(|_| random.u8(..)).collect();
        Self {
            address: AddrB3::of(&body),
            body,
        }
    }
}
