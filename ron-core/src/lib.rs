//! ron-app-sdk: applications talk to RON nodes.

pub mod oap;
pub mod session;

mod address;
mod edge_path;
mod idempotency;
mod range;

pub use address::{AddrB3, Address, AddressError, AddressHasher};
pub use edge_path::{EdgePath, EdgePathError, MAX_EDGE_PATH};
pub use idempotency::{IdemKey, IdemKeyError, MAX_IDEM_KEY};
pub use range::{ByteRange, RangeError};
