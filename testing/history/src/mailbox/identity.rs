//! P3: a key of a topic has one message, and only the first answer to it is not flagged.

use super::evidence::{Evidence, Key};
use super::invention::Seen;
use super::origin::{Origin, Origins};
use super::report::MailboxViolation;
use crate::call::{Call, CallNumber};
use crate::mailbox::SendMessage;
use crate::violations::Violations;
use std::sync::Arc;

/// The same send has more than one message, or different sends have the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityViolation {
    /// Two answers to the same key name different messages.
    #[error("{first} and {second} have the same key of {topic}, and different messages")]
    SeveralMessages {
        /// The topic.
        topic: Arc<str>,
        /// The first send that was answered.
        first: CallNumber,
        /// One that was answered otherwise.
        second: CallNumber,
    },
    /// Two answers to the same key say that it was new.
    #[error(
        "{first} and {second} have the same key of {topic}, and neither is flagged as a repetition"
    )]
    SeveralFirst {
        /// The topic.
        topic: Arc<str>,
        /// A send that was answered without the flag.
        first: CallNumber,
        /// Another one.
        second: CallNumber,
    },
    /// Two bodies were taken under the same key.
    #[error("{first} and {second} have the same key of {topic}, and different bodies")]
    SeveralBodies {
        /// The topic.
        topic: Arc<str>,
        /// The first send that was answered.
        first: CallNumber,
        /// One that was answered with success, for another body.
        second: CallNumber,
    },
    /// Two keys have the same message.
    #[error("{first} and {second} have different keys, and the same message {message}")]
    SharedMessage {
        /// The message.
        message: Arc<str>,
        /// A send that was answered with it.
        first: CallNumber,
        /// Another one.
        second: CallNumber,
    },
    /// A message is there beside the ones that the sends of its content can have made.
    #[error("{message} in {seen} is a second message of a send like {send}")]
    SecondMessage {
        /// The message.
        message: Arc<str>,
        /// A send with its topic and body.
        send: CallNumber,
        /// Where it was seen.
        seen: Seen,
    },
}

pub(super) fn check(
    evidence: &Evidence<'_>,
    origins: &Origins,
    violations: &mut Violations<MailboxViolation>,
) {
    for key in &evidence.keys {
        check_key(key, violations);
    }
    for (message, origin) in evidence.messages.iter().zip(&origins.of_messages) {
        if let Origin::Surplus { send } = *origin {
            let delivery = message.first_shown();
            violations.add(IdentityViolation::SecondMessage {
                message: Arc::clone(message.id),
                send,
                seen: delivery.map_or(Seen::Drain, |one| Seen::Receive(one.receive.number())),
            });
        }
        let Some((first, others)) = message.sends.split_first() else {
            continue;
        };
        let identity = |send: &Call<SendMessage>| {
            let key = send.request.key;
            // A send without a key is on its own.
            let alone = key.is_none().then_some(send.invoked);
            (Arc::clone(&send.request.topic), key, alone)
        };
        for send in others
            .iter()
            .filter(|send| identity(send) != identity(first))
        {
            violations.add(IdentityViolation::SharedMessage {
                message: Arc::clone(message.id),
                first: first.number(),
                second: send.number(),
            });
        }
    }
}

fn check_key(key: &Key<'_>, violations: &mut Violations<MailboxViolation>) {
    let mut answered = key
        .sends
        .iter()
        .filter_map(|send| Some((send, send.answer()?.1)));
    let Some((first, sent)) = answered.next() else {
        return;
    };
    let topic = || Arc::clone(key.topic);
    let mut fresh = (!sent.replayed).then_some(first);
    for (send, other) in answered {
        let (first, second) = (first.number(), send.number());
        if other.message != sent.message {
            let topic = topic();
            violations.add(IdentityViolation::SeveralMessages {
                topic,
                first,
                second,
            });
        } else if !other.replayed {
            if let Some(first) = fresh {
                violations.add(IdentityViolation::SeveralFirst {
                    topic: topic(),
                    first: first.number(),
                    second,
                });
            }
            fresh = Some(send);
        }
        if send.request.body != key_body(key) {
            let topic = topic();
            violations.add(IdentityViolation::SeveralBodies {
                topic,
                first,
                second,
            });
        }
    }
}

/// The body of the first send that was answered.
fn key_body(key: &Key<'_>) -> crate::Fingerprint {
    let answered = key.sends.iter().find(|send| send.answer().is_some());
    answered.map_or(key.sends[0].request.body, |send| send.request.body)
}
