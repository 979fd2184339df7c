//! `Call`: one call as its caller saw it.

use crate::history::History;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a caller asks for. A history keeps the calls of each kind of request on their own.
pub trait Request: Sized {
    /// What the answer says.
    type Reply;

    /// Where a history keeps the calls of this kind.
    fn calls_mut(history: &mut History) -> &mut Vec<Call<Self>>;
}

/// One call: what was asked for, when, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(
    serialize = "R: Serialize, R::Reply: Serialize",
    deserialize = "R: Deserialize<'de>, R::Reply: Deserialize<'de>"
))]
#[serde(deny_unknown_fields)]
pub struct Call<R: Request> {
    /// When the caller began: before anything was sent.
    pub invoked: Moment,
    /// What was asked for.
    pub request: R,
    /// What came of it.
    pub outcome: Outcome<R::Reply>,
}

impl<R: Request> Call<R> {
    /// What reports name this call by.
    pub fn number(&self) -> CallNumber {
        CallNumber(self.invoked.sequence)
    }

    /// When it was answered and with what; `None` where it was not answered with success.
    pub fn answer(&self) -> Option<(Moment, &R::Reply)> {
        match &self.outcome {
            Outcome::Ok { ended, reply } => Some((*ended, reply)),
            Outcome::Failed { .. } | Outcome::Unknown { .. } => None,
        }
    }

    /// Whether it may have taken effect, or may yet.
    pub fn may_have_effect(&self) -> bool {
        !matches!(self.outcome, Outcome::Failed { .. })
    }

    /// Whether nobody can say if it took effect, or when.
    pub fn is_unknown(&self) -> bool {
        matches!(self.outcome, Outcome::Unknown { .. })
    }
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome<T> {
    /// It was executed, between its beginning and its end, and this is the answer.
    Ok {
        /// When the caller had the answer.
        ended: Moment,
        /// The answer.
        reply: T,
    },
    /// It was certainly not executed, and will not be.
    Failed {
        /// When the caller knew.
        ended: Moment,
    },
    /// It may have been executed, or be executed at any later time. Jepsen calls this `info`.
    Unknown {
        /// When the caller gave up; `None` where it was still waiting when the history was taken.
        ended: Option<Moment>,
    },
}

/// A moment of a history: ordered by `sequence`, which no two moments share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Moment {
    /// What was recorded earlier has a smaller number.
    pub sequence: u64,
    /// Nanoseconds since the recording began, on a monotonic clock.
    pub nanoseconds: u64,
}

impl From<(u64, u64)> for Moment {
    fn from((sequence, nanoseconds): (u64, u64)) -> Self {
        Self {
            sequence,
            nanoseconds,
        }
    }
}

impl From<Moment> for (u64, u64) {
    fn from(moment: Moment) -> Self {
        (moment.sequence, moment.nanoseconds)
    }
}

/// Names one call of a history: the sequence number of its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallNumber(pub u64);

impl fmt::Display for CallNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
