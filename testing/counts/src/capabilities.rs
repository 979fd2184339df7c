//! Narrowing a capability.

use ron_app_sdk::{Capability, Macaroon};

/// A capability such as gateways mint, with one caveat.
pub struct Capabilities {
    capability: Capability,
}

impl Capabilities {
    /// Mints it.
    pub fn new() -> Self {
        let token = Macaroon::mint(&[7; 32], "ron", b"v=1 subject=somebody tenant=0");
        let token = token.attenuate(b"expires=2030-01-01T00:00:00Z");
        let token = token.expect("a short caveat").encode();
        let capability = Capability::from_bytes(token).expect("a token");
        Self { capability }
    }

    /// Adds a caveat.
    pub fn attenuate(&self) -> Capability {
        let narrower = self.capability.attenuate("op=storage.get");
        narrower.expect("a short caveat")
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::new()
    }
}
