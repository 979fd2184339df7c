//! P10: a receive that is repeated while its leases last has the same batch, under the same leases.

use super::calls::{ReceiveMessages, Received};
use super::evidence::{Delivery, Evidence, Message};
use super::lease::nanoseconds;
use super::report::MailboxViolation;
use super::Promises;
use crate::call::{Call, CallNumber, Moment};
use crate::violations::Violations;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A repeated receive has another batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepetitionViolation {
    /// A message is missing from the repetition.
    #[error("{message} came to {first}, and not to {second}, which repeats it")]
    Missing {
        /// The message.
        message: Arc<str>,
        /// The first receive.
        first: CallNumber,
        /// The one that repeats it.
        second: CallNumber,
    },
    /// The repetition has a message that was not there before.
    #[error("{message} came to {second}, and not to {first}, which it repeats")]
    Added {
        /// The message.
        message: Arc<str>,
        /// The first receive.
        first: CallNumber,
        /// The one that repeats it.
        second: CallNumber,
    },
    /// The repetition has the message under another lease.
    #[error("{message} came to {first}, and under another lease to {second}, which repeats it")]
    OtherLease {
        /// The message.
        message: Arc<str>,
        /// The first receive.
        first: CallNumber,
        /// The one that repeats it.
        second: CallNumber,
    },
}

pub(super) fn check(
    evidence: &Evidence<'_>,
    promises: &Promises,
    violations: &mut Violations<MailboxViolation>,
) {
    for range in &evidence.series_ranges {
        let series = &evidence.series[range.clone()];
        let answered: Vec<_> = series
            .iter()
            .filter(|call| call.answer().is_some())
            .collect();
        for pair in answered.windows(2) {
            check_pair(evidence, promises, pair[0], pair[1], violations);
        }
    }
}

fn check_pair(
    evidence: &Evidence<'_>,
    promises: &Promises,
    first: &Call<ReceiveMessages>,
    second: &Call<ReceiveMessages>,
    violations: &mut Violations<MailboxViolation>,
) {
    let (Some((first_ended, before)), Some((second_ended, after))) =
        (first.answer(), second.answer())
    else {
        return;
    };
    // An answer without messages is no batch. Of two calls at the same time, the second may come first.
    if after.is_empty() && second.invoked < first_ended {
        return;
    }
    let leases: Vec<Lease<'_>> = before
        .iter()
        .filter_map(|received| Lease::of(evidence, received))
        .collect();
    let still = nanoseconds(promises.clock_tolerance).saturating_add(second_ended.nanoseconds);
    let Some(begins) = leases.iter().map(|lease| lease.delivery.not_before).min() else {
        return;
    };
    if leases.iter().any(|lease| lease.delivery.ends.0 <= still)
        || evidence.restarts.is_any(begins, second_ended)
    {
        return;
    }
    let (first, second) = (first.number(), second.number());
    let now: HashMap<&str, &Received> = after.iter().map(|one| (&*one.message, one)).collect();
    // Where all of them were used, there may be no batch to repeat.
    let are_all_used = leases.iter().all(|lease| lease.is_used(second_ended));
    for lease in leases.iter().filter(|lease| !lease.is_used(second_ended)) {
        let message = Arc::clone(lease.message.id);
        match now.get(&**lease.message.id) {
            None => violations.add(RepetitionViolation::Missing {
                message,
                first,
                second,
            }),
            Some(again) if again.lease != lease.delivery.received.lease => {
                violations.add(RepetitionViolation::OtherLease {
                    message,
                    first,
                    second,
                });
            }
            Some(_) => {}
        }
    }
    let known: HashSet<&str> = before.iter().map(|one| &*one.message).collect();
    for added in after.iter().filter(|one| !known.contains(&*one.message)) {
        if !are_all_used {
            violations.add(RepetitionViolation::Added {
                message: Arc::clone(&added.message),
                first,
                second,
            });
        }
    }
}

struct Lease<'e> {
    message: &'e Message<'e>,
    delivery: &'e Delivery<'e>,
}

impl<'e> Lease<'e> {
    fn of(evidence: &'e Evidence<'_>, received: &Received) -> Option<Self> {
        let message = evidence.find(&received.message)?;
        let delivery = message.delivery(received.lease)?;
        Some(Self { message, delivery })
    }

    /// Whether anything was done under it before this moment, or may have been.
    fn is_used(&self, before: Moment) -> bool {
        let first = self.delivery.first_used;
        first.is_some_and(|first| first < before)
    }
}
