//! Who may call: root keys, the tokens minted with them, and the check of a token against a call.
//!
//! `docs/CAPABILITIES.md` has the format and the rules. In short: a token's chain of HMACs shows that it was
//! minted with a root key of this gateway and only narrowed since; its identifier says whose it is; each of
//! its caveats has to hold. What is not understood is denied.

mod clock;
mod condition;
mod identifier;
mod keys;
mod minter;
mod restrictions;
mod revocations;
mod verifier;

pub use clock::Clock;
pub use condition::{CaveatError, Condition};
pub use identifier::{Identifier, IdentifierError};
pub use keys::{KeyRing, RootKeyError};
pub use minter::{MintError, Minter};
pub use revocations::Revocations;
pub use verifier::Verifier;

use crate::engine::Action;
use restrictions::Restrictions;
use ron_app_sdk::oap::ErrorReply;
use ron_app_sdk::IdemKey;
use std::sync::Arc;

/// Who calls: what a verified capability says about its holder.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The tenant, 0 for none.
    pub tenant_id: u128,
    /// Whom the capability was given to. Records and quotas are kept per subject, so that a refreshed
    /// token of the same subject meets what the old one left.
    pub subject: Arc<str>,
    restrictions: Option<Arc<Restrictions>>,
}

impl Grant {
    /// A grant that allows every call.
    pub fn unrestricted(tenant_id: u128, subject: impl Into<Arc<str>>) -> Self {
        Self {
            tenant_id,
            subject: subject.into(),
            restrictions: None,
        }
    }

    /// Whether it allows this call, now. It is asked when the operation is known and `body_len` is not,
    /// and again before the execution: time passes while a body arrives.
    pub(crate) fn allows(
        &self,
        action: &Action,
        idem: Option<&IdemKey>,
        body_len: Option<usize>,
    ) -> Result<(), ErrorReply> {
        match &self.restrictions {
            Some(restrictions) => restrictions.allow(action, idem, body_len),
            None => Ok(()),
        }
    }
}

/// Decides whether a capability allows calls.
///
/// It is asked before anything else is read or allocated for a call, and on the connection's own task:
/// a check looks at the token and at what is in memory, and never waits.
pub trait CapabilityCheck: Send + Sync {
    /// Checks the token of a call for `tenant_id`; `capability` is empty where none was sent.
    ///
    /// # Errors
    /// The refusal, as the caller gets it.
    fn check(&self, tenant_id: u128, capability: &[u8]) -> Result<Grant, ErrorReply>;

    /// What mints tokens that this check lets pass, where it has the keys for that.
    fn minter(&self) -> Option<Minter> {
        None
    }
}
