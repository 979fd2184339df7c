//! The index plane's state: names that stand for addresses.

mod limits;
mod names;

pub use limits::IndexLimits;

use crate::defect::Defect;
use names::{Names, Refusal};
use ron_app_sdk::oap::{ErrorReply, Reason};
use ron_app_sdk::{AddrB3, Expected, IndexKey};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The names of a gateway, in memory. Its clones are the same index.
#[derive(Clone)]
pub struct Index {
    names: Arc<Mutex<Names>>,
    limits: IndexLimits,
}

impl Index {
    /// An index without names.
    pub fn new(limits: IndexLimits) -> Self {
        Self::with_defect(limits, None)
    }

    pub(crate) fn with_defect(limits: IndexLimits, defect: Option<Defect>) -> Self {
        let names = Arc::new(Mutex::new(Names::new(limits, defect)));
        Self { names, limits }
    }

    /// What a name stands for.
    pub(crate) fn resolve(&self, tenant_id: u128, key: IndexKey) -> Result<AddrB3, ErrorReply> {
        let address = self.names().resolve(now(), &(tenant_id, key));
        address.ok_or_else(|| {
            ErrorReply::not_executed(Reason::NotFound).with_detail("the name stands for nothing")
        })
    }

    /// Lets a name stand for an address; with `expected`, only where it stands for that so far.
    pub(crate) fn publish(
        &self,
        tenant_id: u128,
        key: IndexKey,
        address: AddrB3,
        expected: Option<Expected>,
        deadline: Instant,
    ) -> Result<(), ErrorReply> {
        let mut names = self.names();
        // What the call counts by is the machine's clock.
        if Instant::now() >= deadline {
            return Err(ErrorReply::not_executed(Reason::DeadlineExceeded));
        }
        let published = names.publish(now(), (tenant_id, key), address, expected);
        published.map_err(|refusal| match refusal {
            Refusal::Unexpected => ErrorReply::not_executed(Reason::UnexpectedValue)
                .with_detail("the name stands for something else"),
            Refusal::Full => {
                let limit = self.limits.max_names;
                ErrorReply::not_executed(Reason::StorageFull)
                    .with_detail(format!("the index holds at most {limit} names"))
            }
        })
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        // Each change is a single insertion: a panic elsewhere cannot have left one half done.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime's time, which a test can move.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}
