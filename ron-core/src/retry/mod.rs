//! When a call is tried again: pure decisions, given the time and a source of randomness.
//!
//! [`CallPolicy`] follows one call from attempt to attempt. [`Backoff`] says how long to wait in between,
//! [`RetryBudget`] bounds what all calls of a client may cost a gateway that fails, and [`DialBackoff`] spreads
//! the attempts to connect to one that is gone.

mod backoff;
mod budget;
mod dial;
mod policy;
mod random;
#[cfg(test)]
mod simulation;

pub(crate) use backoff::{attempt_timeout, Backoff};
pub(crate) use budget::RetryBudget;
pub(crate) use dial::{DialBackoff, NextDial};
pub(crate) use policy::{CallPolicy, Cause, Next};
pub(crate) use random::Random;

pub use policy::GaveUp;
