//! Random histories, against a mailbox that is too simple to be wrong: a list that is searched from its
//! beginning.

#![allow(clippy::unwrap_used)]

use super::limits::MailboxLimits;
use super::message::QueueName;
use super::queues::Refusal;
use super::receive::{Batch, Received};
use super::tests::{bodies, lease, owner, request, Desk};
use super::waiting::WaiterId;
use proptest::prelude::*;
use ron_app_sdk::{Lease, Topic};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const VISIBILITY: Duration = Duration::from_secs(30);
const MAX_DELIVERIES: u32 = 3;
const RETENTION: Duration = Duration::from_secs(300);
const DEAD_RETENTION: Duration = Duration::from_secs(600);

/// What is done next; numbers select among what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Receive {
        is_dead: bool,
        max: u16,
    },
    /// A receive comes again under its id.
    Repeat(u8),
    Ack(u8),
    Nack {
        lease: u8,
        delay: u64,
    },
    Extend {
        lease: u8,
        seconds: u32,
    },
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Send),
        4 => (any::<bool>(), 1..4u16).prop_map(|(is_dead, max)| Step::Receive { is_dead, max }),
        2 => any::<u8>().prop_map(Step::Repeat),
        2 => any::<u8>().prop_map(Step::Ack),
        2 => (any::<u8>(), 0..40u64).prop_map(|(lease, delay)| Step::Nack { lease, delay }),
        1 => (any::<u8>(), 1..60u32).prop_map(|(lease, seconds)| Step::Extend { lease, seconds }),
        3 => (0..40u64).prop_map(Step::Pass),
        1 => (0..400u64).prop_map(Step::Pass),
    ]
}

/// A message of the model: one line in a list.
struct Line {
    body: usize,
    order: usize,
    is_dead: bool,
    attempt: u32,
    /// When it can be received.
    visible: Instant,
    expires: Instant,
    /// The lease that counts.
    held_by: Option<usize>,
}

struct Given {
    lease: Lease,
    body: usize,
    spent: Option<Spent>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spent {
    Ack,
    Nack,
}

struct Receive {
    id: String,
    is_dead: bool,
    max: u16,
    leases: Vec<usize>,
    is_over: bool,
}

/// What a receiver is to get of a message: its body, its attempt.
type Expected = Vec<(usize, u32)>;

struct Model {
    now: Instant,
    lines: Vec<Line>,
    given: Vec<Given>,
    receives: Vec<Receive>,
    orders: usize,
    sent: usize,
}

fn name(is_dead: bool) -> &'static str {
    if is_dead {
        "orders.dead"
    } else {
        "orders"
    }
}

impl Model {
    fn send(&mut self) -> usize {
        self.sent += 1;
        self.orders += 1;
        self.lines.push(Line {
            body: self.sent,
            order: self.orders,
            is_dead: false,
            attempt: 0,
            visible: self.now,
            expires: self.now + RETENTION,
            held_by: None,
        });
        self.sent
    }

    /// Everything that has happened by itself until now, one thing after the other.
    fn pass(&mut self, time: Duration) {
        let (before, now) = (self.now, self.now + time);
        self.now = now;
        let is_over = |line: &Line, at: Instant| {
            at > before && at <= now && (at == line.expires || line.held_by.is_some())
        };
        loop {
            let events = self
                .lines
                .iter()
                .map(|line| (line.visible.min(line.expires), line.body));
            let event = events
                .zip(&self.lines)
                .filter(|((at, _), line)| {
                    is_over(line, *at) && is_pending(line, &self.receives, *at)
                })
                .map(|(event, _)| event)
                .min();
            let Some((at, body)) = event else {
                break;
            };
            let index = self
                .lines
                .iter()
                .position(|line| line.body == body)
                .unwrap();
            if self.lines[index].expires <= at {
                self.lines.remove(index);
                continue;
            }
            let lapsed = self.lines[index].held_by;
            let of_lapsed = |receive: &&mut Receive| {
                lapsed.is_some_and(|lease| receive.leases.contains(&lease))
            };
            self.receives
                .iter_mut()
                .filter(of_lapsed)
                .for_each(|receive| receive.is_over = true);
            if !self.lines[index].is_dead && self.lines[index].attempt == MAX_DELIVERIES {
                self.bury(index, at);
            }
        }
        self.lines.retain(|line| line.expires > now);
    }

    fn bury(&mut self, index: usize, at: Instant) {
        self.orders += 1;
        let line = &mut self.lines[index];
        line.is_dead = true;
        line.attempt = 0;
        line.held_by = None;
        line.order = self.orders;
        line.visible = at;
        line.expires = at + DEAD_RETENTION;
    }

    fn receive(&mut self, is_dead: bool, max: u16) -> Expected {
        let mut visible: Vec<_> = self
            .lines
            .iter_mut()
            .filter(|line| line.is_dead == is_dead && line.visible <= self.now)
            .collect();
        visible.sort_by_key(|line| line.order);
        visible.truncate(max.into());
        for line in &mut visible {
            line.attempt += 1;
            line.visible = self.now + VISIBILITY;
        }
        visible
            .iter()
            .map(|line| (line.body, line.attempt))
            .collect()
    }

    /// Notes what was received.
    fn take(&mut self, id: String, is_dead: bool, max: u16, batch: &Batch) {
        let mut leases = Vec::new();
        for (body, delivery) in bodies(batch).iter().zip(&batch.deliveries) {
            let body: usize = body.parse().unwrap();
            let index = self.given.len();
            let line = self
                .lines
                .iter_mut()
                .find(|line| line.body == body)
                .unwrap();
            line.held_by = Some(index);
            leases.push(index);
            self.given.push(Given {
                lease: lease(name(is_dead), delivery),
                body,
                spent: None,
            });
        }
        self.receives.retain(|receive| receive.id != id);
        if !leases.is_empty() {
            self.receives.push(Receive {
                id,
                is_dead,
                max,
                leases,
                is_over: false,
            });
        }
    }

    fn holder(&mut self, lease: usize) -> Option<&mut Line> {
        self.lines
            .iter_mut()
            .find(|line| line.held_by == Some(lease))
    }

    fn ack(&mut self, lease: usize) -> Result<bool, Refusal> {
        if self.holder(lease).is_some() {
            self.lines.retain(|line| line.held_by != Some(lease));
            self.given[lease].spent = Some(Spent::Ack);
            return Ok(false);
        }
        let Given { body, spent, .. } = self.given[lease];
        let is_there = self.lines.iter().any(|line| line.body == body);
        let mut newer = self.given[lease + 1..].iter();
        let is_overtaken = newer.any(|given| given.body == body && given.spent.is_some());
        match spent {
            Some(Spent::Ack) => Ok(true),
            Some(Spent::Nack) => Err(Refusal::Stale),
            None if is_there || is_overtaken => Err(Refusal::Stale),
            None => Ok(true),
        }
    }

    fn nack(&mut self, lease: usize, delay: Duration) -> Result<bool, Refusal> {
        let now = self.now;
        let Some(line) = self.holder(lease) else {
            return match self.given[lease].spent {
                Some(Spent::Nack) => Ok(true),
                _ => Err(Refusal::Stale),
            };
        };
        line.held_by = None;
        line.visible = now + delay;
        let is_last = !line.is_dead && line.attempt == MAX_DELIVERIES;
        let body = line.body;
        self.given[lease].spent = Some(Spent::Nack);
        if is_last {
            let index = self.lines.iter().position(|line| line.body == body);
            self.bury(index.unwrap(), now);
        }
        Ok(false)
    }

    fn extend(&mut self, lease: usize, time: Duration) -> Result<bool, Refusal> {
        let now = self.now;
        let line = self.holder(lease).ok_or(Refusal::Stale)?;
        line.visible = line.visible.max(now + time);
        Ok(false)
    }

    /// What a receive that comes again is to get; `None` where nothing of it is left to compare, or where a
    /// message was visible to others and is not any more, which the mailbox may or may not have noticed.
    fn repeat(&mut self, receive: usize) -> Option<(Expected, bool)> {
        let Receive {
            is_dead,
            max,
            is_over,
            ..
        } = self.receives[receive];
        let leases = self.receives[receive].leases.clone();
        if leases.iter().any(|lease| self.is_lost(*lease)) {
            return Some((self.receive(is_dead, max), false));
        }
        let held = leases.into_iter().filter_map(|lease| {
            let line = self.holder(lease)?;
            Some((line.body, line.attempt))
        });
        let held: Expected = held.collect();
        (!held.is_empty() && !is_over).then_some((held, true))
    }

    /// Whether a message can be had, or has been had, by somebody else, though the lease was not spent.
    fn is_lost(&self, lease: usize) -> bool {
        let Given { body, spent, .. } = self.given[lease];
        if spent.is_some() {
            return false;
        }
        match self.lines.iter().find(|line| line.body == body) {
            Some(line) => line.held_by != Some(lease) || line.visible <= self.now,
            None => {
                let mut newer = self.given[lease + 1..].iter();
                newer.any(|given| given.body == body && given.spent.is_some())
            }
        }
    }
}

/// Whether a lease that ran out has not been dealt with yet.
fn is_pending(line: &Line, receives: &[Receive], at: Instant) -> bool {
    if line.expires <= at {
        return true;
    }
    let is_last = !line.is_dead && line.attempt == MAX_DELIVERIES;
    let mut receives = receives.iter();
    let has_receive = line.held_by.is_some_and(|lease| {
        receives.any(|receive| !receive.is_over && receive.leases.contains(&lease))
    });
    is_last || has_receive
}

fn limits() -> MailboxLimits {
    MailboxLimits {
        max_deliveries: MAX_DELIVERIES,
        retention: RETENTION,
        dead_retention: DEAD_RETENTION,
        spent_window: Duration::from_secs(1 << 20),
        ..MailboxLimits::default()
    }
}

fn summary(batch: &Batch) -> Expected {
    let attempts = batch
        .deliveries
        .iter()
        .map(|delivery| delivery.message.attempt);
    let texts = bodies(batch);
    let numbers = texts.iter().map(|text| text.parse().unwrap());
    numbers.zip(attempts).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_history_is_one_of_the_simple_mailbox(steps in prop::collection::vec(step(), 1..120)) {
        let mut desk = Desk::new(limits());
        let mut model = Model {
            now: desk.now,
            lines: Vec::new(),
            given: Vec::new(),
            receives: Vec::new(),
            orders: 0,
            sent: 0,
        };
        let seconds = |seconds| Duration::from_secs(seconds);
        let pick = |at: u8, len: usize| (len > 0).then(|| usize::from(at) % len);
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Send => {
                    let body = model.send();
                    desk.send("orders", &body.to_string());
                }
                Step::Receive { is_dead, max } => {
                    let id = format!("r{number}");
                    let ask = request("alice", name(is_dead), max, &id);
                    let Ok(Received::Batch(batch)) = desk.queues.receive(desk.now, ask, false) else {
                        panic!();
                    };
                    prop_assert_eq!(summary(&batch), model.receive(is_dead, max));
                    prop_assert!(!batch.is_replayed);
                    model.take(id, is_dead, max, &batch);
                }
                Step::Repeat(at) => {
                    let Some(at) = pick(at, model.receives.len()) else { continue };
                    let Some((expected, is_replayed)) = model.repeat(at) else { continue };
                    let Receive { id, is_dead, max, .. } = &model.receives[at];
                    let (id, is_dead, max) = (id.clone(), *is_dead, *max);
                    let ask = request("alice", name(is_dead), max, &id);
                    let Ok(Received::Batch(batch)) = desk.queues.receive(desk.now, ask, false) else {
                        panic!();
                    };
                    prop_assert_eq!((summary(&batch), batch.is_replayed), (expected, is_replayed));
                    if !is_replayed {
                        model.take(id, is_dead, max, &batch);
                    }
                }
                Step::Ack(at) => {
                    let Some(at) = pick(at, model.given.len()) else { continue };
                    let lease = model.given[at].lease.clone();
                    prop_assert_eq!(desk.ack(&lease), model.ack(at));
                }
                Step::Nack { lease: at, delay } => {
                    let Some(at) = pick(at, model.given.len()) else { continue };
                    let lease = model.given[at].lease.clone();
                    let delay = seconds(delay);
                    prop_assert_eq!(desk.nack(&lease, delay), model.nack(at, delay));
                }
                Step::Extend { lease: at, seconds: time } => {
                    let Some(at) = pick(at, model.given.len()) else { continue };
                    let lease = model.given[at].lease.clone();
                    let extended = desk.queues.extend(desk.now, &owner("alice"), &lease, 1000 * time);
                    prop_assert_eq!(extended, model.extend(at, seconds(time.into())));
                }
                Step::Pass(time) => {
                    desk.pass(seconds(time));
                    model.pass(seconds(time));
                }
            }
            prop_assert_eq!(desk.queues.len(), model.lines.len());
        }
        desk.pass(RETENTION + VISIBILITY + DEAD_RETENTION + seconds(60));
        desk.assert_idle();
    }
}

/// A step of receivers who wait; numbers select among those.
#[derive(Clone, Copy, Debug)]
enum Crowd {
    Send(bool),
    Wait {
        topic: bool,
        max: u16,
    },
    Look(u8),
    Leave(u8),
    /// Everybody looks, and then the leases run out.
    Pass,
}

fn crowd() -> impl Strategy<Value = Crowd> {
    prop_oneof![
        3 => any::<bool>().prop_map(Crowd::Send),
        4 => (any::<bool>(), 1..3u16).prop_map(|(topic, max)| Crowd::Wait { topic, max }),
        2 => any::<u8>().prop_map(Crowd::Look),
        2 => any::<u8>().prop_map(Crowd::Leave),
        1 => Just(Crowd::Pass),
    ]
}

struct Room {
    desk: Desk,
    waiting: Vec<WaiterId>,
    /// How often each message was received by somebody.
    deliveries: HashMap<String, u32>,
}

impl Room {
    fn look(&mut self, waiter: WaiterId) -> Result<(), TestCaseError> {
        if let Some(batch) = self.desk.queues.collect(waiter) {
            self.waiting.retain(|other| *other != waiter);
            self.count(&batch)?;
        }
        Ok(())
    }

    /// Who left without looking has left no trace in the count of a message's deliveries.
    fn count(&mut self, batch: &Batch) -> Result<(), TestCaseError> {
        for (body, delivery) in bodies(batch).iter().zip(&batch.deliveries) {
            let count = self.deliveries.entry((*body).to_owned()).or_default();
            *count += 1;
            prop_assert_eq!(delivery.message.attempt, *count, "{}", body);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn whoever_comes_and_goes_each_message_is_with_one_receiver(
        steps in prop::collection::vec(crowd(), 1..100),
    ) {
        let limits = MailboxLimits { max_deliveries: u32::MAX, ..MailboxLimits::default() };
        let mut room = Room {
            desk: Desk::new(limits),
            waiting: Vec::new(),
            deliveries: HashMap::new(),
        };
        let name = |topic: bool| if topic { "a" } else { "b" };
        let mut sent = 0;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Crowd::Send(topic) => {
                    sent += 1;
                    room.desk.send(name(topic), &number.to_string());
                }
                Crowd::Wait { topic, max } => {
                    let ask = request("alice", name(topic), max, &format!("r{number}"));
                    let now = room.desk.now;
                    match room.desk.queues.receive(now, ask, true).unwrap() {
                        Received::Waits(waiter) => room.waiting.push(waiter),
                        Received::Batch(batch) => room.count(&batch)?,
                    }
                }
                Crowd::Look(_) | Crowd::Leave(_) if room.waiting.is_empty() => {}
                Crowd::Look(at) => {
                    let waiter = room.waiting[usize::from(at) % room.waiting.len()];
                    room.look(waiter)?;
                }
                Crowd::Leave(at) => {
                    let at = usize::from(at) % room.waiting.len();
                    let waiter = room.waiting.swap_remove(at);
                    let now = room.desk.now;
                    room.desk.queues.leave(now, waiter);
                }
                Crowd::Pass => {
                    for waiter in room.waiting.clone() {
                        room.look(waiter)?;
                    }
                    room.desk.pass(VISIBILITY);
                }
            }
            for topic in [true, false] {
                let queue = QueueName { tenant_id: 1, topic: Topic::new(name(topic)).unwrap() };
                prop_assert_eq!(room.desk.queues.next_waiter(&queue), None, "somebody was left out");
            }
            prop_assert_eq!(room.desk.queues.len(), sent);
        }
        for waiter in std::mem::take(&mut room.waiting) {
            let now = room.desk.now;
            room.desk.queues.leave(now, waiter);
        }
        prop_assert!(room.desk.queues.waiting.is_empty());
        room.desk.pass(VISIBILITY);
        for topic in ["a", "b"] {
            let batch = room.desk.receive("bob", topic, 64);
            room.count(&batch)?;
        }
    }
}
