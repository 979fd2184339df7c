//! Capabilities: tokens, and providers of fresh ones.

use crate::failure::Failure;
use napi::bindgen_prelude::Either;
use napi_derive::napi;
use ron_app_sdk::{Capability, CapabilitySource};
use zeroize::Zeroizing;

/// Where calls take their capability from.
#[napi]
pub struct NativeCapability {
    pub(crate) source: CapabilitySource,
    /// Of a fixed one.
    token: Option<Capability>,
}

impl NativeCapability {
    fn of(token: Result<Capability, Failure>) -> Either<Self, Failure> {
        match token {
            Ok(token) => Either::A(Self {
                source: CapabilitySource::from(&token),
                token: Some(token),
            }),
            Err(failure) => Either::B(failure),
        }
    }
}

#[napi]
impl NativeCapability {
    /// From the token's text.
    #[napi]
    pub fn from_base64url(text: String) -> Either<NativeCapability, Failure> {
        let text = Zeroizing::new(text);
        Self::of(Capability::from_base64url(&text).map_err(Failure::from))
    }

    /// From the token's bytes.
    #[napi]
    pub fn from_bytes(bytes: &[u8]) -> Either<NativeCapability, Failure> {
        Self::of(Capability::from_bytes(bytes).map_err(Failure::from))
    }

    /// From a file, which is read again when a gateway says that the token has expired.
    #[napi]
    pub fn from_file(path: String) -> Self {
        Self {
            source: CapabilitySource::file(path),
            token: None,
        }
    }

    /// The same token, narrowed by a caveat.
    #[napi]
    pub fn attenuate(&self, caveat: String) -> Either<NativeCapability, Failure> {
        let Some(token) = &self.token else {
            let rule = "only a fixed token can be narrowed, not a provider of tokens";
            return Either::B(Failure::argument(
                ron_app_sdk::ErrorKind::Config,
                "capability",
                rule,
            ));
        };
        Self::of(token.attenuate(&caveat).map_err(Failure::from))
    }

    /// The token's text, of a fixed one.
    #[napi]
    pub fn expose(&self) -> Option<String> {
        let token = self.token.as_ref()?;
        Some(token.expose_base64url().as_str().to_owned())
    }
}
