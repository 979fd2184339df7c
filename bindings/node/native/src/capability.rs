//! Capabilities: tokens, and providers of fresh ones.

use crate::completions::{Outcome, Value};
use crate::environment::Environment;
use crate::failure::Failure;
use napi::bindgen_prelude::Either;
use napi_derive::napi;
use ron_app_sdk::completion::CompletionQueue;
use ron_app_sdk::{Capability, CapabilityRequest, CapabilitySource};
use std::error::Error;
use std::fmt;
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

    /// From a function of JavaScript's, which it knows by this number and asks when it is told to.
    #[napi]
    pub fn from_provider(environment: &Environment, number: u32) -> Self {
        let provider = Provider {
            number,
            queue: environment.queue().clone(),
        };
        Self {
            source: CapabilitySource::asking(move |request| provider.ask(request)),
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

/// A function of JavaScript's, until nobody can ask it any more.
struct Provider {
    number: u32,
    queue: CompletionQueue<Outcome>,
}

impl Provider {
    /// Has JavaScript ask it. Where that is at its end, nobody answers.
    fn ask(&self, request: CapabilityRequest) {
        self.tell(Value::Asked(NativeCapabilityRequest {
            provider: self.number,
            request: Some(request),
        }));
    }

    fn tell(&self, value: Value) {
        let outcome = Outcome {
            value,
            report: None,
        };
        drop(self.queue.submit(async move { Ok(outcome) }));
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.tell(Value::Forgotten(self.number));
    }
}

/// A question for a fresh capability.
#[napi]
pub struct NativeCapabilityRequest {
    provider: u32,
    request: Option<CapabilityRequest>,
}

#[napi]
impl NativeCapabilityRequest {
    /// The number of the function to ask.
    #[napi(getter)]
    pub fn provider(&self) -> u32 {
        self.provider
    }

    /// With a fixed token. Whether it is one.
    #[napi]
    pub fn answer(&mut self, capability: &NativeCapability) -> bool {
        let (Some(token), Some(request)) = (&capability.token, self.request.take()) else {
            return false;
        };
        request.answer(Ok(token.clone()));
        true
    }

    /// It has thrown something, which JavaScript keeps.
    #[napi]
    pub fn fail(&mut self) {
        if let Some(request) = self.request.take() {
            request.answer(Err(Box::new(Thrown(self.provider))));
        }
    }
}

/// A function of JavaScript's has thrown, which knows what.
#[derive(Debug)]
pub(crate) struct Thrown(pub(crate) u32);

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the function has thrown")
    }
}

impl Error for Thrown {}
