//! A working RON gateway: storage, edge, mailbox and index over OAP/1 and HTTP, on one port, over TLS 1.3.
//!
//! It is a library so that a test can start it in its own process, and the binary `ron-gateway` so
//! that an application can be developed against it. A [`Gateway`] is a listener with its connections;
//! what it keeps is behind small traits ([`Backends`]); who it is comes from [`certificates`].
//!
//! ```
//! use ron_gateway::certificates::{Authority, CertificateRequest};
//! use ron_gateway::{Gateway, GatewayConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let authority = Authority::new()?;
//! let identity = authority.issue(&CertificateRequest::localhost())?;
//! let gateway = Gateway::start(GatewayConfig::default(), identity).await?;
//! assert_ne!(gateway.address().port(), 0);
//! let _capability = gateway.mint("alice", &["op=storage.get,storage.put"])?;
//! gateway.drain().await;
//! # Ok(()) })
//! # }
//! ```

mod answer;
mod call_log;
pub mod capability;
pub mod certificates;
mod config;
mod defect;
pub mod edge;
mod engine;
pub mod faults;
mod gateway;
mod http;
mod idempotency;
mod index;
mod ledger;
mod listener;
mod mailbox;
mod metrics;
mod oap;
mod outcome;
mod phase;
mod quota;
mod selection;
pub mod store;
mod tls;
mod write_stall;

pub use answer::Answer;
pub use call_log::{CallLog, LoggedCall};
pub use config::{GatewayConfig, Limits};
pub use defect::Defect;
pub use engine::Backends;
pub use gateway::Gateway;
pub use idempotency::{Deduplication, IdempotencyLimits};
pub use index::{Index, IndexLimits};
pub use ledger::Ledger;
pub use mailbox::{Mailbox, MailboxLimits};
pub use metrics::Metrics;
pub use selection::{ReadError, Selection};
