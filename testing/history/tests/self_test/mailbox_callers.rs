//! `MailboxCallers`: producers and consumers, careful ones and careless ones.

use crate::mailbox_protocol::{message_id, topic, Delivered, Reply, Request};
use crate::mailbox_service::Mailbox;
use crate::simulation::{Callers, End, Next, MILLISECOND, SECOND};
use fastrand::Rng;
use ron_history::mailbox::{LeaseAction, ReceiveMessages, Received, SendMessage, Sent, UseLease};
use ron_history::{Fingerprint, Pending, Recorder};
use std::collections::VecDeque;
use std::time::Duration;

pub(crate) const PRODUCERS: usize = 8;
pub(crate) const CONSUMERS: usize = 24;
const TOPICS: usize = 3;
const VISIBILITY: u64 = 1_000 * MILLISECOND;
/// How long consumers go on when the producers have stopped.
const DRAIN: u64 = 30 * SECOND;

pub(crate) struct MailboxCallers {
    recorder: Recorder,
    producers: Vec<Producer>,
    consumers: Vec<Consumer>,
    /// How many calls there are to be, without those of the drain.
    operations: usize,
    calls: usize,
    keys: u64,
    receives: u64,
    drained_at: Option<u64>,
}

#[derive(Default)]
struct Producer {
    pending: Option<Pending<SendMessage>>,
    last: Option<Request>,
    /// What is sent once more.
    again: Option<Request>,
}

#[derive(Default)]
struct Consumer {
    receiving: Option<Pending<ReceiveMessages>>,
    using: Option<Pending<UseLease>>,
    held: VecDeque<Delivered>,
    last: Option<Request>,
    /// The receive that is repeated.
    again: Option<Request>,
    is_repeating: bool,
}

impl MailboxCallers {
    pub(crate) fn new(recorder: Recorder, operations: usize) -> Self {
        Self {
            recorder,
            producers: (0..PRODUCERS).map(|_| Producer::default()).collect(),
            consumers: (0..CONSUMERS).map(|_| Consumer::default()).collect(),
            operations,
            calls: 0,
            keys: 0,
            receives: 0,
            drained_at: None,
        }
    }

    fn produce(&mut self, caller: usize, random: &mut Rng) -> Next<Request> {
        if self.calls >= self.operations {
            return Next::Stop;
        }
        let producer = &mut self.producers[caller];
        if producer.again.is_none() && random.u32(0..3) > 0 {
            return Next::Wait(random.u64(0..60 * MILLISECOND));
        }
        let request = producer.again.take().unwrap_or_else(|| {
            self.keys += 1;
            Request::Send {
                topic: random.usize(0..TOPICS),
                key: Fingerprint::of(format!("key {}", self.keys)),
                body: Fingerprint::of(format!("body {}", self.keys)),
            }
        });
        if let Request::Send {
            topic: number,
            key,
            body,
        } = request
        {
            producer.pending = Some(self.recorder.invoke(SendMessage {
                topic: topic(number),
                key: Some(key),
                body,
            }));
        }
        producer.last = Some(request.clone());
        self.calls += 1;
        Next::Call {
            request,
            patience: 0,
        }
    }

    fn consume(&mut self, caller: usize, now: u64, random: &mut Rng) -> Next<Request> {
        let is_draining = self.calls >= self.operations;
        if is_draining {
            let begun = *self.drained_at.get_or_insert(now);
            if begun + DRAIN <= now {
                return Next::Stop;
            }
        }
        let consumer = &mut self.consumers[caller];
        self.calls += usize::from(!is_draining);
        if let Some(request) = consumer.again.take() {
            return receive(&self.recorder, consumer, request);
        }
        let Some(delivered) = consumer.held.pop_front() else {
            self.receives += 1;
            let request = Request::Receive {
                topic: random.usize(0..TOPICS),
                receive_id: Fingerprint::of(format!("receive {}", self.receives)),
                visibility: VISIBILITY,
                max: random.usize(1..=8),
                wait: [0, SECOND][random.usize(0..2)],
            };
            return receive(&self.recorder, consumer, request);
        };
        // Some messages nobody can deal with.
        let is_poison = delivered.message % 50 == 0;
        let choice = if is_poison {
            random.u32(0..20)
        } else {
            random.u32(0..100)
        };
        let milliseconds = |random: &mut Rng, most| Duration::from_millis(random.u64(0..most));
        let action = match choice {
            // A consumer that dies.
            0..=3 => return Next::Wait(MILLISECOND),
            // One that takes too long.
            4..=7 => {
                consumer.held.push_front(delivered);
                return Next::Wait(random.u64(0..2 * VISIBILITY));
            }
            8..=14 => LeaseAction::Nack {
                delay: milliseconds(random, 400),
            },
            15..=19 => {
                consumer.held.push_back(delivered.clone());
                LeaseAction::Extend {
                    visibility: milliseconds(random, 2_000),
                }
            }
            _ => LeaseAction::Ack,
        };
        let (message, epoch) = (delivered.message, delivered.epoch);
        consumer.using = Some(self.recorder.invoke(UseLease {
            message: message_id(message),
            lease: lease(message, epoch),
            action,
        }));
        let request = Request::Use {
            message,
            epoch,
            action,
        };
        // Now and then somebody does it twice.
        if random.u32(0..30) == 0 {
            consumer.held.push_back(delivered);
        }
        Next::Call {
            request,
            patience: 0,
        }
    }
}

fn receive(recorder: &Recorder, consumer: &mut Consumer, request: Request) -> Next<Request> {
    let mut patience = 0;
    if let Request::Receive {
        topic: number,
        receive_id,
        visibility,
        max,
        wait,
    } = request
    {
        patience = wait;
        consumer.receiving = Some(recorder.invoke(ReceiveMessages {
            topic: topic(number),
            receive_id: Some(receive_id),
            visibility: Duration::from_nanos(visibility),
            max: max as u32,
        }));
    }
    consumer.last = Some(request.clone());
    Next::Call { request, patience }
}

fn lease(message: usize, epoch: u32) -> Fingerprint {
    Fingerprint::of(format!("{message} {epoch}"))
}

impl Callers<Mailbox> for MailboxCallers {
    fn next(&mut self, caller: usize, now: u64, random: &mut Rng) -> Next<Request> {
        if caller < PRODUCERS {
            self.produce(caller, random)
        } else {
            self.consume(caller - PRODUCERS, now, random)
        }
    }

    fn ended(&mut self, caller: usize, end: End<Reply>, random: &mut Rng) {
        if caller < PRODUCERS {
            let producer = &mut self.producers[caller];
            let pending = producer.pending.take().unwrap();
            // Most try again what they do not know of, and some what they do.
            let again = match end {
                End::Replied(Reply::Sent { message, replayed }) => {
                    let message = message_id(message);
                    pending.ok(Sent { message, replayed });
                    random.u32(0..50) == 0
                }
                End::NotSent => {
                    pending.failed();
                    false
                }
                _ => {
                    pending.unknown();
                    random.u32(0..10) < 6
                }
            };
            producer.again = producer.last.take().filter(|_| again);
            return;
        }
        let consumer = &mut self.consumers[caller - PRODUCERS];
        if let Some(pending) = consumer.using.take() {
            match end {
                End::Replied(Reply::Used(answer)) => pending.ok(answer),
                End::NotSent => pending.failed(),
                _ => pending.unknown(),
            }
            return;
        }
        let pending = consumer.receiving.take().unwrap();
        let was_repeating = std::mem::take(&mut consumer.is_repeating);
        let again = match end {
            End::Replied(Reply::Batch(batch)) => {
                let received = |one: &Delivered| Received {
                    message: message_id(one.message),
                    lease: lease(one.message, one.epoch),
                    attempt: one.attempt,
                    body: one.body,
                };
                pending.ok(batch.iter().map(received).collect());
                if !was_repeating || consumer.held.is_empty() {
                    consumer.held.extend(batch);
                }
                random.u32(0..12) == 0
            }
            End::NotSent => {
                pending.failed();
                false
            }
            _ => {
                pending.unknown();
                random.u32(0..10) < 7
            }
        };
        consumer.again = consumer.last.take().filter(|_| again);
        consumer.is_repeating = again;
    }
}
