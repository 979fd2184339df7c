//! `IndexReport`: what an index's history shows.

use crate::call::CallNumber;
use crate::violations::{Violation, Violations};
use std::fmt;
use std::sync::Arc;

/// What an index must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexRule {
    /// What is read was published, and not later.
    NoInvention,
    /// What is read is the newest value.
    NoStaleRead,
    /// A value is replaced once, and only the newest.
    NoLostUpdate,
    /// A publish is refused only where the key did not have what was expected.
    HonestConflict,
}

impl fmt::Display for IndexRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoInvention => "nothing invented",
            Self::NoStaleRead => "no stale read",
            Self::NoLostUpdate => "no lost update",
            Self::HonestConflict => "no conflict without a cause",
        })
    }
}

/// What an index did that it must not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexViolation {
    /// A value was read, or replaced, that nobody has published.
    #[error("{key}: {call} has seen a value that nobody has published")]
    Invented {
        /// The key.
        key: Arc<str>,
        /// The call that has seen it.
        call: CallNumber,
    },
    /// A value was read, or replaced, before its publish began.
    #[error("{key}: {call} has seen the value of {publish}, which began later")]
    FromTheFuture {
        /// The key.
        key: Arc<str>,
        /// The call that has seen it.
        call: CallNumber,
        /// The publish.
        publish: CallNumber,
    },
    /// A value, or its absence, was read after a newer value was there.
    #[error("{key}: {read} has read what was replaced; {newer}, which had ended before, has seen what is newer")]
    StaleRead {
        /// The key.
        key: Arc<str>,
        /// The read.
        read: CallNumber,
        /// A call that shows a newer value.
        newer: CallNumber,
    },
    /// Two publishes have replaced the same value.
    #[error("{key}: {first} and {second} have both replaced the same value")]
    LostUpdate {
        /// The key.
        key: Arc<str>,
        /// A publish.
        first: CallNumber,
        /// Another one.
        second: CallNumber,
    },
    /// A publish has replaced a value that was not the newest.
    #[error("{key}: {publish} has replaced a value that was not the newest: see {newer}")]
    StaleReplacement {
        /// The key.
        key: Arc<str>,
        /// The publish.
        publish: CallNumber,
        /// A call that shows a newer value.
        newer: CallNumber,
    },
    /// A publish was refused although the key had what was expected, all the time.
    ///
    /// This is judged by what is certain: a conflict can be wrong, and not be found.
    #[error("{key}: {publish} was refused, and all the time the key had what it expected{}", see(*.cause))]
    FalseConflict {
        /// The key.
        key: Arc<str>,
        /// The publish.
        publish: CallNumber,
        /// A call that shows the expected value; `None` where none is needed.
        cause: Option<CallNumber>,
    },
}

fn see(call: Option<CallNumber>) -> String {
    call.map_or_else(String::new, |call| format!(": see {call}"))
}

impl Violation for IndexViolation {
    type Rule = IndexRule;

    fn rule(&self) -> IndexRule {
        match self {
            Self::Invented { .. } | Self::FromTheFuture { .. } => IndexRule::NoInvention,
            Self::StaleRead { .. } => IndexRule::NoStaleRead,
            Self::LostUpdate { .. } | Self::StaleReplacement { .. } => IndexRule::NoLostUpdate,
            Self::FalseConflict { .. } => IndexRule::HonestConflict,
        }
    }
}

/// Numbers of a history, whether or not anything is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexCounts {
    /// Keys.
    pub keys: u64,
    /// Publishes.
    pub publishes: u64,
    /// Publishes that were answered with success.
    pub published: u64,
    /// Publishes that were refused because the key had something else.
    pub conflicts: u64,
    /// Publishes of unknown outcome whose value was seen.
    pub recovered: u64,
    /// Reads that were answered.
    pub reads: u64,
}

/// What an index's history shows.
#[derive(Clone, Debug)]
pub struct IndexReport {
    /// Numbers.
    pub counts: IndexCounts,
    /// What is wrong.
    pub violations: Violations<IndexViolation>,
}

impl fmt::Display for IndexReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(
            f,
            "{} keys, {} publishes, {} published, {} conflicts, {} recovered, {} reads",
            counts.keys,
            counts.publishes,
            counts.published,
            counts.conflicts,
            counts.recovered,
            counts.reads,
        )?;
        self.violations.fmt(f)
    }
}
