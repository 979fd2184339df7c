//! P1: what was sent is received, or left. And it stays until somebody acknowledges it.

use super::calls::LeaseAction;
use super::evidence::{done, Evidence, Message};
use super::report::MailboxViolation;
use super::FencingViolation;
use crate::call::{Call, CallNumber};
use crate::mailbox::UseLease;
use crate::violations::Violations;
use std::sync::Arc;

/// A message is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LossViolation {
    /// It was never delivered to anybody.
    #[error("{message}, sent by {send}, was never received, and is not left")]
    NeverReceived {
        /// The message.
        message: Arc<str>,
        /// A send that was answered with it.
        send: CallNumber,
    },
    /// It was delivered, and nobody acknowledged it.
    #[error(
        "{message} was never acknowledged, and is not left; {receive} was the last to receive it"
    )]
    NeverAcknowledged {
        /// The message.
        message: Arc<str>,
        /// The last receive that was answered with it.
        receive: CallNumber,
    },
}

/// Only for a history that was drained. Returns how many messages are lost.
///
/// A message that is gone although its only acknowledgements were refused falls under P6.
pub(super) fn check(evidence: &Evidence<'_>, violations: &mut Violations<MailboxViolation>) -> u64 {
    let mut lost = 0;
    for message in &evidence.messages {
        let is_acknowledged = |call: &&Call<UseLease>| {
            let is_ack = call.request.action == LeaseAction::Ack;
            is_ack && (call.is_unknown() || done(call).is_some())
        };
        if !message.remnants.is_empty() || message.uses.iter().any(is_acknowledged) {
            continue;
        }
        match (message.last_shown(), message.sends.first()) {
            (Some(delivery), _) => {
                if let Some(ack) = refused_ack(message) {
                    violations.add(FencingViolation::RefusedAndRemoved {
                        message: Arc::clone(message.id),
                        ack,
                    });
                } else {
                    violations.add(LossViolation::NeverAcknowledged {
                        message: Arc::clone(message.id),
                        receive: delivery.receive.number(),
                    });
                }
            }
            (None, Some(send)) => violations.add(LossViolation::NeverReceived {
                message: Arc::clone(message.id),
                send: send.number(),
            }),
            // Somebody has used a lease of a message that nobody knows.
            (None, None) => continue,
        }
        lost += 1;
    }
    lost
}

fn refused_ack(message: &Message<'_>) -> Option<CallNumber> {
    let is_ack = |call: &&&Call<UseLease>| call.request.action == LeaseAction::Ack;
    let mut refused = message.uses.iter().filter(is_ack);
    refused.find_map(|call| call.answer().map(|_| call.number()))
}
