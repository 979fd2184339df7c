//! The mailbox plane: topics of messages that are delivered at least once, under leases.
//!
//! [`check`] judges a history by ten rules, [`MailboxRule`]. A violation is a proof: whatever happened
//! between the callers and the mailbox, however its answers were delayed, and whatever came of the calls
//! of unknown outcome, a mailbox that keeps the rules has no such history. What a history does not prove
//! is not reported, so that it takes a history with concurrency, retries and losses to trust its silence.
//!
//! The network may repeat and delay requests, even beyond their answers. The mailbox has to know them again:
//! a send by its key, an acknowledgement and a return by their lease, and an extension, so that an old one
//! does not shorten a lease that was extended since. Only a receive may be executed again when its leases
//! have ended.
//!
//! It takes O(n log n) time for n calls and messages in their answers.

mod calls;
mod dead_letters;
mod evidence;
mod exclusivity;
mod fencing;
mod finality;
mod identity;
mod invention;
mod lease;
mod loss;
mod order;
mod origin;
mod redelivery;
mod repetition;
mod report;
#[cfg(test)]
mod tests;

pub use calls::{
    LeaseAction, LeaseAnswer, Place, ReceiveMessages, Received, Remnant, Restart, SendMessage,
    Sent, UseLease,
};
pub use dead_letters::DeadLetterViolation;
pub use exclusivity::ExclusivityViolation;
pub use fencing::FencingViolation;
pub use finality::FinalityViolation;
pub use identity::IdentityViolation;
pub use invention::{InventionViolation, Seen};
pub use loss::LossViolation;
pub use order::OrderViolation;
pub use redelivery::RedeliveryViolation;
pub use repetition::RepetitionViolation;
pub use report::{MailboxCounts, MailboxReport, MailboxRule, MailboxViolation};

use crate::history::History;
use crate::violations::Violations;
use evidence::Evidence;
use origin::Origins;
use std::time::Duration;

/// What the mailbox of a history has promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promises {
    /// How often a message is delivered at most. Default: 16.
    pub max_deliveries: u32,
    /// How soon a message comes back to a caller who is waiting for it, after its lease has ended: the
    /// mailbox's tick, and what an answer may take. `None` where that is not to be judged. Default: 250 ms.
    ///
    /// A caller's time includes its retries: under faults that lose or delay answers, this is as long as
    /// they take.
    pub redelivered_within: Option<Duration>,
    /// By how many messages one that was sent earlier may be overtaken: 0 where there are no faults.
    /// Default: 32.
    pub max_reorder_depth: u64,
    /// How far the mailbox's clock and the callers' may differ on a lease's time. Default: 2 ms, for
    /// timers of milliseconds on the same machine.
    pub clock_tolerance: Duration,
    /// How many violations of each rule a report has details of. All are counted. Default: 10.
    pub details_per_rule: usize,
}

impl Default for Promises {
    fn default() -> Self {
        Self {
            max_deliveries: 16,
            redelivered_within: Some(Duration::from_millis(250)),
            max_reorder_depth: 32,
            clock_tolerance: Duration::from_millis(2),
            details_per_rule: 10,
        }
    }
}

/// Judges the mailbox calls of a history.
pub fn check(history: &History, promises: &Promises) -> MailboxReport {
    let evidence = Evidence::of(history);
    let origins = Origins::of(&evidence);
    let mut violations = Violations::new(promises.details_per_rule);
    let mut not_judged = Vec::new();
    let mut counts = counts(&evidence);
    counts.recovered = origins.recovered;
    if history.remnants.is_some() {
        counts.lost = loss::check(&evidence, &mut violations);
    } else {
        not_judged.push(MailboxRule::NoLoss);
    }
    if promises.redelivered_within.is_none() {
        not_judged.push(MailboxRule::Redelivery);
    }
    counts.unexpected = invention::check(&evidence, &origins, &mut violations);
    identity::check(&evidence, &origins, &mut violations);
    finality::check(&evidence, &mut violations);
    exclusivity::check(&evidence, promises, &mut violations);
    fencing::check(&evidence, &mut violations);
    dead_letters::check(&evidence, promises, &mut violations);
    redelivery::check(&evidence, promises, &mut violations);
    counts.reorder_depth = order::check(&evidence, promises, &mut violations);
    repetition::check(&evidence, promises, &mut violations);
    MailboxReport {
        counts,
        not_judged,
        violations,
    }
}

fn counts(evidence: &Evidence<'_>) -> MailboxCounts {
    let history = evidence.history;
    let count = |number: usize| number as u64;
    let answered = |call: &&crate::Call<SendMessage>| call.answer().is_some();
    let is_stale =
        |call: &&crate::Call<UseLease>| matches!(call.answer(), Some((_, LeaseAnswer::Stale)));
    let mut counts = MailboxCounts {
        attempts: count(history.sends.len()),
        acknowledged: count(history.sends.iter().filter(answered).count()),
        stale: count(history.lease_uses.iter().filter(is_stale).count()),
        ..MailboxCounts::default()
    };
    for message in &evidence.messages {
        let deliveries = count(message.deliveries.len());
        counts.received += deliveries.min(1);
        counts.duplicated += deliveries.saturating_sub(1);
        for remnant in &message.remnants {
            match remnant.place {
                Place::Ready | Place::Leased => counts.left += 1,
                Place::DeadLetter { .. } => counts.dead_letters += 1,
            }
        }
    }
    counts
}
