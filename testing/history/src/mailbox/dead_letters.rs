//! P7: what is delivered too often is a dead letter: once, with a reason, and nowhere else.

use super::calls::{LeaseAction, Place};
use super::evidence::{done, Evidence, Message};
use super::report::MailboxViolation;
use super::Promises;
use crate::call::CallNumber;
use crate::violations::Violations;
use std::sync::Arc;

/// A message was delivered too often, or its dead letter is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeadLetterViolation {
    /// A delivery has a number beyond the limit.
    #[error("{message}: {receive} is delivery number {attempt}, of at most {limit}")]
    TooManyDeliveries {
        /// The message.
        message: Arc<str>,
        /// The receive.
        receive: CallNumber,
        /// The delivery's number.
        attempt: u32,
        /// The limit.
        limit: u32,
    },
    /// It is left more than once.
    #[error("{message} is left {copies} times")]
    SeveralCopies {
        /// The message.
        message: Arc<str>,
        /// How often.
        copies: usize,
    },
    /// The dead letter does not say why it is one.
    #[error("{message} is a dead letter without a reason")]
    NoReason {
        /// The message.
        message: Arc<str>,
    },
    /// The dead letter's number of deliveries is not right.
    #[error("{message} is a dead letter after {deliveries} deliveries, of at most {limit}; {known} are known")]
    WrongDeliveries {
        /// The message.
        message: Arc<str>,
        /// What the dead letter says.
        deliveries: u32,
        /// The greatest number that a delivery had.
        known: u32,
        /// The limit.
        limit: u32,
    },
    /// It was acknowledged.
    #[error("{message} was acknowledged by {ack}, and is a dead letter")]
    Acknowledged {
        /// The message.
        message: Arc<str>,
        /// The acknowledgement.
        ack: CallNumber,
    },
}

pub(super) fn check(
    evidence: &Evidence<'_>,
    promises: &Promises,
    violations: &mut Violations<MailboxViolation>,
) {
    let limit = promises.max_deliveries;
    for message in &evidence.messages {
        // Their numbers rise.
        let from = message
            .deliveries
            .partition_point(|one| one.received.attempt <= limit);
        for delivery in &message.deliveries[from..] {
            violations.add(DeadLetterViolation::TooManyDeliveries {
                message: Arc::clone(message.id),
                receive: delivery.receive.number(),
                attempt: delivery.received.attempt,
                limit,
            });
        }
        let copies = message.remnants.len();
        if copies > 1 {
            let message = Arc::clone(message.id);
            violations.add(DeadLetterViolation::SeveralCopies { message, copies });
        }
        check_dead_letters(message, limit, violations);
    }
}

fn check_dead_letters(
    message: &Message<'_>,
    limit: u32,
    violations: &mut Violations<MailboxViolation>,
) {
    let known = message
        .deliveries
        .last()
        .map_or(0, |one| one.received.attempt);
    let is_ack = |action| action == LeaseAction::Ack;
    let mut acks = message
        .uses
        .iter()
        .filter(|call| is_ack(call.request.action));
    let ack = acks
        .find(|call| done(call).is_some())
        .map(|call| call.number());
    for remnant in &message.remnants {
        let Place::DeadLetter { reason, deliveries } = &remnant.place else {
            continue;
        };
        let id = || Arc::clone(message.id);
        if reason.trim().is_empty() {
            violations.add(DeadLetterViolation::NoReason { message: id() });
        }
        if *deliveries < known || *deliveries > limit {
            violations.add(DeadLetterViolation::WrongDeliveries {
                message: id(),
                deliveries: *deliveries,
                known,
                limit,
            });
        }
        if let Some(ack) = ack {
            violations.add(DeadLetterViolation::Acknowledged { message: id(), ack });
        }
    }
}
