//! P9: messages come in the order in which they were sent.
//!
//! One message was sent before another where its send had ended when the other's began; it was delivered
//! after it where its first delivery began when the other's had ended, or where it stands after it in the
//! same batch. How many such others a message has is its reorder depth. Deliveries that are not a
//! message's first say nothing.

use super::evidence::{Delivery, Evidence};
use super::report::MailboxViolation;
use super::Promises;
use crate::call::{CallNumber, Moment};
use crate::violations::Violations;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A message was overtaken by too many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{message}, sent by {send}, came to {receive} after {depth} messages that were sent later, such as {other}; \
     at most {limit} may"
)]
pub struct OrderViolation {
    /// The message.
    pub message: Arc<str>,
    /// A send that was answered with it.
    pub send: CallNumber,
    /// The receive that it came to.
    pub receive: CallNumber,
    /// By how many it was overtaken.
    pub depth: u64,
    /// One of them.
    pub other: Arc<str>,
    /// By how many it may be.
    pub limit: u64,
}

/// A message that was sent and delivered.
struct Mail<'e> {
    id: &'e Arc<str>,
    send: CallNumber,
    /// The first send that can have made it.
    send_began: Moment,
    /// The first answer that says it was made.
    send_ended: Moment,
    delivery: &'e Delivery<'e>,
}

/// Returns the greatest reorder depth.
pub(super) fn check(
    evidence: &Evidence<'_>,
    promises: &Promises,
    violations: &mut Violations<MailboxViolation>,
) -> u64 {
    let mut deepest = 0;
    for mail in by_topic(evidence).values() {
        let depths = depths(mail);
        for (one, (depth, other)) in mail.iter().zip(depths) {
            deepest = depth.max(deepest);
            let limit = promises.max_reorder_depth;
            if let Some(other) = other.filter(|_| depth > limit) {
                violations.add(OrderViolation {
                    message: Arc::clone(one.id),
                    send: one.send,
                    receive: one.delivery.receive.number(),
                    depth,
                    other: Arc::clone(mail[other].id),
                    limit,
                });
            }
        }
    }
    deepest
}

fn by_topic<'e>(evidence: &'e Evidence<'_>) -> BTreeMap<&'e str, Vec<Mail<'e>>> {
    let mut by_topic: BTreeMap<&str, Vec<Mail<'_>>> = BTreeMap::new();
    for message in &evidence.messages {
        let Some(key) = message.key.map(|key| &evidence.keys[key]) else {
            continue;
        };
        let first = message.deliveries.first();
        let Some(delivery) = first.filter(|one| one.received.attempt == 1) else {
            continue;
        };
        let ended = |send: &&crate::Call<super::SendMessage>| send.answer().map(|(ended, _)| ended);
        let began = key.sends.iter().map(|send| send.invoked).min();
        if let (Some(send_began), Some(send_ended)) =
            (began, message.sends.iter().filter_map(ended).min())
        {
            by_topic.entry(key.topic).or_default().push(Mail {
                id: message.id,
                send: message.sends[0].number(),
                send_began,
                send_ended,
                delivery,
            });
        }
    }
    by_topic
}

/// For each message, how many overtook it, and one of them.
fn depths(mail: &[Mail<'_>]) -> Vec<(u64, Option<usize>)> {
    let mut began: Vec<Moment> = mail.iter().map(|one| one.send_began).collect();
    began.sort_unstable();
    let mut depths = vec![(0, None); mail.len()];

    let by = |key: &dyn Fn(&Mail<'_>) -> (Moment, usize)| {
        let mut order: Vec<usize> = (0..mail.len()).collect();
        order.sort_by_key(|index| key(&mail[*index]));
        order
    };
    let delivered = by(&|one| (one.delivery.ended, one.delivery.place));
    let awaited = by(&|one| (one.delivery.not_before, one.delivery.place));
    let mut overtakers = Overtakers::new(&began);
    let mut next = delivered.iter().peekable();
    for index in awaited {
        let begins = mail[index].delivery.not_before;
        while let Some(earlier) = next.next_if(|other| mail[**other].delivery.ended < begins) {
            overtakers.add(*earlier, mail[*earlier].send_began);
        }
        overtakers.count(mail[index].send_ended, &mut depths[index]);
    }

    let batch = |index: usize| mail[index].delivery.receive.invoked;
    for batch in delivered.chunk_by(|a, b| batch(*a) == batch(*b)) {
        let mut began: Vec<Moment> = batch.iter().map(|index| mail[*index].send_began).collect();
        began.sort_unstable();
        let mut overtakers = Overtakers::new(&began);
        for index in batch {
            overtakers.count(mail[*index].send_ended, &mut depths[*index]);
            overtakers.add(*index, mail[*index].send_began);
        }
    }
    depths
}

/// Counts, of the messages added, those that were sent after a moment: a Fenwick tree over the order of
/// sends.
struct Overtakers<'b> {
    began: &'b [Moment],
    tree: Vec<u64>,
    added: u64,
    last: Option<(Moment, usize)>,
}

impl<'b> Overtakers<'b> {
    /// `began`: when each send began, in order.
    fn new(began: &'b [Moment]) -> Self {
        Self {
            began,
            tree: vec![0; began.len() + 1],
            added: 0,
            last: None,
        }
    }

    fn add(&mut self, index: usize, send_began: Moment) {
        self.added += 1;
        self.last = self.last.max(Some((send_began, index)));
        let mut at = 1 + self.began.partition_point(|began| *began < send_began);
        while let Some(count) = self.tree.get_mut(at) {
            *count += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// Adds to `depth` how many were sent after `moment`.
    fn count(&self, moment: Moment, depth: &mut (u64, Option<usize>)) {
        let mut at = self.began.partition_point(|began| *began <= moment);
        let mut earlier = 0;
        while at > 0 {
            earlier += self.tree[at];
            at -= at & at.wrapping_neg();
        }
        let later = self.added - earlier;
        if later > 0 {
            *depth = (depth.0 + later, self.last.map(|(_, index)| index));
        }
    }
}
