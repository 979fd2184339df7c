//! P8: a message that was not acknowledged comes back when its time has passed, and not much later while
//! somebody asks for it.
//!
//! "Not earlier" is P5 for a lease whose time ran out; here it is for one that was given back with a
//! delay. "Not later" is judged where the next delivery has the next number, so that none lies between.

use super::evidence::{Delivery, Evidence, Message};
use super::lease::{nanoseconds, release};
use super::report::MailboxViolation;
use super::Promises;
use crate::call::{Call, CallNumber, Moment};
use crate::mailbox::ReceiveMessages;
use crate::violations::Violations;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A message came back too early or too late.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedeliveryViolation {
    /// It was given back with a delay, which had not passed.
    #[error("{message}: given back by {first}, it was delivered to {second} {early:?} too early")]
    Early {
        /// The message.
        message: Arc<str>,
        /// The receive that had it.
        first: CallNumber,
        /// The receive that was given it too early.
        second: CallNumber,
        /// By how much, at least.
        early: Duration,
    },
    /// It could be delivered, and a receive that was waiting for such a message was not answered.
    #[error("{message}: had by {first}, it was delivered to {second} {late:?} late")]
    Late {
        /// The message.
        message: Arc<str>,
        /// The receive that had it.
        first: CallNumber,
        /// The receive that was given it too late.
        second: CallNumber,
        /// By how much, at least.
        late: Duration,
    },
    /// It could be delivered, and a receive was answered that there is nothing.
    #[error("{message}: had by {first}, it was ready while {empty} was answered with nothing, and went to {second}")]
    Withheld {
        /// The message.
        message: Arc<str>,
        /// The receive that had it.
        first: CallNumber,
        /// The receive that was given nothing.
        empty: CallNumber,
        /// The receive that was given it later.
        second: CallNumber,
    },
}

pub(super) fn check(
    evidence: &Evidence<'_>,
    promises: &Promises,
    violations: &mut Violations<MailboxViolation>,
) {
    let empty = EmptyReceives::of(evidence);
    for message in &evidence.messages {
        for pair in message.deliveries.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            // Where the numbers contradict the order, time says nothing.
            let is_in_order = first.not_before < second.ended;
            if is_in_order && !evidence.restarts.is_any(first.not_before, second.ended) {
                check_pair(promises, &empty, message, (first, second), violations);
            }
        }
    }
}

fn check_pair(
    promises: &Promises,
    empty: &EmptyReceives<'_>,
    message: &Message<'_>,
    (first, second): (&Delivery<'_>, &Delivery<'_>),
    violations: &mut Violations<MailboxViolation>,
) {
    let tolerated = nanoseconds(promises.clock_tolerance);
    let (id, call) = (
        || Arc::clone(message.id),
        |one: &Delivery<'_>| one.receive.number(),
    );
    let attempts = (first.received.attempt, second.received.attempt);
    let release = release(message, first);
    let answered = second.ended.nanoseconds;
    let is_early = answered.saturating_add(tolerated) < release.earliest;
    if attempts.0 < attempts.1 && release.is_given_back && is_early {
        violations.add(RedeliveryViolation::Early {
            message: id(),
            first: call(first),
            second: call(second),
            early: Duration::from_nanos(release.earliest - answered),
        });
    }
    let (Some(within), Some(latest)) = (promises.redelivered_within, release.latest) else {
        return;
    };
    if attempts.0.checked_add(1) != Some(attempts.1) {
        return;
    }
    let allowed = nanoseconds(within).saturating_add(tolerated);
    let asked = second.receive.invoked;
    let due = latest.max(asked.nanoseconds).saturating_add(allowed);
    // A repeated receive may be answered with what was delivered long before.
    if !second.is_repeated && due < answered {
        violations.add(RedeliveryViolation::Late {
            message: id(),
            first: call(first),
            second: call(second),
            late: Duration::from_nanos(answered - due),
        });
    } else if let Some(empty) = empty.any(
        &first.receive.request.topic,
        latest.saturating_add(allowed),
        second.possible_since,
    ) {
        violations.add(RedeliveryViolation::Withheld {
            message: id(),
            first: call(first),
            empty,
            second: call(second),
        });
    }
}

/// The receives that were answered with nothing, by topic.
struct EmptyReceives<'h> {
    by_topic: HashMap<&'h str, Vec<EmptyReceive<'h>>>,
}

/// In the order in which they began.
struct EmptyReceive<'h> {
    call: &'h Call<ReceiveMessages>,
    /// Of this one and those that began later, the one that ended first.
    first_ended: (Moment, CallNumber),
}

impl<'h> EmptyReceives<'h> {
    fn of(evidence: &Evidence<'h>) -> Self {
        let mut by_topic: HashMap<&str, Vec<EmptyReceive<'_>>> = HashMap::new();
        for call in &evidence.history.receives {
            if let Some((ended, [])) = call.answer().map(|(ended, batch)| (ended, &batch[..])) {
                let first_ended = (ended, call.number());
                let receives = by_topic.entry(&call.request.topic).or_default();
                receives.push(EmptyReceive { call, first_ended });
            }
        }
        for receives in by_topic.values_mut() {
            let mut first_ended = None;
            for receive in receives.iter_mut().rev() {
                let earlier = first_ended
                    .map_or(receive.first_ended, |one: (Moment, CallNumber)| {
                        one.min(receive.first_ended)
                    });
                receive.first_ended = earlier;
                first_ended = Some(earlier);
            }
        }
        Self { by_topic }
    }

    /// One that began after a time, in nanoseconds, and ended before a moment.
    fn any(&self, topic: &str, after: u64, before: Moment) -> Option<CallNumber> {
        let receives = self.by_topic.get(topic)?;
        let from = receives.partition_point(|one| one.call.invoked.nanoseconds <= after);
        let (ended, call) = receives.get(from)?.first_ended;
        (ended < before).then_some(call)
    }
}
