//! Who may call: the check of a capability, and the minting of one for development.

use ron_app_sdk::oap::{ErrorReply, Reason};
use ron_app_sdk::{Capability, Macaroon};
use std::io;
use std::sync::Arc;

/// Who calls: what a verified capability says about its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The tenant, 0 for none.
    pub tenant_id: u128,
    /// Whom the capability was given to. Records and quotas are kept per subject, so that a refreshed
    /// token of the same subject meets what the old one left.
    pub subject: Arc<str>,
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
}

/// Lets every well-formed token pass: for development, where the gateway holds no keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct WellFormed;

impl CapabilityCheck for WellFormed {
    fn check(&self, tenant_id: u128, capability: &[u8]) -> Result<Grant, ErrorReply> {
        if capability.is_empty() {
            return Err(ErrorReply::not_executed(Reason::CapabilityMissing));
        }
        match Macaroon::parse(capability) {
            Ok(_) => Ok(Grant {
                tenant_id,
                subject: Arc::from("anyone"),
            }),
            Err(error) => Err(ErrorReply::not_executed(Reason::CapabilityMalformed)
                .with_detail(format!("not a macaroon in format version 2: {error}"))),
        }
    }
}

/// Mints a capability under a random root key that is forgotten at once.
///
/// # Errors
/// Where the operating system has no randomness to give.
pub fn mint_for_development() -> io::Result<Capability> {
    let mut root_key = [0; 32];
    let mut token_id = [0; 16];
    for random in [&mut root_key[..], &mut token_id[..]] {
        getrandom::fill(random).map_err(|error| io::Error::other(error.to_string()))?;
    }
    let identifier = format!("v1:dev:developer:{:032x}", u128::from_be_bytes(token_id));
    let token = Macaroon::mint(&root_key, "ron-gateway", identifier.as_bytes()).encode();
    Capability::from_bytes(token).map_err(io::Error::other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_token_passes() {
        let reason = |token: &[u8]| {
            WellFormed
                .check(0, token)
                .map(drop)
                .map_err(|error| error.reason)
        };
        assert_eq!(reason(b""), Err(Reason::CapabilityMissing));
        assert_eq!(reason(b"token"), Err(Reason::CapabilityMalformed));
        assert_eq!(reason(mint_for_development().unwrap().expose()), Ok(()));
    }

    #[test]
    fn a_refusal_does_not_repeat_the_token() {
        let error = WellFormed.check(0, b"canary").unwrap_err();
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[test]
    fn minted_tokens_differ_and_name_the_developer() {
        let (one, other) = (
            mint_for_development().unwrap(),
            mint_for_development().unwrap(),
        );
        assert_ne!(one.expose(), other.expose());
        let token = Macaroon::parse(one.expose()).unwrap();
        assert!(token.identifier().starts_with(b"v1:dev:developer:"));
        assert_eq!(token.location(), Some("ron-gateway"));
    }
}
