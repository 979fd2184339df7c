//! Capabilities that a gateway must refuse, made from one that it lets pass.

use ron_app_sdk::{Capability, Macaroon, SdkError};

/// The caller's capability, and what is wrong in different ways.
#[derive(Debug)]
pub(super) struct Capabilities {
    pub(super) good: Capability,
    /// Its time was over in 1970.
    pub(super) expired: Capability,
    /// It is for `storage.head` alone.
    pub(super) narrow: Capability,
    /// It says that it is the good one, and was made with another key.
    pub(super) forged: Capability,
}

impl Capabilities {
    pub(super) fn of(good: &Capability) -> Result<Self, SdkError> {
        // That it is a token was checked when it was read.
        let identifier = match Macaroon::parse(good.expose()) {
            Ok(token) => token.identifier().to_vec(),
            Err(_) => Vec::new(),
        };
        let forged = Macaroon::mint(b"a key that is no gateway's, 32 b", "gwsmoke", &identifier);
        Ok(Self {
            good: good.clone(),
            expired: good.attenuate("exp<1")?,
            narrow: good.attenuate("op=storage.head")?,
            forged: Capability::from_bytes(forged.encode())?,
        })
    }
}
