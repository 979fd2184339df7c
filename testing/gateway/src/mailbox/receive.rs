//! Receiving: batches, their repetition, and receivers who wait.

use super::message::{QueueName, State};
use super::queues::{shown, Queues, Refusal};
use super::waiting::{Departed, WaiterId};
use crate::defect::Defect;
use crate::idempotency::{OperationKey, Owner};
use bytes::Bytes;
use ron_app_sdk::oap::{Executed, MailboxReceiveReply, ReceivedMessage, MAX_BODY, MAX_META};
use ron_app_sdk::Topic;
use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// What somebody wants to receive.
#[derive(Clone)]
pub(super) struct ReceiveRequest {
    pub(super) owner: Owner,
    pub(super) topic: Topic,
    pub(super) max: u16,
    pub(super) visibility_ms: u32,
    /// Of the `receive_id`.
    pub(super) key: OperationKey,
}

impl ReceiveRequest {
    fn queue(&self) -> QueueName {
        QueueName {
            tenant_id: self.owner.tenant_id,
            topic: self.topic.clone(),
        }
    }

    /// Whether it asks for the same as another of its key.
    fn is_same(&self, topic: &Topic, max: u16, visibility_ms: u32) -> bool {
        (&self.topic, self.max, self.visibility_ms) == (topic, max, visibility_ms)
    }
}

/// Messages for a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Whether it is the batch of an earlier attempt.
    pub(crate) is_replayed: bool,
    pub(crate) deliveries: Vec<Delivery>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) message: ReceivedMessage,
    pub(crate) body: Bytes,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Delivery({:?}, {} bytes)",
            self.message.id,
            self.body.len()
        )
    }
}

/// What comes of a receive at once.
pub(super) enum Received {
    Batch(Batch),
    /// It waits.
    Waits(WaiterId),
}

impl Batch {
    pub(super) fn none() -> Self {
        Self {
            is_replayed: false,
            deliveries: Vec::new(),
        }
    }
}

impl Queues {
    /// Leases messages, or repeats the batch that is known under the request's key. Where there is no message
    /// and `may_wait`, the receiver is to be served later.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        request: ReceiveRequest,
        may_wait: bool,
    ) -> Result<Received, Refusal> {
        self.advance(now);
        if let Some(batch) = self.replay(&request)? {
            return Ok(Received::Batch(batch));
        }
        let queue = request.queue();
        if self.ready(&queue).next().is_some() {
            let batch = self.lease_batch(now, &request);
            if let Some(record) = self.batches.get_mut(&request.key) {
                record.is_answered = true;
            }
            return Ok(Received::Batch(batch));
        }
        if !may_wait {
            return Ok(Received::Batch(Batch::none()));
        }
        if self.waiting.len() >= self.limits.max_waiting {
            return Err(Refusal::Busy);
        }
        let id = self.waiting.insert(request);
        self.add_waiter(&queue, id);
        Ok(Received::Waits(id))
    }

    /// The messages of a receiver that waited, once it has been given some.
    pub(super) fn collect(&mut self, waiter: WaiterId) -> Option<Batch> {
        if !self.waiting.is_served(waiter) {
            return None;
        }
        let Departed { request, served } = self.waiting.remove(waiter)?;
        if let Some(record) = self.batches.get_mut(&request.key) {
            record.pending = record.pending.saturating_sub(1);
            record.is_answered = true;
        }
        served
    }

    /// A receiver goes. What it was given and nobody has taken is as if it had never been leased.
    pub(super) fn leave(&mut self, now: Instant, waiter: WaiterId) {
        let Some(Departed { request, served }) = self.waiting.remove(waiter) else {
            return;
        };
        let queue = request.queue();
        self.remove_waiter(&queue, waiter);
        if served.is_none() {
            return;
        }
        let Some(record) = self.batches.get_mut(&request.key) else {
            return;
        };
        record.pending = record.pending.saturating_sub(1);
        if record.pending > 0 || record.is_answered {
            return;
        }
        let record = self.batches.remove(&request.key);
        for (number, epoch) in record.into_iter().flat_map(|record| record.leases) {
            self.take_back(number, epoch);
        }
        self.advance(now);
        self.serve(now, &queue);
    }

    fn take_back(&mut self, number: u64, epoch: u32) {
        let message = self.messages.get(&number);
        let state = message.filter(|message| message.epoch == epoch);
        let Some(State::Leased { was_given_back, .. }) = state.map(|message| message.state) else {
            return;
        };
        if let Some(mut message) = self.unlink(number) {
            message.epoch -= 1;
            message.is_given_back = was_given_back;
            self.make_ready(number, message);
        }
    }

    /// Gives what is ready to those who wait, in the order in which they came.
    pub(super) fn serve(&mut self, now: Instant, queue: &QueueName) {
        while let Some(waiter) = self.next_waiter(queue) {
            let Some(request) = self.waiting.request(waiter).cloned() else {
                return self.remove_waiter(queue, waiter);
            };
            let mut batch = self.lease_batch(now, &request);
            let same: Vec<WaiterId> = self.waiting.of_key(&request.key).collect();
            if let Some(record) = self.batches.get_mut(&request.key) {
                record.pending = same.len();
            }
            // Attempts of one receive that wait at once get one batch.
            for waiter in same {
                self.remove_waiter(queue, waiter);
                self.waiting.serve(waiter, batch.clone());
                batch.is_replayed = true;
            }
        }
    }

    /// Leases as many of the ready messages as are asked for and fit one reply, but at least one, and
    /// remembers them.
    fn lease_batch(&mut self, now: Instant, request: &ReceiveRequest) -> Batch {
        let queue = request.queue();
        let (mut deliveries, mut leases) = (Vec::new(), Vec::new());
        let (mut meta, mut bytes) = (empty_reply_len(), 0);
        let mut chosen = Vec::new();
        for number in self.ready(&queue).take(usize::from(request.max)) {
            let Some(message) = self.messages.get(&number) else {
                continue;
            };
            let epoch = message.epoch + 1;
            let Some(delivery) = self.delivery(&request.owner, number, epoch) else {
                continue;
            };
            // With the comma before it.
            let len = json_len(&delivery.message) + usize::from(!chosen.is_empty());
            bytes += delivery.body.len();
            meta += len;
            if !chosen.is_empty() && (bytes > MAX_BODY || meta > MAX_META) {
                break;
            }
            chosen.push(number);
            deliveries.push(delivery);
            leases.push((number, epoch));
        }
        let until = now + self.visibility(request.visibility_ms);
        for number in chosen {
            self.lease(number, until);
        }
        let parameters = (queue, request.max, request.visibility_ms);
        self.batches.insert(&request.key, parameters, leases, until);
        Batch {
            is_replayed: false,
            deliveries,
        }
    }

    fn lease(&mut self, number: u64, until: Instant) {
        if let Some(mut message) = self.unlink(number) {
            self.counts.redeliveries += u64::from(message.attempt() > 0);
            message.epoch += 1;
            message.state = State::Leased {
                until,
                was_given_back: message.is_given_back,
            };
            message.is_given_back = false;
            self.link(number, message);
        }
    }

    pub(super) fn visibility(&self, millis: u32) -> Duration {
        let factor = match self.defect {
            Some(Defect::TenfoldVisibility) => 10,
            _ => 1,
        };
        Duration::from_millis(u64::from(millis) * factor)
    }

    /// A message as its receiver gets it, under a lease of this epoch.
    fn delivery(&self, owner: &Owner, number: u64, epoch: u32) -> Option<Delivery> {
        let message = self.messages.get(&number)?;
        let content = &message.content;
        let id = self.id(number);
        let topic = &message.queue.topic;
        Some(Delivery {
            message: ReceivedMessage {
                id,
                lease: self.seals.lease(owner, topic, shown(number), epoch),
                attempt: epoch - message.first_epoch,
                attrs: content.attributes.clone(),
                // At most one envelope.
                len: u32::try_from(content.body.len()).unwrap_or(u32::MAX),
                address: content.address,
                sent_at_ms: content.sent_at_ms,
                dead: message.dead,
            },
            body: content.body.clone(),
        })
    }

    /// The batch that is known under the request's key.
    fn replay(&mut self, request: &ReceiveRequest) -> Result<Option<Batch>, Refusal> {
        let key = &request.key;
        let waiting = self.waiting.of_key(key).next();
        if let Some(same) = waiting.and_then(|waiter| self.waiting.request(waiter)) {
            if !request.is_same(&same.topic, same.max, same.visibility_ms) {
                return Err(Refusal::Mismatch);
            }
        }
        let Some(record) = self.batches.get(key) else {
            return Ok(None);
        };
        let Some(remaining) = self.remaining(&record.leases) else {
            self.batches.remove(key);
            return Ok(None);
        };
        if !request.is_same(&record.queue.topic, record.max, record.visibility_ms) {
            return Err(Refusal::Mismatch);
        }
        let deliveries = remaining.into_iter();
        let deliveries = deliveries
            .filter_map(|(number, epoch)| self.delivery(&request.owner, number, epoch))
            .collect();
        if let Some(record) = self.batches.get_mut(key) {
            record.is_answered = true;
        }
        Ok(Some(Batch {
            is_replayed: true,
            deliveries,
        }))
    }

    /// Which of these leases count still; without those that were spent. `None` where the message of one is,
    /// or was, visible to others.
    fn remaining(&self, leases: &[(u64, u32)]) -> Option<Vec<(u64, u32)>> {
        let mut remaining = Vec::new();
        for &(number, epoch) in leases {
            if self.spent.get(number, epoch).is_some() {
                continue;
            }
            match self.messages.get(&number) {
                Some(message) if message.epoch == epoch && is_leased(message.state) => {
                    remaining.push((number, epoch));
                }
                Some(_) => return None,
                None if self.spent.has_newer(number, epoch) => return None,
                // Its time was over.
                None => {}
            }
        }
        Some(remaining)
    }

    /// Forgets batches of which a message has become visible to others; those that are kept for longer end
    /// later.
    pub(super) fn forget_batches(&mut self, now: Instant) {
        while let Some(key) = self.batches.ended(now) {
            let record = self.batches.get(&key);
            let leases = record.and_then(|record| self.remaining(&record.leases));
            let end = |(number, _)| match self.messages.get(&number)?.state {
                State::Leased { until, .. } => Some(until),
                _ => None,
            };
            match leases.and_then(|leases| leases.into_iter().filter_map(end).min()) {
                Some(ends) if ends > now => self.batches.prolong(&key, ends),
                _ => drop(self.batches.remove(&key)),
            }
        }
    }
}

fn is_leased(state: State) -> bool {
    matches!(state, State::Leased { .. })
}

/// The length of a reply without messages.
fn empty_reply_len() -> usize {
    json_len(&MailboxReceiveReply {
        executed: Executed::No,
        // The longer word.
        replayed: false,
        messages: Vec::new(),
    })
}

/// How many bytes a document has.
fn json_len(document: &impl serde::Serialize) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail.
    let _ = serde_json::to_writer(&mut count, document);
    count.0
}
