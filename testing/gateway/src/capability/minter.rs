//! Making tokens.

use super::condition::{CaveatError, Condition};
use super::identifier::{Identifier, IdentifierError};
use super::keys::RootKey;
use ron_app_sdk::{Capability, Macaroon, MacaroonError, SdkError};
use std::fmt;
use std::sync::Arc;

/// Where the tokens say that they are meant to be used.
const LOCATION: &str = "ron-gateway";

/// Makes tokens with one root key. Keep it where the root key may be.
#[derive(Clone)]
pub struct Minter(Arc<RootKey>);

impl Minter {
    pub(super) fn new(key: Arc<RootKey>) -> Self {
        Self(key)
    }

    /// A token for `subject` with a random token id, narrowed by `caveats`.
    ///
    /// # Errors
    /// Where the subject or a caveat breaks its rule, the token would be too long, or the operating system
    /// has no randomness to give.
    pub fn mint(&self, subject: &str, caveats: &[&str]) -> Result<Capability, MintError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| MintError::Randomness)?;
        let token_id = format!("{:032x}", u128::from_be_bytes(random));
        self.mint_with_id(subject, &token_id, caveats)
    }

    /// The same with a token id of the caller's.
    ///
    /// # Errors
    /// Where a part or a caveat breaks its rule, or the token would be too long.
    pub fn mint_with_id(
        &self,
        subject: &str,
        token_id: &str,
        caveats: &[&str],
    ) -> Result<Capability, MintError> {
        let identifier = Identifier::new(self.0.id(), subject, token_id)?.to_string();
        let mut token = Macaroon::mint(self.0.secret(), LOCATION, identifier.as_bytes());
        for caveat in caveats {
            Condition::parse(caveat.as_bytes())?;
            token = token.attenuate(caveat.as_bytes())?;
        }
        Ok(Capability::from_bytes(token.encode())?)
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Minter({})", self.0.id())
    }
}

/// Why no token could be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The subject or the token id breaks its rule.
    #[error(transparent)]
    Identifier(#[from] IdentifierError),
    /// A caveat that no gateway of this version would understand.
    #[error(transparent)]
    Caveat(#[from] CaveatError),
    /// There are too many caveats.
    #[error("the token cannot be narrowed: {0}")]
    Narrowing(#[from] MacaroonError),
    /// The token is too long.
    #[error(transparent)]
    Token(#[from] SdkError),
    /// The operating system has no randomness to give.
    #[error("the operating system has no randomness to give")]
    Randomness,
    /// The gateway's check of capabilities has no root keys.
    #[error("this gateway has no root key to mint with")]
    NoKey,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::capability::KeyRing;

    #[test]
    fn minted_tokens_differ_and_name_their_subject() {
        let minter = KeyRing::generate("dev").unwrap().minter(None).unwrap();
        let mint = || minter.mint("developer", &["op=storage.get"]).unwrap();
        let (one, other) = (mint(), mint());
        assert_ne!(one.expose(), other.expose());
        let token = Macaroon::parse(one.expose()).unwrap();
        let identifier = Identifier::parse(token.identifier()).unwrap();
        assert_eq!(
            (identifier.key_id(), identifier.subject()),
            ("dev", "developer")
        );
        assert_eq!(token.caveats()[0].identifier(), b"op=storage.get");
        assert_eq!(token.location(), Some("ron-gateway"));
    }

    #[test]
    fn what_would_always_be_denied_is_not_minted() {
        let minter = KeyRing::generate("dev").unwrap().minter(None).unwrap();
        for (subject, caveats) in [
            ("", &[][..]),
            ("a:b", &[]),
            ("a", &["canary"]),
            ("a", &["op=canary"]),
            ("a", &["op=storage.get"; 65]),
        ] {
            let error = minter.mint(subject, caveats).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("canary"));
        }
    }
}
