//! Capabilities: what a caller may do, as a token that travels with every call.

mod macaroon;
mod source;

pub(crate) use source::Wanted;
pub use source::{CapabilityProvider, CapabilityRequest, CapabilitySource};

pub use macaroon::{Caveat, Macaroon, MacaroonError};

use crate::error::{ErrorKind, SdkError};
use crate::oap::MAX_CAPABILITY;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine as _;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The environment variable that holds a capability as base64url.
pub const CAPABILITY_VARIABLE: &str = "RON_SDK_CAPABILITY";

/// A capability token: a macaroon in the libmacaroons v2 binary format.
///
/// The SDK carries it and does not interpret it. Cloning is cheap, `Debug` shows nothing of it, and its
/// bytes are wiped when the last clone is dropped.
#[derive(Clone)]
pub struct Capability(Arc<Zeroizing<Vec<u8>>>);

impl Capability {
    /// A capability from the token's bytes.
    ///
    /// # Errors
    /// `Config` where they are not a well-formed token of at most 8 KiB.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, SdkError> {
        let bytes = Zeroizing::new(bytes.into());
        if bytes.len() > MAX_CAPABILITY {
            return Err(malformed(format_args!(
                "it has {} bytes, the limit is {MAX_CAPABILITY}",
                bytes.len()
            )));
        }
        Macaroon::identifier_in(&bytes).map_err(|error| malformed(format_args!("{error}")))?;
        Ok(Self(Arc::new(bytes)))
    }

    /// A capability from the token's base64url form, with or without padding.
    ///
    /// # Errors
    /// `Config` where the text is not base64url or its bytes are not a well-formed token.
    pub fn from_base64url(text: &str) -> Result<Self, SdkError> {
        let text = text.trim().trim_end_matches('=');
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| malformed(format_args!("it is not base64url")))?;
        Self::from_bytes(bytes)
    }

    /// The capability in `RON_SDK_CAPABILITY`.
    ///
    /// # Errors
    /// `Config` where the variable is unset or does not hold a capability.
    pub fn from_env() -> Result<Self, SdkError> {
        let text = std::env::var(CAPABILITY_VARIABLE).map_err(|_| {
            SdkError::new(
                ErrorKind::Config,
                format!("{CAPABILITY_VARIABLE} is not set: it takes a capability as base64url"),
            )
        })?;
        Self::from_base64url(&Zeroizing::new(text))
    }

    /// The capability in a file that holds it as base64url.
    ///
    /// # Errors
    /// `Config` where the file cannot be read or does not hold a capability.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SdkError> {
        let path = path.as_ref();
        let unreadable = |error: io::Error| {
            let rule = format!("{}: {error}", path.display());
            SdkError::invalid(ErrorKind::Config, "capability", rule).with_source(error)
        };
        // Room for more than any token, so that growing leaves no copies of it behind.
        let mut text = Zeroizing::new(String::with_capacity(2 * MAX_CAPABILITY));
        let file = File::open(path).map_err(unreadable)?;
        let mut file = file.take(2 * MAX_CAPABILITY as u64);
        file.read_to_string(&mut text).map_err(unreadable)?;
        Self::from_base64url(&text)
    }

    /// The same capability, narrowed by a caveat such as `op=storage.get`, without asking anybody. What a
    /// gateway understands is up to the gateway; one that it does not understand denies every call.
    ///
    /// # Errors
    /// `Config` where the caveat is empty, or the token would have more than 64 caveats or 8 KiB.
    pub fn attenuate(&self, caveat: &str) -> Result<Self, SdkError> {
        let invalid = |rule: &str| SdkError::invalid(ErrorKind::Config, "caveat", rule);
        if caveat.is_empty() {
            return Err(invalid("it is empty"));
        }
        let token = Macaroon::parse(&self.0).and_then(|token| token.attenuate(caveat.as_bytes()));
        let token = token.map_err(|error| invalid(&error.to_string()))?;
        Self::from_bytes(token.encode())
    }

    /// The token's bytes. Keep them out of logs.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The token as base64url without padding, as an environment variable or an HTTP header takes it.
    /// Keep it out of logs.
    pub fn expose_base64url(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.expose()))
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capability(redacted)")
    }
}

/// Whom a token was given to, where its identifier says so as that of a gateway of this project does
/// (`v1:key:subject:token`); else the identifier as a whole. Nothing of what is not a token.
pub(crate) fn subject(token: &[u8]) -> Vec<u8> {
    let identifier = Macaroon::identifier_in(token).unwrap_or_default();
    let parts: Vec<&[u8]> = identifier.split(|byte| *byte == b':').collect();
    match parts[..] {
        [b"v1", _, subject, _] => subject.to_vec(),
        _ => identifier,
    }
}

fn malformed(why: fmt::Arguments<'_>) -> SdkError {
    SdkError::new(
        ErrorKind::Config,
        format!("capability: not a token in the macaroon v2 format: {why}"),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn token() -> Vec<u8> {
        Macaroon::mint(b"root key", "ron", b"identifier").encode()
    }

    #[test]
    fn a_token_travels_through_base64url() {
        let capability = Capability::from_bytes(token()).unwrap();
        let text = capability.expose_base64url();
        let again = Capability::from_base64url(&text).unwrap();
        assert_eq!(again.expose(), token());
        let padded = format!("{}==\n", *text);
        assert!(Capability::from_base64url(&padded).is_ok());
    }

    #[test]
    fn what_is_no_token_is_a_config_error_that_does_not_repeat_it() {
        for bad in [
            Capability::from_bytes(b"canary".to_vec()),
            Capability::from_bytes(Vec::new()),
            Capability::from_bytes(vec![2; MAX_CAPABILITY + 1]),
            Capability::from_base64url("canary!"),
        ] {
            let error = bad.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("capability"), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn an_attenuated_capability_is_another_one_and_says_nothing_of_itself() {
        let capability = Capability::from_bytes(token()).unwrap();
        let narrowed = capability.attenuate("op=canary").unwrap();
        assert_ne!(narrowed.expose(), capability.expose());
        let parsed = Macaroon::parse(narrowed.expose()).unwrap();
        assert_eq!(parsed.caveats()[0].identifier(), b"op=canary");
        assert!(!format!("{narrowed:?} {parsed:?}").contains("canary"));
        for refused in [
            capability.attenuate(""),
            capability.attenuate(&"c".repeat(MAX_CAPABILITY)),
        ] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config);
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let capability = Capability::from_bytes(token()).unwrap();
        assert_eq!(format!("{capability:?}"), "Capability(redacted)");
        let source = CapabilitySource::from(&capability);
        assert!(format!("{source:?}").contains("redacted"));
    }
}
