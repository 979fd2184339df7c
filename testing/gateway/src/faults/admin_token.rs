//! The secret that lets its holder inject faults into a gateway.

use std::fmt;
use std::io;
use subtle::ConstantTimeEq;

/// A secret of one run of a gateway, for its admin call. It never appears in a `Debug`.
#[derive(Clone)]
pub struct AdminToken(String);

impl AdminToken {
    /// A new one: 256 random bits.
    ///
    /// # Errors
    /// Where the operating system has no randomness to give.
    pub fn random() -> io::Result<Self> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(
            bits.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// The text to send as `Authorization: Bearer …`.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in a time that does not depend on where the two differ.
    pub(crate) fn is(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(..)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_own_and_shown_only_on_demand() {
        let (token, other) = (AdminToken::random().unwrap(), AdminToken::random().unwrap());
        assert!(token.is(token.expose().as_bytes()));
        assert!(!token.is(other.expose().as_bytes()) && !token.is(b""));
        assert!(!token.is(&token.expose().as_bytes()[..63]));
        assert!(!format!("{token:?}").contains(token.expose()));
    }
}
