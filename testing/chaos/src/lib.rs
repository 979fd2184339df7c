//! Many callers on a gateway that fails, recorded for [`ron_history`] to judge.
//!
//! A [`World`] is a gateway behind a network that can be cut. [`mailbox`] and [`index`] are what callers do in it.

#![allow(clippy::unwrap_used)] // it is for tests: what cannot be set up is a failed test

pub mod index;
pub mod mailbox;
mod world;

pub use world::{capability, World};

use ron_app_sdk::{Executed, SdkError};
use ron_history::{Pending, Request};

/// Records a call that failed: whether it was executed is what its error says.
fn record_failure<R: Request>(pending: Pending<R>, error: &SdkError) {
    match error.executed() {
        Executed::No => pending.failed(),
        Executed::Yes | Executed::Unknown => pending.unknown(),
    }
}
