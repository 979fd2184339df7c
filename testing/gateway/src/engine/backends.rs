//! What a gateway keeps, and what outlives it.

use crate::capability::{CapabilityCheck, Verifier};
use crate::config::GatewayConfig;
use crate::edge::{Edge, EdgeSource};
use crate::idempotency::Idempotency;
use crate::index::Index;
use crate::ledger::Ledger;
use crate::mailbox::Mailbox;
use crate::store::{MemoryStore, ObjectStore};
use std::fmt;
use std::io;
use std::sync::Arc;

/// What a gateway keeps its state in. Gateways with clones of one value have the same state: objects,
/// messages, names, what is remembered of idempotency keys, and the ledger.
#[derive(Clone)]
pub struct Backends {
    /// The storage plane's objects.
    pub objects: Arc<dyn ObjectStore>,
    /// The edge plane's objects.
    pub edge: Arc<dyn EdgeSource>,
    /// The mailbox plane's messages.
    pub mailbox: Mailbox,
    /// The index plane's names.
    pub index: Index,
    /// Who may call.
    pub capabilities: Arc<dyn CapabilityCheck>,
    pub(crate) idempotency: Arc<Idempotency>,
    pub(crate) ledger: Option<Arc<Ledger>>,
}

impl Backends {
    /// A store, a mailbox and an index in memory, the configured folder, and the check of capabilities with
    /// the configured root keys, or with one of its own where none are configured.
    ///
    /// # Errors
    /// Where a limit breaks its rule, the edge folder cannot be read, or the operating system has no
    /// randomness to give.
    pub fn in_memory(config: &GatewayConfig) -> io::Result<Self> {
        config.idempotency.check()?;
        let defect = config.defect;
        Ok(Self {
            objects: Arc::new(MemoryStore::new(config.storage_limit)),
            edge: Arc::new(Edge::open(config.edge_root.as_deref())?),
            mailbox: Mailbox::with_defect(config.mailbox, defect)?,
            index: Index::with_defect(config.index, defect),
            capabilities: Arc::new(Verifier::configured(config)?),
            idempotency: Idempotency::new(config.idempotency, config.deduplication, defect),
            ledger: config.ledger.then(Arc::default),
        })
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends").finish_non_exhaustive()
    }
}
