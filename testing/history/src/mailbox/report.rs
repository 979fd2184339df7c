//! `Report`: what a mailbox's history shows.

use super::{
    DeadLetterViolation, ExclusivityViolation, FencingViolation, FinalityViolation,
    IdentityViolation, InventionViolation, LossViolation, OrderViolation, RedeliveryViolation,
    RepetitionViolation,
};
use crate::violations::{Violation, Violations};
use std::fmt;

/// What a mailbox must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailboxRule {
    /// P1: what was sent is received, or left.
    NoLoss,
    /// P2: what is received was sent, as it was sent.
    NoInvention,
    /// P3: a key of a topic has one message.
    Identity,
    /// P4: after its acknowledgement a message is not delivered.
    Finality,
    /// P5: one consumer at a time has a message, and deliveries are counted.
    Exclusivity,
    /// P6: an old lease does nothing.
    Fencing,
    /// P7: what is delivered too often is dead, once.
    DeadLetters,
    /// P8: a message comes back in time.
    Redelivery,
    /// P9: messages come in the order in which they were sent.
    Order,
    /// P10: the same receive has the same batch.
    Repetition,
}

impl fmt::Display for MailboxRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLoss => "P1 no loss",
            Self::NoInvention => "P2 nothing invented",
            Self::Identity => "P3 one message per key",
            Self::Finality => "P4 an acknowledgement is final",
            Self::Exclusivity => "P5 one lease at a time",
            Self::Fencing => "P6 old leases are fenced",
            Self::DeadLetters => "P7 dead letters",
            Self::Redelivery => "P8 redelivery in time",
            Self::Order => "P9 order",
            Self::Repetition => "P10 a repeated receive",
        })
    }
}

/// What a mailbox did that it must not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
#[allow(missing_docs)]
pub enum MailboxViolation {
    Loss(#[from] LossViolation),
    Invention(#[from] InventionViolation),
    Identity(#[from] IdentityViolation),
    Finality(#[from] FinalityViolation),
    Exclusivity(#[from] ExclusivityViolation),
    Fencing(#[from] FencingViolation),
    DeadLetter(#[from] DeadLetterViolation),
    Redelivery(#[from] RedeliveryViolation),
    Order(#[from] OrderViolation),
    Repetition(#[from] RepetitionViolation),
}

impl Violation for MailboxViolation {
    type Rule = MailboxRule;

    fn rule(&self) -> MailboxRule {
        match self {
            Self::Loss(_) => MailboxRule::NoLoss,
            Self::Invention(_) => MailboxRule::NoInvention,
            Self::Identity(_) => MailboxRule::Identity,
            Self::Finality(_) => MailboxRule::Finality,
            Self::Exclusivity(_) => MailboxRule::Exclusivity,
            Self::Fencing(_) => MailboxRule::Fencing,
            Self::DeadLetter(_) => MailboxRule::DeadLetters,
            Self::Redelivery(_) => MailboxRule::Redelivery,
            Self::Order(_) => MailboxRule::Order,
            Self::Repetition(_) => MailboxRule::Repetition,
        }
    }
}

/// Numbers of a history, whether or not anything is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailboxCounts {
    /// Sends.
    pub attempts: u64,
    /// Sends that were answered with success.
    pub acknowledged: u64,
    /// Messages that were received at least once.
    pub received: u64,
    /// Deliveries of messages beyond each one's first: allowed.
    pub duplicated: u64,
    /// Messages of sends of unknown outcome that appeared.
    pub recovered: u64,
    /// Messages that are gone and should not be: see [`MailboxRule::NoLoss`].
    pub lost: u64,
    /// Messages that nobody sent: see [`MailboxRule::NoInvention`].
    pub unexpected: u64,
    /// Uses of leases that were answered with [`LeaseAnswer::Stale`](super::LeaseAnswer::Stale).
    pub stale: u64,
    /// Messages left after the drain, without dead letters.
    pub left: u64,
    /// Dead letters left after the drain.
    pub dead_letters: u64,
    /// By how many messages that were sent after it one message was overtaken, at most.
    pub reorder_depth: u64,
}

/// What a mailbox's history shows.
#[derive(Clone, Debug)]
pub struct MailboxReport {
    /// Numbers.
    pub counts: MailboxCounts,
    /// Rules that this history, or what was promised, does not suffice to judge.
    pub not_judged: Vec<MailboxRule>,
    /// What is wrong.
    pub violations: Violations<MailboxViolation>,
}

impl fmt::Display for MailboxReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(
            f,
            "{} attempts, {} acknowledged, {} received, {} duplicated, {} recovered, {} lost, {} unexpected, \
             {} stale, {} left, {} dead letters, reorder depth {}",
            counts.attempts,
            counts.acknowledged,
            counts.received,
            counts.duplicated,
            counts.recovered,
            counts.lost,
            counts.unexpected,
            counts.stale,
            counts.left,
            counts.dead_letters,
            counts.reorder_depth,
        )?;
        for rule in &self.not_judged {
            writeln!(f, "{rule}: not judged")?;
        }
        self.violations.fmt(f)
    }
}
