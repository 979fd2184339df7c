//! P6: an old lease does nothing, and says so.
//!
//! That a refused acknowledgement has removed its message can be told after a drain alone: P1 looks for
//! what is gone.

use super::calls::{LeaseAction, UseLease};
use super::evidence::{done, Delivery, Evidence};
use super::report::MailboxViolation;
use crate::call::{Call, CallNumber};
use crate::violations::Violations;
use std::sync::Arc;

/// An old lease did something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FencingViolation {
    /// A lease was accepted although a newer delivery had ended before.
    #[error("{message}: {used} was accepted under the lease of {old}, after {newer} had received it anew")]
    OldLease {
        /// The message.
        message: Arc<str>,
        /// The use of the lease.
        used: CallNumber,
        /// The receive that the lease is of.
        old: CallNumber,
        /// The receive that has a newer one.
        newer: CallNumber,
    },
    /// A lease was accepted that no receive was given.
    #[error("{message}: {used} was accepted under a lease that nobody was given")]
    UnknownLease {
        /// The message.
        message: Arc<str>,
        /// The use of the lease.
        used: CallNumber,
    },
    /// A message is gone although its acknowledgements were refused.
    #[error("{message} is gone, although nobody but {ack} acknowledged it, which was refused")]
    RefusedAndRemoved {
        /// The message.
        message: Arc<str>,
        /// An acknowledgement that was refused.
        ack: CallNumber,
    },
}

pub(super) fn check(evidence: &Evidence<'_>, violations: &mut Violations<MailboxViolation>) {
    for message in &evidence.messages {
        if message.uses.iter().all(|call| done(call).is_none()) {
            continue;
        }
        // For each delivery, among those from it on, the one that ended first.
        let mut earliest: Vec<usize> = (0..message.deliveries.len()).collect();
        for index in (1..earliest.len()).rev() {
            let (before, after) = (earliest[index - 1], earliest[index]);
            if message.deliveries[after].ended < message.deliveries[before].ended {
                earliest[index - 1] = after;
            }
        }
        for used in message.uses.iter().filter(|call| done(call).is_some()) {
            let Some(old) = message.delivery(used.request.lease) else {
                violations.add(FencingViolation::UnknownLease {
                    message: Arc::clone(message.id),
                    used: used.number(),
                });
                continue;
            };
            let attempt = old.received.attempt;
            let newer = message
                .deliveries
                .partition_point(|one| one.received.attempt <= attempt);
            let Some(newer) = earliest.get(newer).map(|index| &message.deliveries[*index]) else {
                continue;
            };
            if newer.ended < used.invoked && !is_repetition(old, used) {
                violations.add(FencingViolation::OldLease {
                    message: Arc::clone(message.id),
                    used: used.number(),
                    old: old.receive.number(),
                    newer: newer.receive.number(),
                });
            }
        }
    }
}

/// A lease that was spent by giving its message back is given back once more, to no effect. One that was
/// spent by an acknowledgement has no newer lease.
fn is_repetition(old: &Delivery<'_>, used: &Call<UseLease>) -> bool {
    let is_nack = matches!(used.request.action, LeaseAction::Nack { .. });
    let first = old.first_given_back;
    is_nack && first.is_some_and(|first| first < used.invoked)
}
