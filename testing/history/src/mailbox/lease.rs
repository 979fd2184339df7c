//! When a lease ends, as far as its uses tell.

use super::calls::LeaseAction;
use super::evidence::{done, Delivery, Message};
use std::time::Duration;

/// From when on somebody else may have a message, in nanoseconds.
pub(super) struct Release {
    /// Not earlier.
    pub(super) earliest: u64,
    /// Not later; `None` where a use of unknown outcome may delay it.
    pub(super) latest: Option<u64>,
    /// Whether it is given back, or may be, instead of its time running out.
    pub(super) is_given_back: bool,
}

/// When the message of this delivery can be delivered again, unless it is acknowledged.
///
/// An extension sets the end anew, from the moment of its execution on; one that is certainly followed by
/// another says nothing. A lease that was given back is over, and cannot be extended. A refused use may have
/// been done before: when its answer is lost, and the lease has ended, it is tried again under an old lease.
pub(super) fn release(message: &Message<'_>, delivery: &Delivery<'_>) -> Release {
    let (mut earliest, mut latest) = (None, Some(delivery.ends.1));
    let (mut earliest_back, mut latest_back) = (None, None);
    let uses = message.uses_of(delivery);
    let is_extension = |action| matches!(action, LeaseAction::Extend { .. });
    let last_extension = uses
        .iter()
        .filter(|call| is_extension(call.request.action) && done(call).is_some())
        .map(|call| call.invoked)
        .max();
    if last_extension.is_none() {
        earliest = Some(delivery.ends.0);
    }
    for call in uses.iter().filter(|call| call.may_have_effect()) {
        let since = call.invoked.nanoseconds;
        let is_done = done(call).is_some();
        let until = call.answer().map(|(ended, _)| ended.nanoseconds);
        match call.request.action {
            LeaseAction::Ack => {}
            LeaseAction::Nack { delay } => {
                let delay = nanoseconds(delay);
                earliest_back = least(earliest_back, since.saturating_add(delay));
                let latest = until
                    .filter(|_| is_done)
                    .map(|until| until.saturating_add(delay));
                latest_back = latest_back.max(latest);
            }
            LeaseAction::Extend { visibility } => {
                let visibility = nanoseconds(visibility);
                let is_last = done(call).map_or(true, |ended| Some(ended) >= last_extension);
                if is_last {
                    earliest = least(earliest, since.saturating_add(visibility));
                }
                let until = until.map(|until| until.saturating_add(visibility));
                latest = latest.zip(until).map(|(a, b)| a.max(b));
            }
        }
    }
    let earliest = earliest.unwrap_or(delivery.ends.0);
    Release {
        earliest: match (earliest_back, latest_back) {
            (None, _) => earliest,
            // Certainly given back.
            (Some(back), Some(_)) => back,
            (Some(back), None) => back.min(earliest),
        },
        latest: latest_back.or(latest),
        is_given_back: earliest_back.is_some(),
    }
}

/// Saturating: a longer time than five centuries is no other.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn least(a: Option<u64>, b: u64) -> Option<u64> {
    Some(a.map_or(b, |a| a.min(b)))
}
