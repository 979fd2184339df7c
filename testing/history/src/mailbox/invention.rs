//! P2: what is received was sent, to this topic, and with this body.

use super::evidence::Evidence;
use super::origin::{Origin, Origins};
use super::report::MailboxViolation;
use crate::call::{CallNumber, Moment};
use crate::fingerprint::Fingerprint;
use crate::violations::Violations;
use std::collections::HashMap;
use std::sync::Arc;

/// A message is not what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventionViolation {
    /// Nobody sent anything like it to this topic.
    #[error("{message} in {seen}: nobody sent such a body to {topic}")]
    NeverSent {
        /// The message.
        message: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// Where it was seen.
        seen: Seen,
    },
    /// It was there before its send began.
    #[error("{message} in {seen}: it was sent later, by {send}")]
    BeforeItsSend {
        /// The message.
        message: Arc<str>,
        /// Its first send.
        send: CallNumber,
        /// Where it was seen.
        seen: Seen,
    },
    /// It has another body than the one that was sent, or than where it was seen before.
    #[error("{message} in {seen} has another body, or topic, than in {before}")]
    Changed {
        /// The message.
        message: Arc<str>,
        /// The send, or the first receive.
        before: CallNumber,
        /// Where it was seen.
        seen: Seen,
    },
}

/// Where a message was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// In the answer to this receive.
    Receive(CallNumber),
    /// Among what was left after the drain.
    Drain,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Receive(call) => write!(f, "receive {call}"),
            Self::Drain => f.write_str("the drain"),
        }
    }
}

/// Returns how many messages nobody sent.
pub(super) fn check(
    evidence: &Evidence<'_>,
    origins: &Origins,
    violations: &mut Violations<MailboxViolation>,
) -> u64 {
    changed(evidence, violations);
    let mut unexpected = 0;
    for (message, origin) in evidence.messages.iter().zip(&origins.of_messages) {
        let delivery = message.first_shown();
        let seen = delivery.map_or(Seen::Drain, |one| Seen::Receive(one.receive.number()));
        let first_send = match *origin {
            Origin::Key(key) => evidence.keys[key].sends.first().copied(),
            Origin::Unseen | Origin::Surplus { .. } => continue,
            Origin::Nowhere => None,
        };
        let Some(send) = first_send else {
            unexpected += 1;
            let remnant = || message.remnants.first().map(|remnant| &remnant.topic);
            let topic = delivery
                .map(|one| &one.receive.request.topic)
                .or_else(remnant);
            violations.add(InventionViolation::NeverSent {
                message: Arc::clone(message.id),
                topic: topic.map_or_else(|| "".into(), Arc::clone),
                seen,
            });
            continue;
        };
        if delivery.is_some_and(|one| one.ended < send.invoked) {
            unexpected += 1;
            violations.add(InventionViolation::BeforeItsSend {
                message: Arc::clone(message.id),
                send: send.number(),
                seen,
            });
        }
    }
    unexpected
}

/// Compares all that is shown of a message with what was sent, or else with what was shown first.
fn changed(evidence: &Evidence<'_>, violations: &mut Violations<MailboxViolation>) {
    type Content<'h> = (&'h str, Fingerprint);
    let history = evidence.history;
    let mut shown = Vec::new();
    for call in &history.receives {
        let Some((ended, batch)) = call.answer() else {
            continue;
        };
        let topic: &str = &call.request.topic;
        let seen = Seen::Receive(call.number());
        let parts = batch
            .iter()
            .map(|one| (ended, seen, &one.message, (topic, one.body)));
        shown.extend(parts);
    }
    shown.sort_by_key(|(ended, ..)| *ended);
    let end = shown
        .last()
        .map_or(Moment::from((0, 0)), |(ended, ..)| *ended);
    for remnant in history.remnants.iter().flatten() {
        let content = (&*remnant.topic, remnant.body);
        shown.push((end, Seen::Drain, &remnant.message, content));
    }
    let mut first_shown: HashMap<&str, (Seen, Content<'_>)> = HashMap::new();
    for (_, seen, id, content) in shown {
        let send = evidence.find(id).and_then(|message| message.sends.first());
        let before = if let Some(send) = send {
            if content == (&*send.request.topic, send.request.body) {
                continue;
            }
            send.number()
        } else {
            let (first, expected) = *first_shown.entry(id).or_insert((seen, content));
            match first {
                Seen::Receive(call) if expected != content => call,
                _ => continue,
            }
        };
        violations.add(InventionViolation::Changed {
            message: Arc::clone(id),
            before,
            seen,
        });
    }
}
