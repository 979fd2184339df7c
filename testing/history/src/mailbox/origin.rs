//! `Origins`: which send each message comes from.
//!
//! A send that was answered says which message it made. One of unknown outcome may have made a message
//! that is known by its topic and body alone: such messages are matched with such sends, the one that
//! appeared first with the send that began first. That is the matching that leaves the fewest over.

use super::evidence::{Evidence, Key};
use crate::call::{Call, CallNumber, Moment};
use crate::fingerprint::Fingerprint;
use crate::mailbox::SendMessage;
use std::collections::{HashMap, HashSet};

/// Where one message comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// From the sends under this key.
    Key(usize),
    /// From a send, but every send that fits has a message already.
    Surplus {
        /// A send that fits.
        send: CallNumber,
    },
    /// From no send at all.
    Nowhere,
    /// It was never seen.
    Unseen,
}

/// The origin of each message of the evidence, in its order.
pub(super) struct Origins {
    pub(super) of_messages: Vec<Origin>,
    /// How many messages come from sends of unknown outcome alone.
    pub(super) recovered: u64,
}

/// What a message and a send have in common.
type Content<'h> = (&'h str, Fingerprint);

#[derive(Default)]
struct Candidates {
    /// Keys without an answer, by when the send began that may have made a message.
    claimable: Vec<(Moment, usize)>,
    /// Messages that no answer names, by when they were first seen.
    strangers: Vec<(Moment, usize)>,
    /// Any send with this content.
    example: Option<CallNumber>,
}

impl Origins {
    pub(super) fn of(evidence: &Evidence<'_>) -> Self {
        let mut candidates: HashMap<Content<'_>, Candidates> = HashMap::new();
        let mut of_messages = vec![Origin::Unseen; evidence.messages.len()];
        for (number, message) in evidence.messages.iter().enumerate() {
            if let Some(key) = message.key {
                of_messages[number] = Origin::Key(key);
                continue;
            }
            let seen = match (message.first_shown(), message.remnants.first()) {
                (Some(first), _) => {
                    let content = (&*first.receive.request.topic, first.received.body);
                    (content, first.ended)
                }
                // After everything else.
                (None, Some(remnant)) => {
                    let content = (&*remnant.topic, remnant.body);
                    (content, Moment::from((u64::MAX, u64::MAX)))
                }
                (None, None) => continue,
            };
            of_messages[number] = Origin::Nowhere;
            let (content, moment) = seen;
            let strangers = &mut candidates.entry(content).or_default().strangers;
            strangers.push((moment, number));
        }
        if candidates.is_empty() {
            let recovered = 0;
            return Self {
                of_messages,
                recovered,
            };
        }
        for (number, key) in evidence.keys.iter().enumerate() {
            offer(&mut candidates, number, key);
        }
        let mut recovered = 0;
        for candidates in candidates.values_mut() {
            candidates.claimable.sort_unstable();
            candidates.strangers.sort_unstable();
            for (index, (_, stranger)) in candidates.strangers.iter().enumerate() {
                let claimed = candidates.claimable.get(index);
                of_messages[*stranger] = match (claimed, candidates.example) {
                    (Some((_, key)), _) => {
                        recovered += 1;
                        Origin::Key(*key)
                    }
                    (None, Some(send)) => Origin::Surplus { send },
                    (None, None) => Origin::Nowhere,
                };
            }
        }
        Self {
            of_messages,
            recovered,
        }
    }
}

/// Offers the sends of a key to the messages of the same content.
fn offer<'h>(candidates: &mut HashMap<Content<'h>, Candidates>, number: usize, key: &Key<'h>) {
    let is_answered = |send: &&Call<SendMessage>| send.answer().is_some();
    let has_message = key.sends.iter().any(is_answered);
    let mut offered = HashSet::new();
    for send in &key.sends {
        let content = (&*send.request.topic, send.request.body);
        let Some(candidates) = candidates.get_mut(&content) else {
            continue;
        };
        candidates.example.get_or_insert(send.number());
        if !has_message && offered.insert(content) {
            candidates.claimable.push((send.invoked, number));
        }
    }
}
