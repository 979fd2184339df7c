//! All queues of a gateway: no I/O, and no clock.
//!
//! A message is ready, delayed or leased, until it is acknowledged or its time is over. Whatever changes it
//! takes it out of everything that knows it and puts it back changed, so that nothing else has to keep the
//! queue, the timeline and the sums together. Every operation costs the logarithm of what is kept, and of
//! each event of the timeline the same once.

use super::batches::Batches;
use super::limits::MailboxLimits;
use super::message::{Incoming, QueueName, State, Stored};
use super::seals::Seals;
use super::spent::SpentLeases;
use super::waiting::{WaiterId, Waiting};
use crate::defect::{Defect, EVERY_NTH_SEND, REMEMBERED_WITH_DEFECT};
use bytes::Bytes;
use ron_app_sdk::mailbox::{DeadLetter, DeadReason, Token};
use ron_app_sdk::{AddrB3, Attributes};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::time::Instant;

/// What sets the second copy of a dead letter apart, with [`Defect::DeadLetterTwice`]: a bit of its number,
/// and the epoch that its leases begin with.
const TWIN: u64 = 1 << 63;
const TWIN_EPOCH: u32 = 1 << 31;

/// All queues, with their messages, leases and waiting receivers.
pub(super) struct Queues {
    pub(super) limits: MailboxLimits,
    pub(super) defect: Option<Defect>,
    pub(super) seals: Seals,
    pub(super) messages: HashMap<u64, Stored>,
    queues: HashMap<QueueName, Queue>,
    /// When something happens to each message by itself.
    timeline: BTreeSet<(Instant, u64)>,
    pub(super) batches: Batches,
    pub(super) spent: SpentLeases,
    pub(super) waiting: Waiting,
    /// The last number that was given to a message, or to a place in a queue.
    last_number: u64,
    sends: u64,
    bytes: u64,
    pub(super) counts: Counts,
}

/// Messages of one topic, and who waits for more: never both somebody who waits and a message that is ready.
#[derive(Default)]
struct Queue {
    /// By their place.
    ready: BTreeMap<u64, u64>,
    messages: usize,
    waiters: BTreeSet<WaiterId>,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) redeliveries: u64,
    pub(super) dead_letters: u64,
    pub(super) expired: u64,
}

/// Why a message is not taken or not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no room for another message or topic.
    Full,
    /// The lease does not count, or not any more.
    Stale,
    /// The `receive_id` came with another receive.
    Mismatch,
    /// Too many wait.
    Busy,
}

impl Queues {
    /// None yet.
    ///
    /// # Errors
    /// Where the operating system has no randomness to give.
    pub(super) fn new(limits: MailboxLimits, defect: Option<Defect>) -> io::Result<Self> {
        let max_spent = match defect {
            Some(Defect::EarlyEviction) => REMEMBERED_WITH_DEFECT,
            _ => limits.max_spent_leases,
        };
        Ok(Self {
            limits,
            defect,
            seals: Seals::random()?,
            messages: HashMap::new(),
            queues: HashMap::new(),
            timeline: BTreeSet::new(),
            batches: Batches::new(limits.max_batches),
            spent: SpentLeases::new(limits.spent_window, max_spent),
            waiting: Waiting::default(),
            last_number: 0,
            sends: 0,
            bytes: 0,
            counts: Counts::default(),
        })
    }

    /// Takes a message and returns its id.
    pub(super) fn send(
        &mut self,
        now: Instant,
        queue: QueueName,
        content: Incoming,
    ) -> Result<Token, Refusal> {
        self.advance(now);
        let is_full = self.messages.len() >= self.limits.max_messages
            || content.bytes() > self.limits.max_bytes.saturating_sub(self.bytes);
        let is_one_too_many =
            !self.queues.contains_key(&queue) && self.queues.len() >= self.limits.max_topics;
        if is_full || is_one_too_many {
            return Err(Refusal::Full);
        }
        self.sends += 1;
        let is_nth = self.sends % EVERY_NTH_SEND == 0;
        let number = self.next_number();
        if is_nth && self.defect == Some(Defect::LostMessage) {
            return Ok(self.seals.id(number));
        }
        let expires = now + self.limits.retention;
        if is_nth && self.defect == Some(Defect::InventedMessage) {
            let invented = invented(content.sent_at_ms);
            let number = self.next_number();
            self.link(
                number,
                Stored::new(queue.clone(), number, invented, expires),
            );
        }
        self.link(number, Stored::new(queue.clone(), number, content, expires));
        self.serve(now, &queue);
        Ok(self.seals.id(number))
    }

    /// Lets everything happen that is due.
    pub(super) fn advance(&mut self, now: Instant) {
        let mut touched = BTreeSet::new();
        while let Some(&(at, number)) = self.timeline.first() {
            if at > now {
                break;
            }
            self.timeline.pop_first();
            if let Some(message) = self.unlink(number) {
                touched.insert(self.fall_due(at, number, message));
            }
        }
        // Only now, so that a receiver gets the oldest of all that has come back.
        for queue in touched {
            self.serve(now, &queue);
        }
        self.spent.forget_expired(now);
        self.forget_batches(now);
    }

    /// When something happens next by itself.
    pub(super) fn next_event(&self) -> Option<Instant> {
        self.timeline.first().map(|(at, _)| *at)
    }

    /// A message's time has come; returns the queue that it is in now, or was.
    fn fall_due(&mut self, at: Instant, number: u64, message: Stored) -> QueueName {
        if message.expires <= at {
            self.counts.expired += 1;
            return message.queue;
        }
        match message.state {
            State::Leased { .. } => self.give_up_lease(at, number, message, None),
            State::Ready | State::Delayed(_) => self.make_ready(number, message),
        }
    }

    /// The newest lease has run out, or is given back. The message comes again, at once or at a time, or is
    /// given up where it came often enough. Returns the queue that it is in now.
    pub(super) fn give_up_lease(
        &mut self,
        now: Instant,
        number: u64,
        mut message: Stored,
        again: Option<Instant>,
    ) -> QueueName {
        if message.dead.is_none() && message.attempt() >= self.limits.max_deliveries {
            return self.bury(now, number, message);
        }
        match again {
            Some(at) => {
                message.state = State::Delayed(at);
                let queue = message.queue.clone();
                self.link(number, message);
                queue
            }
            None => self.make_ready(number, message),
        }
    }

    pub(super) fn make_ready(&mut self, number: u64, mut message: Stored) -> QueueName {
        message.state = State::Ready;
        let queue = message.queue.clone();
        self.link(number, message);
        queue
    }

    /// Moves a message to its topic's dead letters.
    fn bury(&mut self, now: Instant, number: u64, message: Stored) -> QueueName {
        // Nobody could send to a topic that cannot have any.
        let Ok(topic) = message.queue.topic.dead_letters() else {
            return self.make_ready(number, message);
        };
        let deliveries = message.attempt();
        let dead = Stored {
            queue: QueueName {
                topic,
                ..message.queue
            },
            order: self.next_number(),
            expires: now + self.limits.dead_retention,
            first_epoch: message.epoch,
            is_given_back: true,
            dead: Some(DeadLetter::new(DeadReason::TooManyDeliveries, deliveries)),
            ..message
        };
        self.counts.dead_letters += 1;
        if self.defect == Some(Defect::DeadLetterTwice) {
            let twin = Stored {
                queue: dead.queue.clone(),
                order: self.next_number(),
                content: Incoming {
                    body: dead.content.body.clone(),
                    attributes: dead.content.attributes.clone(),
                    ..dead.content
                },
                epoch: TWIN_EPOCH,
                first_epoch: TWIN_EPOCH,
                ..dead
            };
            self.make_ready(number | TWIN, twin);
        }
        self.make_ready(number, dead)
    }

    /// The number of the message that a lease is for.
    pub(super) fn holder(&self, number: u64, epoch: u32) -> u64 {
        if epoch > TWIN_EPOCH {
            number | TWIN
        } else {
            number
        }
    }

    /// The id by which receivers know a message.
    pub(super) fn id(&self, number: u64) -> Token {
        self.seals.id(shown(number))
    }

    /// Takes a message out of everything that knows it.
    pub(super) fn unlink(&mut self, number: u64) -> Option<Stored> {
        let message = self.messages.remove(&number)?;
        self.bytes -= message.bytes();
        self.timeline.remove(&(message.next_event(), number));
        if let Some(queue) = self.queues.get_mut(&message.queue) {
            queue.ready.remove(&message.order);
            queue.messages -= 1;
        }
        self.forget_if_idle(&message.queue);
        Some(message)
    }

    /// Puts a message where it belongs.
    pub(super) fn link(&mut self, number: u64, message: Stored) {
        self.bytes += message.bytes();
        self.timeline.insert((message.next_event(), number));
        let queue = self.queues.entry(message.queue.clone()).or_default();
        queue.messages += 1;
        if message.state == State::Ready {
            queue.ready.insert(message.order, number);
        }
        self.messages.insert(number, message);
    }

    /// The messages of a queue that are ready, the first one first.
    pub(super) fn ready(&self, queue: &QueueName) -> impl Iterator<Item = u64> + '_ {
        let queue = self.queues.get(queue).into_iter();
        queue.flat_map(|queue| queue.ready.values().copied())
    }

    /// Who has waited for a message of this queue for longest, where there is one.
    pub(super) fn next_waiter(&self, queue: &QueueName) -> Option<WaiterId> {
        let queue = self.queues.get(queue)?;
        queue
            .waiters
            .first()
            .copied()
            .filter(|_| !queue.ready.is_empty())
    }

    pub(super) fn add_waiter(&mut self, queue: &QueueName, waiter: WaiterId) {
        let queue = self.queues.entry(queue.clone()).or_default();
        queue.waiters.insert(waiter);
    }

    pub(super) fn remove_waiter(&mut self, queue: &QueueName, waiter: WaiterId) {
        if let Some(entry) = self.queues.get_mut(queue) {
            entry.waiters.remove(&waiter);
        }
        self.forget_if_idle(queue);
    }

    fn forget_if_idle(&mut self, name: &QueueName) {
        let queue = self.queues.get(name);
        if queue.is_some_and(|queue| queue.messages == 0 && queue.waiters.is_empty()) {
            self.queues.remove(name);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Messages at the moment.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Their bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn topics(&self) -> usize {
        self.queues.len()
    }
}

/// The number of which the id is made: a dead letter's second copy goes by the id of the first.
pub(super) fn shown(number: u64) -> u64 {
    number & !TWIN
}

fn invented(sent_at_ms: u64) -> Incoming {
    let body = Bytes::from_static(b"nobody has sent this");
    Incoming {
        address: AddrB3::of(&body),
        body,
        attributes: Attributes::default(),
        sent_at_ms,
    }
}
