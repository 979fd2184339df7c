//! ron-app-sdk: applications talk to RON nodes.
//!
//! Content-addressed **storage**, **edge** fetches with byte ranges, an at-least-once **mailbox** and a
//! name **index**, through one gateway, over TLS 1.3. Every call carries a [`Capability`] and a limit;
//! every put, send and publish carries an idempotency key; what is fetched by address is hashed and
//! compared; what fails for a moment is tried again. [`RonAppSdk`] is for asynchronous applications,
//! [`blocking::RonAppSdk`] for threads; both drive the connection themselves, without a task or thread in
//! between.
//!
//! Four floors, each using only those below it: the call (this level), the transport (sockets, TLS, the pool),
//! the [`session`] (one connection as a state machine without I/O) and [`oap`] (the frames). What is tried
//! again is decided beside them, in pure code.

pub mod blocking;
pub mod completion;
pub mod oap;
pub mod session;

mod address;
mod cache;
mod call;
mod capability;
mod client;
mod config;
mod edge_path;
mod error;
mod idempotency;
mod index;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod interrupt;
pub mod mailbox;
mod metrics;
mod operations;
mod planes;
mod process;
mod range;
mod ready;
mod retry;
mod runtime;
mod stats;
mod telemetry;
mod text;
mod trace_parent;
mod transport;
mod wipe;

pub use address::{AddrB3, Address, AddressError, AddressHasher};
pub use call::{CallReport, Plain, Report, Reported};
pub use capability::{
    Capability, CapabilityProvider, CapabilityRequest, CapabilitySource, Caveat, Macaroon,
    MacaroonError, CAPABILITY_VARIABLE,
};
pub use client::{Calls, RonAppSdk};
pub use config::{
    BackoffConfig, CacheConfig, IdempotencyConfig, PoolConfig, ProxyAddr, ProxyAddrError,
    ProxyProtocol, SdkConfig, Setting, SettingKind, SpkiPin, SpkiPinError, Timeouts, TlsConfig,
    TorConfig, TracingConfig, Transport,
};
pub use edge_path::{EdgePath, EdgePathError, MAX_EDGE_PATH};
pub use error::{ErrorKind, RetryRule, SdkError};
pub use idempotency::{IdemKey, IdemKeyError, MAX_IDEM_KEY};
pub use index::{Expected, IndexKey, IndexKeyError, MAX_INDEX_KEY};
pub use mailbox::{
    AttributeError, Attributes, DeadLetter, DeadReason, Lease, Mail, Message, Receipt, Receive,
    Topic, TopicError,
};
pub use metrics::{
    LabelledCount, Latency, LatencyBucket, MetricInfo, MetricKind, Metrics, MetricsSnapshot,
    RequestCount, RetryCount, Sample,
};
pub use oap::{Executed, MAX_BODY};
pub use planes::storage::UnverifiedRange;
pub use planes::ObjectInfo;
pub use range::{ByteRange, RangeError};
pub use ready::{Check, Readiness};
pub use retry::GaveUp;
pub use stats::ClientStats;
pub use trace_parent::{TraceContext, TraceParent, TraceParentError};

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Compiles the examples of the four planes.
#[cfg(doctest)]
#[doc = include_str!("../../docs/PLANES.md")]
struct Planes;

/// Compiles the examples of the page about proxies and Tor.
#[cfg(doctest)]
#[doc = include_str!("../../docs/NETWORK.md")]
struct Network;

/// Compiles the example of the page about telemetry.
#[cfg(doctest)]
#[doc = include_str!("../../docs/OBSERVABILITY.md")]
struct Observability;

/// Compiles the example of the page about settings.
#[cfg(doctest)]
#[doc = include_str!("../../docs/CONFIGURATION.md")]
struct Configuration;
