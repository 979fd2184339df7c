//! What is fetched and stored: bytes that every process knows beforehand.

use ron_app_sdk::{AddrB3, MAX_BODY};
use std::str::FromStr;

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

/// The length of an object, on the command line.
#[derive(Clone, Copy)]
pub(crate) struct Payload(pub(crate) usize);

impl FromStr for Payload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "limit" => Ok(Self(MAX_BODY)),
            Ok(len @ 0..=MAX_BODY) => Ok(Self(len)),
            _ => Err(format!("a payload is 0 to {MAX_BODY}, or `limit`")),
        }
    }
}
