//! The index plane: a register per key, with compare-and-set.
//!
//! [`check`] decides whether the calls of each key can be put in an order in which every one sees what the
//! one before has left, and none comes before another that had ended when it began: whether they are
//! linearizable. A publish of unknown outcome has taken effect where its value was seen. Every key has no
//! value at first.
//!
//! That is decided exactly, in O(n log n) time, because no value is published twice under a key. Only
//! publishes that were refused are judged less strictly: see [`IndexViolation::FalseConflict`].

mod calls;
mod conflict;
mod placement;
mod register;
mod report;
#[cfg(test)]
mod search;
#[cfg(test)]
mod tests;
mod zones;

pub use calls::{Expected, Publish, PublishAnswer, Resolve};
pub use report::{IndexCounts, IndexReport, IndexRule, IndexViolation};

use crate::call::{Call, CallNumber};
use crate::history::History;
use crate::violations::Violations;
use register::Register;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many violations of each rule a report has details of.
const DETAILS_PER_RULE: usize = 10;

/// A history that cannot be judged: two publishes that may have taken effect give a key the same value, so
/// that nobody can say which of them a read has seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {first} and {second} publish the same value")]
pub struct ValueNotUnique {
    /// The key.
    pub key: Arc<str>,
    /// A publish.
    pub first: CallNumber,
    /// Another one.
    pub second: CallNumber,
}

/// The calls of one key, in the order in which they began.
#[derive(Default)]
struct KeyCalls<'h> {
    publishes: Vec<&'h Call<Publish>>,
    resolves: Vec<&'h Call<Resolve>>,
}

/// Judges the index calls of a history.
///
/// # Errors
/// Where two publishes of a key have the same value, unless one of them certainly had no effect.
pub fn check(history: &History) -> Result<IndexReport, ValueNotUnique> {
    let mut violations = Violations::new(DETAILS_PER_RULE);
    let mut counts = IndexCounts {
        publishes: history.publishes.len() as u64,
        ..IndexCounts::default()
    };
    let mut keys: BTreeMap<&Arc<str>, KeyCalls<'_>> = BTreeMap::new();
    for call in &history.publishes {
        keys.entry(&call.request.key)
            .or_default()
            .publishes
            .push(call);
        match call.answer() {
            Some((_, PublishAnswer::Published)) => counts.published += 1,
            Some((_, PublishAnswer::Conflict)) => counts.conflicts += 1,
            None => {}
        }
    }
    for call in &history.resolves {
        keys.entry(&call.request.key)
            .or_default()
            .resolves
            .push(call);
        counts.reads += u64::from(call.answer().is_some());
    }
    counts.keys = keys.len() as u64;
    for (key, calls) in keys {
        let KeyCalls {
            publishes,
            resolves,
        } = calls;
        let mut register = Register::new(key, &publishes)?;
        let are_known = register.read(&resolves, &mut violations);
        let are_chains = register.follow(&mut violations);
        counts.recovered += register.recovered();
        // Without the order of its values, no more can be said of a key.
        if are_known && are_chains && placement::check(&register, &mut violations) {
            conflict::check(&register, &publishes, &mut violations);
        }
    }
    Ok(IndexReport { counts, violations })
}
