//! P5: one lease at a time, and each with a greater number than the one before.
//!
//! Nobody but the mailbox knows when a lease begins and ends. What the callers' clock proves is enough:
//! a lease cannot end before the time has passed that was asked for, counted from the beginning of the
//! first call that can have caused it.

use super::evidence::{Evidence, Message};
use super::lease::{nanoseconds, release};
use super::report::MailboxViolation;
use super::Promises;
use crate::call::CallNumber;
use crate::violations::Violations;
use std::sync::Arc;
use std::time::Duration;

/// Two deliveries of one message that cannot both be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExclusivityViolation {
    /// Two deliveries have the same number.
    #[error("{message}: {first} and {second} are two deliveries number {attempt}")]
    SameNumber {
        /// The message.
        message: Arc<str>,
        /// The number.
        attempt: u32,
        /// A receive.
        first: CallNumber,
        /// Another one.
        second: CallNumber,
    },
    /// A later delivery has a smaller number.
    #[error(
        "{message}: {second} began after {first} had ended, and is a delivery of a smaller number"
    )]
    NumberFalls {
        /// The message.
        message: Arc<str>,
        /// The earlier receive.
        first: CallNumber,
        /// The later receive.
        second: CallNumber,
    },
    /// One lease was given to two receives that are not the same, or with two numbers.
    #[error("{message}: {first} and {second} were given the same lease")]
    SharedLease {
        /// The message.
        message: Arc<str>,
        /// A receive.
        first: CallNumber,
        /// Another one.
        second: CallNumber,
    },
    /// A message was delivered before the lease of the delivery before can have ended.
    #[error(
        "{message}: {second} was answered {early:?} before the lease of {first} can have ended"
    )]
    Overlap {
        /// The message.
        message: Arc<str>,
        /// The receive that had the message.
        first: CallNumber,
        /// The receive that was given it too early.
        second: CallNumber,
        /// By how much, at least.
        early: Duration,
    },
}

pub(super) fn check(
    evidence: &Evidence<'_>,
    promises: &Promises,
    violations: &mut Violations<MailboxViolation>,
) {
    for message in &evidence.messages {
        for delivery in &message.deliveries {
            if let Some(second) = delivery.contradicted_by {
                violations.add(ExclusivityViolation::SharedLease {
                    message: Arc::clone(message.id),
                    first: delivery.receive.number(),
                    second: second.number(),
                });
            }
        }
        check_numbers(message, violations);
        check_overlap(evidence, promises, message, violations);
    }
}

fn check_numbers(message: &Message<'_>, violations: &mut Violations<MailboxViolation>) {
    for pair in message.deliveries.windows(2) {
        if pair[0].received.attempt == pair[1].received.attempt {
            violations.add(ExclusivityViolation::SameNumber {
                message: Arc::clone(message.id),
                attempt: pair[0].received.attempt,
                first: pair[0].receive.number(),
                second: pair[1].receive.number(),
            });
        }
    }
    // Of those with greater numbers, the one that ended first.
    let mut earliest = message.deliveries.last();
    for delivery in message.deliveries.iter().rev() {
        let Some(greater) = earliest else {
            return;
        };
        if greater.ended < delivery.not_before {
            violations.add(ExclusivityViolation::NumberFalls {
                message: Arc::clone(message.id),
                first: greater.receive.number(),
                second: delivery.receive.number(),
            });
        }
        if delivery.ended < greater.ended {
            earliest = Some(delivery);
        }
    }
}

/// A lease that was given back early falls under P8.
fn check_overlap(
    evidence: &Evidence<'_>,
    promises: &Promises,
    message: &Message<'_>,
    violations: &mut Violations<MailboxViolation>,
) {
    for pair in message.deliveries.windows(2) {
        let (first, second) = (&pair[0], &pair[1]);
        // Where the numbers contradict the order, time says nothing.
        if first.received.attempt == second.received.attempt
            || second.ended < first.not_before
            || evidence.restarts.is_any(first.not_before, second.ended)
        {
            continue;
        }
        let release = release(message, first);
        let tolerated = nanoseconds(promises.clock_tolerance);
        let answered = second.ended.nanoseconds.saturating_add(tolerated);
        if !release.is_given_back && answered < release.earliest {
            violations.add(ExclusivityViolation::Overlap {
                message: Arc::clone(message.id),
                first: first.receive.number(),
                second: second.receive.number(),
                early: Duration::from_nanos(release.earliest - second.ended.nanoseconds),
            });
        }
    }
}
