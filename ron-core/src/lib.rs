//! ron-app-sdk: applications talk to RON nodes.

pub mod oap;
pub mod session;

mod address;
mod capability;
mod config;
mod edge_path;
mod error;
mod idempotency;
mod range;
mod transport {
    pub(crate) mod endpoint;
}

pub use address::{AddrB3, Address, AddressError, AddressHasher};
pub use capability::{
    Capability, CapabilitySource, Caveat, Macaroon, MacaroonError, CAPABILITY_VARIABLE,
};
pub use config::{
    CacheConfig, IdempotencyConfig, PoolConfig, SdkConfig, SpkiPin, SpkiPinError, Timeouts,
    TlsConfig, Transport,
};
pub use edge_path::{EdgePath, EdgePathError, MAX_EDGE_PATH};
pub use error::{ErrorKind, SdkError};
pub use idempotency::{IdemKey, IdemKeyError, MAX_IDEM_KEY};
pub use range::{ByteRange, RangeError};
