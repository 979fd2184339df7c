//! `Evidence`: a history by message, with what follows about each delivery's time.

use super::calls::{
    LeaseAction, LeaseAnswer, ReceiveMessages, Received, Remnant, SendMessage, UseLease,
};
use super::lease::nanoseconds;
use crate::call::{Call, Moment};
use crate::fingerprint::Fingerprint;
use crate::history::History;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A history by message, by key and by receive.
pub(super) struct Evidence<'h> {
    pub(super) history: &'h History,
    pub(super) messages: Vec<Message<'h>>,
    pub(super) keys: Vec<Key<'h>>,
    /// Receives of the same batch, in the order in which they began.
    pub(super) series: Vec<&'h Call<ReceiveMessages>>,
    pub(super) series_ranges: Vec<Range<usize>>,
    pub(super) restarts: Restarts,
    message_numbers: HashMap<&'h str, usize>,
}

/// Everything about one message.
pub(super) struct Message<'h> {
    pub(super) id: &'h Arc<str>,
    /// Sends that were answered with it.
    pub(super) sends: Vec<&'h Call<SendMessage>>,
    /// The number of the key that it was sent under; `None` where no answer to a send tells.
    pub(super) key: Option<usize>,
    /// By their number, the earlier of two of the same number first.
    pub(super) deliveries: Vec<Delivery<'h>>,
    /// By delivery, the earlier first; those of unknown leases at the end.
    pub(super) uses: Vec<&'h Call<UseLease>>,
    pub(super) remnants: Vec<&'h Remnant>,
    /// Where each lease is among the deliveries.
    by_lease: Vec<(Fingerprint, usize)>,
}

/// One delivery of a message, under one lease.
#[derive(Clone)]
pub(super) struct Delivery<'h> {
    pub(super) received: &'h Received,
    /// Of all answers that show it, the first.
    pub(super) receive: &'h Call<ReceiveMessages>,
    /// When that answer arrived: the delivery is not later.
    pub(super) ended: Moment,
    /// Its place in that answer.
    pub(super) place: usize,
    /// When the first call began that can have caused it: the delivery is not earlier, unless the request
    /// of an answered call has arrived once more.
    pub(super) not_before: Moment,
    /// When the first call for the same batch began: the delivery is not earlier, in any case.
    pub(super) possible_since: Moment,
    /// Whether other calls than `receive` can have caused it.
    pub(super) is_repeated: bool,
    /// When the lease ends if nobody uses it, in nanoseconds: not earlier, and not later.
    pub(super) ends: (u64, u64),
    /// Where the uses of its lease are among the message's.
    uses: Range<usize>,
    /// When the first use of its lease began that took effect, or may have.
    pub(super) first_used: Option<Moment>,
    /// When the first such use began that gave the message back.
    pub(super) first_given_back: Option<Moment>,
    /// A call that shows the lease, and is none for the same batch, or numbers the delivery otherwise.
    pub(super) contradicted_by: Option<&'h Call<ReceiveMessages>>,
    series: usize,
}

/// The sends under one idempotency key of a topic; a send without one is on its own.
pub(super) struct Key<'h> {
    pub(super) topic: &'h Arc<str>,
    /// Those that may have taken effect.
    pub(super) sends: Vec<&'h Call<SendMessage>>,
}

impl<'h> Evidence<'h> {
    pub(super) fn of(history: &'h History) -> Self {
        let mut evidence = Self {
            history,
            messages: Vec::new(),
            keys: Vec::new(),
            series: Vec::new(),
            series_ranges: Vec::new(),
            restarts: Restarts::of(history),
            message_numbers: HashMap::new(),
        };
        evidence.take_sends();
        evidence.take_receives();
        for call in &history.lease_uses {
            evidence.message(&call.request.message).uses.push(call);
        }
        for remnant in history.remnants.iter().flatten() {
            evidence.message(&remnant.message).remnants.push(remnant);
        }
        for message in &mut evidence.messages {
            let attempt = |one: &Delivery<'_>| (one.received.attempt, one.not_before);
            message.deliveries.sort_by_key(attempt);
            message.order_uses();
        }
        evidence
    }

    /// The message of this identifier, if anything tells of it.
    pub(super) fn find(&self, id: &str) -> Option<&Message<'h>> {
        Some(&self.messages[*self.message_numbers.get(id)?])
    }

    fn message(&mut self, id: &'h Arc<str>) -> &mut Message<'h> {
        let number = self.message_number(id);
        &mut self.messages[number]
    }

    fn message_number(&mut self, id: &'h Arc<str>) -> usize {
        let next = self.messages.len();
        let number = *self.message_numbers.entry(id).or_insert(next);
        if number == next {
            self.messages.push(Message {
                id,
                sends: Vec::new(),
                key: None,
                deliveries: Vec::new(),
                uses: Vec::new(),
                remnants: Vec::new(),
                by_lease: Vec::new(),
            });
        }
        number
    }

    fn take_sends(&mut self) {
        let mut numbers: HashMap<(&str, Fingerprint), usize> = HashMap::new();
        let history = self.history;
        for call in history.sends.iter().filter(|call| call.may_have_effect()) {
            let topic = &call.request.topic;
            let next = self.keys.len();
            let number = call
                .request
                .key
                .map_or(next, |key| *numbers.entry((topic, key)).or_insert(next));
            if number == next {
                let sends = Vec::new();
                self.keys.push(Key { topic, sends });
            }
            self.keys[number].sends.push(call);
            if let Some((_, sent)) = call.answer() {
                let message = self.message(&sent.message);
                message.sends.push(call);
                message.key.get_or_insert(number);
            }
        }
    }

    fn take_receives(&mut self) {
        let history = self.history;
        let mut series: Vec<&Call<ReceiveMessages>> = history.receives.iter().collect();
        let identity = |call: &Call<ReceiveMessages>| {
            let receive_id = call.request.receive_id;
            // A call without an identifier is a series of its own.
            let alone = receive_id.is_none().then_some(call.invoked);
            (receive_id, alone)
        };
        let same = |a: &Call<ReceiveMessages>, b: &Call<ReceiveMessages>| {
            identity(a) == identity(b) && a.request.topic == b.request.topic
        };
        series.sort_by(|a, b| {
            let by_topic = || a.request.topic.cmp(&b.request.topic);
            let by_time = || a.invoked.cmp(&b.invoked);
            identity(a)
                .cmp(&identity(b))
                .then_with(by_topic)
                .then_with(by_time)
        });
        let mut known: HashMap<(usize, Fingerprint), usize> = HashMap::new();
        let mut start = 0;
        for one in series.chunk_by(|a, b| same(a, b)) {
            self.series_ranges.push(start..start + one.len());
            start += one.len();
            self.take_series(one, &mut known);
        }
        self.series = series;
    }

    /// `known` has the place of each lease among its message's deliveries.
    fn take_series(
        &mut self,
        series: &[&'h Call<ReceiveMessages>],
        known: &mut HashMap<(usize, Fingerprint), usize>,
    ) {
        let number = self.series_ranges.len();
        // When the first of the calls so far began, when a lease of theirs ends at the earliest, and how
        // long it lasts.
        let mut so_far: Option<(Moment, u64, u64)> = None;
        let mut first_unknown: Option<Moment> = None;
        for call in series.iter().copied().filter(|call| call.may_have_effect()) {
            let visibility = nanoseconds(call.request.visibility);
            let end = call.invoked.nanoseconds.saturating_add(visibility);
            let (possible_since, earliest, longest) = so_far.unwrap_or((call.invoked, end, 0));
            let (earliest, longest) = (earliest.min(end), longest.max(visibility));
            so_far = Some((possible_since, earliest, longest));
            let Some((ended, batch)) = call.answer() else {
                first_unknown.get_or_insert(call.invoked);
                continue;
            };
            let not_before = first_unknown.unwrap_or(call.invoked);
            let latest = ended.nanoseconds.saturating_add(longest);
            for (place, received) in batch.iter().enumerate() {
                let message = self.message_number(&received.message);
                let deliveries = &mut self.messages[message].deliveries;
                let index = *known
                    .entry((message, received.lease))
                    .or_insert(deliveries.len());
                let Some(delivery) = deliveries.get_mut(index) else {
                    deliveries.push(Delivery {
                        received,
                        receive: call,
                        ended,
                        place,
                        not_before,
                        possible_since,
                        is_repeated: first_unknown.is_some(),
                        ends: (earliest, latest),
                        uses: 0..0,
                        first_used: None,
                        first_given_back: None,
                        contradicted_by: None,
                        series: number,
                    });
                    continue;
                };
                delivery.is_repeated = true;
                let other = delivery.receive;
                if ended < delivery.ended {
                    (delivery.receive, delivery.ended, delivery.place) = (call, ended, place);
                }
                if delivery.series != number || delivery.received.attempt != received.attempt {
                    let is_first = delivery.receive.invoked == call.invoked;
                    delivery.contradicted_by = Some(if is_first { other } else { call });
                }
                // Another series can have begun earlier.
                delivery.not_before = delivery.not_before.min(not_before);
                delivery.possible_since = delivery.possible_since.min(possible_since);
                delivery.ends.0 = delivery.ends.0.min(earliest);
                delivery.ends.1 = delivery.ends.1.min(latest);
            }
        }
    }
}

impl<'h> Message<'h> {
    fn order_uses(&mut self) {
        let leases = self.deliveries.iter().map(|one| one.received.lease);
        self.by_lease = leases.zip(0..).collect();
        self.by_lease.sort_unstable();
        let mut uses = std::mem::take(&mut self.uses);
        uses.sort_by_cached_key(|call| {
            let delivery = self.delivery_index(call.request.lease);
            (delivery.unwrap_or(usize::MAX), call.invoked)
        });
        let is_effective = |call: &&Call<UseLease>| call.is_unknown() || done(call).is_some();
        let is_nack =
            |call: &Call<UseLease>| matches!(call.request.action, LeaseAction::Nack { .. });
        let mut start = 0;
        for delivery in &mut self.deliveries {
            let lease = delivery.received.lease;
            let rest = uses[start..].iter();
            let length = rest.take_while(|call| call.request.lease == lease).count();
            delivery.uses = start..start + length;
            start += length;
            let calls = uses[delivery.uses.clone()].iter().copied();
            let mut effective = calls.filter(is_effective).peekable();
            delivery.first_used = effective.peek().map(|call| call.invoked);
            let given_back = effective.find(|call| is_nack(call));
            delivery.first_given_back = given_back.map(|call| call.invoked);
        }
        self.uses = uses;
    }

    fn delivery_index(&self, lease: Fingerprint) -> Option<usize> {
        let at = self.by_lease.partition_point(|(one, _)| *one < lease);
        let (found, index) = *self.by_lease.get(at)?;
        (found == lease).then_some(index)
    }

    /// The delivery under this lease.
    pub(super) fn delivery(&self, lease: Fingerprint) -> Option<&Delivery<'h>> {
        Some(&self.deliveries[self.delivery_index(lease)?])
    }

    /// What its lease was used for, the earlier first.
    pub(super) fn uses_of(&self, delivery: &Delivery<'h>) -> &[&'h Call<UseLease>] {
        &self.uses[delivery.uses.clone()]
    }

    /// The answer that showed it first.
    pub(super) fn first_shown(&self) -> Option<&Delivery<'h>> {
        self.deliveries.iter().min_by_key(|one| one.ended)
    }

    /// The answer that showed it last.
    pub(super) fn last_shown(&self) -> Option<&Delivery<'h>> {
        self.deliveries.iter().max_by_key(|one| one.ended)
    }
}

/// Whether a lease's use was answered, and with success.
pub(super) fn done(call: &Call<UseLease>) -> Option<Moment> {
    match call.answer() {
        Some((ended, LeaseAnswer::Done)) => Some(ended),
        _ => None,
    }
}

/// When the mailbox was restarted.
pub(super) struct Restarts {
    /// Beginnings, in order, each with the latest end so far.
    spans: Vec<(Moment, Option<Moment>)>,
}

impl Restarts {
    fn of(history: &History) -> Self {
        let mut latest = Some(Moment::from((0, 0)));
        let span = |call: &Call<_>| {
            // One that did not end lasts.
            let ended = call.answer().map(|(ended, ())| ended);
            latest = latest.zip(ended).map(|(latest, ended)| latest.max(ended));
            (call.invoked, latest)
        };
        let spans = history.restarts.iter().map(span).collect();
        Self { spans }
    }

    /// Whether there was one at any moment of this time.
    pub(super) fn is_any(&self, from: Moment, to: Moment) -> bool {
        let begun = self.spans.partition_point(|(invoked, _)| *invoked < to);
        let latest = begun.checked_sub(1).map(|last| self.spans[last].1);
        latest.is_some_and(|ended| ended.map_or(true, |ended| from < ended))
    }
}
