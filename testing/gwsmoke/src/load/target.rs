//! What a load calls, and what comes of a call.

use super::operation::Operation;
use ron_app_sdk::{ErrorKind, SdkError};
use std::future::Future;

/// A call to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// What is done.
    pub operation: Operation,
    /// With which of the load's objects.
    pub object: usize,
}

/// What calls are made to: a gateway's face, or a script in a test.
pub trait Target: Send + Sync + 'static {
    /// Makes a call, within a limit of the target's own.
    fn call(&self, task: Task) -> impl Future<Output = Outcome> + Send;
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Attempts that it took.
    pub attempts: u32,
    /// Bytes of objects and messages that it moved.
    pub bytes: u64,
    /// Messages that it brought, each of which is to be acknowledged.
    pub received: u32,
    /// Why it failed, where it did.
    pub failure: Option<Failure>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub kind: ErrorKind,
    /// A sentence about it, without any secret.
    pub text: String,
}

impl Outcome {
    /// A call that succeeded and moved so many bytes.
    pub const fn ok(attempts: u32, bytes: u64) -> Self {
        Self {
            attempts,
            bytes,
            received: 0,
            failure: None,
        }
    }

    /// A call that failed.
    pub fn failed(attempts: u32, kind: ErrorKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            attempts,
            failure: Some(Failure { kind, text }),
            ..Self::default()
        }
    }
}

impl From<SdkError> for Outcome {
    fn from(error: SdkError) -> Self {
        Self::failed(error.attempts(), error.kind(), error.to_string())
    }
}
