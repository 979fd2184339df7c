//! P4: no delivery of a message begins after an acknowledgement of it was answered with success.

use super::calls::{LeaseAction, Place};
use super::evidence::{done, Evidence};
use super::report::MailboxViolation;
use crate::call::CallNumber;
use crate::violations::Violations;
use std::sync::Arc;

/// An acknowledged message is still there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalityViolation {
    /// It was delivered again.
    #[error("{message} was acknowledged by {ack}, and delivered to {receive}, which began later")]
    DeliveredAgain {
        /// The message.
        message: Arc<str>,
        /// The acknowledgement.
        ack: CallNumber,
        /// The receive.
        receive: CallNumber,
    },
    /// It is left after the drain, and no dead letter.
    #[error("{message} was acknowledged by {ack}, and is left after the drain")]
    Left {
        /// The message.
        message: Arc<str>,
        /// The acknowledgement.
        ack: CallNumber,
    },
}

pub(super) fn check(evidence: &Evidence<'_>, violations: &mut Violations<MailboxViolation>) {
    for message in &evidence.messages {
        let is_ack = |action| action == LeaseAction::Ack;
        let acks = message
            .uses
            .iter()
            .filter(|call| is_ack(call.request.action));
        let ended = acks.filter_map(|call| Some((done(call)?, call.number())));
        let Some((acknowledged, ack)) = ended.min() else {
            continue;
        };
        for delivery in &message.deliveries {
            if acknowledged < delivery.not_before {
                violations.add(FinalityViolation::DeliveredAgain {
                    message: Arc::clone(message.id),
                    ack,
                    receive: delivery.receive.number(),
                });
            }
        }
        let is_alive = |place: &Place| matches!(place, Place::Ready | Place::Leased);
        if message
            .remnants
            .iter()
            .any(|remnant| is_alive(&remnant.place))
        {
            let message = Arc::clone(message.id);
            violations.add(FinalityViolation::Left { message, ack });
        }
    }
}
