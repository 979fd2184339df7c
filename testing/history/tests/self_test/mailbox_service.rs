//! `Mailbox`: a mailbox in memory that keeps its promises, unless it is told which one to break.

use crate::mailbox_protocol::{message_id, topic, Bug, Delivered, Reply, Request};
use crate::simulation::{Answers, CallId, Service, MILLISECOND, SECOND};
use fastrand::Rng;
use ron_history::mailbox::{LeaseAction, LeaseAnswer, Place, Remnant};
use ron_history::Fingerprint;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};

pub(crate) const MAX_DELIVERIES: u32 = 4;
/// The mailbox looks for ended leases so often.
pub(crate) const TICK: u64 = 100 * MILLISECOND;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    /// Given back, until a time.
    Delayed(u64),
    Leased(u64),
    Acknowledged,
    Dead,
    Gone,
}

struct Message {
    topic: usize,
    body: Fingerprint,
    state: State,
    epoch: u32,
    /// The leases that were spent by giving the message back.
    given_back: Vec<u32>,
}

struct Parked {
    call: CallId,
    request: Request,
    until: u64,
}

struct Batch {
    leases: Vec<(usize, u32)>,
    until: u64,
}

pub(crate) struct Mailbox {
    bug: Bug,
    random: Rng,
    messages: Vec<Message>,
    /// By topic and order.
    ready: BTreeMap<(usize, i64), usize>,
    ends: BinaryHeap<Reverse<(u64, usize, u32)>>,
    records: HashMap<(usize, Fingerprint), (usize, u64)>,
    batches: HashMap<(usize, Fingerprint), Batch>,
    parked: VecDeque<Parked>,
    dead: Vec<usize>,
    extended: HashSet<CallId>,
    next_tick: u64,
    now: u64,
}

impl Mailbox {
    pub(crate) fn new(bug: Bug, seed: u64) -> Self {
        Self {
            bug,
            random: Rng::with_seed(seed),
            messages: Vec::new(),
            ready: BTreeMap::new(),
            ends: BinaryHeap::new(),
            records: HashMap::new(),
            batches: HashMap::new(),
            parked: VecDeque::new(),
            dead: Vec::new(),
            extended: HashSet::new(),
            next_tick: 0,
            now: 0,
        }
    }

    pub(crate) fn remnants(&self) -> Vec<Remnant> {
        let remnant = |number: usize, place: Place| Remnant {
            message: message_id(number),
            topic: topic(self.messages[number].topic),
            body: self.messages[number].body,
            place,
        };
        let alive = self
            .messages
            .iter()
            .enumerate()
            .filter_map(|(number, message)| {
                let place = match message.state {
                    State::Ready | State::Delayed(_) => Place::Ready,
                    State::Leased(_) => Place::Leased,
                    _ => return None,
                };
                Some(remnant(number, place))
            });
        let dead = self.dead.iter().map(|number| {
            let place = Place::DeadLetter {
                reason: "delivered too often".to_owned(),
                deliveries: self.messages[*number].epoch,
            };
            remnant(*number, place)
        });
        alive.chain(dead).collect()
    }

    fn seldom(&mut self) -> bool {
        self.random.u32(0..200) == 0
    }

    fn make_ready(&mut self, number: usize) {
        let message = &mut self.messages[number];
        message.state = State::Ready;
        let order = number as i64;
        let order = if self.bug == Bug::LastInFirstOut {
            -order
        } else {
            order
        };
        self.ready.insert((message.topic, order), number);
    }

    fn unmake_ready(&mut self, number: usize) {
        let order = number as i64;
        let topic = self.messages[number].topic;
        self.ready.remove(&(topic, order));
        self.ready.remove(&(topic, -order));
    }

    fn add(&mut self, topic: usize, body: Fingerprint) -> usize {
        let number = self.messages.len();
        self.messages.push(Message {
            topic,
            body,
            state: State::Gone,
            epoch: 0,
            given_back: Vec::new(),
        });
        if self.bug != Bug::LostBeforeDelivery || !self.seldom() {
            self.make_ready(number);
        }
        number
    }

    fn send(&mut self, topic: usize, key: Fingerprint, body: Fingerprint) -> Reply {
        let record = self.records.get(&(topic, key));
        if let Some((message, expires)) = record.copied() {
            if self.now < expires && self.bug != Bug::DeduplicationOff {
                let replayed = self.bug != Bug::ReplaysNotFlagged;
                return Reply::Sent { message, replayed };
            }
        }
        let message = self.add(topic, body);
        if self.bug != Bug::RecordAfterReply {
            self.record(topic, key, message);
        }
        if self.bug == Bug::InventedMessage && self.seldom() {
            self.add(topic, Fingerprint::of("invented"));
        }
        let replayed = false;
        Reply::Sent { message, replayed }
    }

    fn record(&mut self, topic: usize, key: Fingerprint, message: usize) {
        let lasts = if self.bug == Bug::EarlyEviction {
            50 * MILLISECOND
        } else {
            86_400 * SECOND
        };
        self.records
            .insert((topic, key), (message, self.now + lasts));
    }

    /// `None` where there is nothing.
    fn receive(&mut self, request: &Request) -> Option<Reply> {
        let Request::Receive {
            topic,
            receive_id,
            visibility,
            max,
            ..
        } = *request
        else {
            return None;
        };
        let known = self.batches.get(&(topic, receive_id));
        let known = known.filter(|known| self.now < known.until);
        if let Some(known) = known.filter(|_| self.bug != Bug::BatchNotRepeated) {
            let still = |(number, epoch): &&(usize, u32)| {
                let message = &self.messages[*number];
                matches!(message.state, State::Leased(_)) && message.epoch == *epoch
            };
            let batch = known.leases.iter().filter(still);
            return Some(Reply::Batch(
                batch.map(|(number, _)| self.delivered(*number)).collect(),
            ));
        }
        let first = self.ready.range((topic, i64::MIN)..=(topic, i64::MAX));
        let numbers: Vec<usize> = first.map(|(_, number)| *number).take(max).collect();
        if numbers.is_empty() {
            return None;
        }
        let until = self.now
            + match self.bug {
                Bug::VisibilityTimesTen => 10 * visibility,
                Bug::VisibilityTenth => visibility / 10,
                _ => visibility,
            };
        let mut leases = Vec::new();
        let mut batch = Vec::new();
        for number in numbers {
            self.unmake_ready(number);
            let message = &mut self.messages[number];
            message.epoch += 1;
            message.state = State::Leased(until);
            let epoch = message.epoch;
            self.ends.push(Reverse((until, number, epoch)));
            leases.push((number, epoch));
            let mut delivered = self.delivered(number);
            if self.bug == Bug::BodyChanged && self.seldom() {
                delivered.body = self.messages[0].body;
            }
            batch.push(delivered);
        }
        let until = self.now + visibility;
        self.batches
            .insert((topic, receive_id), Batch { leases, until });
        Some(Reply::Batch(batch))
    }

    fn delivered(&self, number: usize) -> Delivered {
        let message = &self.messages[number];
        Delivered {
            message: number,
            epoch: message.epoch,
            attempt: if self.bug == Bug::AttemptsNotCounted {
                1
            } else {
                message.epoch
            },
            body: message.body,
        }
    }

    fn use_lease(
        &mut self,
        call: CallId,
        number: usize,
        epoch: u32,
        action: LeaseAction,
    ) -> LeaseAnswer {
        let message = &self.messages[number];
        let (state, is_current) = (message.state, message.epoch == epoch);
        if state == State::Dead || state == State::Gone {
            return LeaseAnswer::NotFound;
        }
        if self.extended.contains(&call) {
            return LeaseAnswer::Done;
        }
        if matches!(action, LeaseAction::Nack { .. }) && message.given_back.contains(&epoch) {
            return LeaseAnswer::Done;
        }
        let is_unfenced = self.bug == Bug::UnfencedAck && action == LeaseAction::Ack;
        let is_accepted = is_current || (is_unfenced && state != State::Acknowledged);
        if !is_accepted {
            if self.bug == Bug::StaleAckRemoves && action == LeaseAction::Ack {
                self.unmake_ready(number);
                self.messages[number].state = State::Gone;
            }
            return LeaseAnswer::Stale;
        }
        match action {
            LeaseAction::Ack => {
                if self.bug != Bug::AcknowledgementsForgotten || !self.seldom() {
                    self.unmake_ready(number);
                    self.messages[number].state = State::Acknowledged;
                }
            }
            _ if state == State::Acknowledged => return LeaseAnswer::NotFound,
            LeaseAction::Nack { delay } => {
                self.unmake_ready(number);
                self.messages[number].given_back.push(epoch);
                let delay = match self.bug {
                    Bug::DelayOfNackIgnored => 0,
                    _ => delay.as_nanos() as u64,
                };
                let until = self.now + delay;
                self.messages[number].state = State::Delayed(until);
                self.ends.push(Reverse((until, number, epoch)));
                if delay == 0 {
                    self.end(number);
                }
            }
            LeaseAction::Extend { visibility } => {
                if !matches!(state, State::Leased(_)) {
                    return LeaseAnswer::Stale;
                }
                let until = self.now + visibility.as_nanos() as u64;
                self.messages[number].state = State::Leased(until);
                self.extended.insert(call);
                self.ends.push(Reverse((until, number, epoch)));
            }
        }
        LeaseAnswer::Done
    }

    /// A lease or a delay is over.
    fn end(&mut self, number: usize) {
        let attempts = self.messages[number].epoch;
        if attempts >= MAX_DELIVERIES && self.bug != Bug::DeliveredEndlessly {
            self.messages[number].state = State::Dead;
            self.dead.push(number);
            if self.bug == Bug::DeadLetterTwice && attempts % 2 == 0 {
                self.dead.push(number);
            }
        } else if self.bug == Bug::LostAfterDelivery && self.seldom() {
            self.messages[number].state = State::Gone;
        } else {
            self.make_ready(number);
        }
    }

    fn serve_parked(&mut self, answers: &mut Answers<Reply>) {
        for _ in 0..self.parked.len() {
            let Some(parked) = self.parked.pop_front() else {
                return;
            };
            match self.receive(&parked.request) {
                Some(reply) => answers.push((parked.call, reply)),
                None if parked.until <= self.now => {
                    answers.push((parked.call, Reply::Batch(Vec::new())));
                }
                None => self.parked.push_back(parked),
            }
        }
    }
}

impl Service for Mailbox {
    type Request = Request;
    type Reply = Reply;

    fn handle(&mut self, now: u64, call: CallId, request: &Request, answers: &mut Answers<Reply>) {
        self.now = now;
        match *request {
            Request::Send { topic, key, body } => {
                let reply = self.send(topic, key, body);
                answers.push((call, reply));
                self.serve_parked(answers);
            }
            Request::Receive { wait, .. } => match self.receive(request) {
                Some(reply) => answers.push((call, reply)),
                None if wait == 0 => answers.push((call, Reply::Batch(Vec::new()))),
                None => self.parked.push_back(Parked {
                    call,
                    request: request.clone(),
                    until: now + wait,
                }),
            },
            Request::Use {
                message,
                epoch,
                action,
            } => {
                let answer = self.use_lease(call, message, epoch, action);
                answers.push((call, Reply::Used(answer)));
                self.serve_parked(answers);
            }
        }
    }

    fn wake(&mut self, now: u64, answers: &mut Answers<Reply>) {
        self.now = now;
        self.next_tick = now + TICK;
        while let Some(Reverse((until, number, epoch))) = self.ends.peek().copied() {
            if until > now {
                break;
            }
            self.ends.pop();
            let message = &self.messages[number];
            let is_over = match message.state {
                State::Leased(end) | State::Delayed(end) => end <= now,
                _ => false,
            };
            if is_over && message.epoch == epoch {
                self.end(number);
            }
        }
        self.serve_parked(answers);
    }

    fn next(&self) -> Option<u64> {
        (!self.ends.is_empty() || !self.parked.is_empty()).then_some(self.next_tick)
    }

    fn answered(&mut self, request: &Request, reply: &Reply, is_lost: bool) {
        if let (Request::Send { topic, key, .. }, Reply::Sent { message, .. }) = (request, reply) {
            if self.bug == Bug::RecordAfterReply && !is_lost {
                self.record(*topic, *key, *message);
            }
        }
    }

    /// Messages and records are kept; leases and batches are not.
    fn restart(&mut self, now: u64) {
        self.now = now;
        self.parked.clear();
        self.batches.clear();
        for number in 0..self.messages.len() {
            if matches!(self.messages[number].state, State::Leased(_)) {
                self.end(number);
            }
        }
    }
}
