//! Every rule of the mailbox, in time that passes when it is told to.

#![allow(clippy::unwrap_used)]

use super::limits::MailboxLimits;
use super::message::{Incoming, QueueName};
use super::queues::{Queues, Refusal};
use super::receive::{Batch, Delivery, ReceiveRequest, Received};
use super::waiting::WaiterId;
use crate::defect::{Defect, EVERY_NTH_SEND, REMEMBERED_WITH_DEFECT};
use crate::idempotency::{OperationKey, Owner};
use bytes::Bytes;
use ron_app_sdk::mailbox::{DeadLetter, DeadReason, Token};
use ron_app_sdk::oap::{Executed, MailboxReceiveReply, MAX_BODY, MAX_META};
use ron_app_sdk::{AddrB3, Attributes, IdemKey, Lease, Topic};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const STALE: Result<bool, Refusal> = Err(Refusal::Stale);
const DONE: Result<bool, Refusal> = Ok(false);
const REPLAYED: Result<bool, Refusal> = Ok(true);

/// A mailbox, a time, and short ways to use both. Leases are for 30 s where nothing else is said.
pub(super) struct Desk {
    pub(super) queues: Queues,
    pub(super) now: Instant,
    receives: u64,
}

pub(super) fn owner(subject: &str) -> Owner {
    Owner {
        tenant_id: 1,
        subject: Arc::from(subject),
    }
}

fn topic(text: &str) -> Topic {
    Topic::new(text).unwrap()
}

fn incoming(body: impl Into<Bytes>) -> Incoming {
    let body = body.into();
    Incoming {
        address: AddrB3::of(&body),
        body,
        attributes: Attributes::default(),
        sent_at_ms: 1_793_500_000_000,
    }
}

pub(super) fn request(subject: &str, from: &str, max: u16, id: &str) -> ReceiveRequest {
    let owner = owner(subject);
    ReceiveRequest {
        key: OperationKey::new(owner.clone(), "mailbox.receive", &IdemKey::new(id).unwrap()),
        owner,
        topic: topic(from),
        max,
        visibility_ms: 30_000,
    }
}

/// The lease of a delivery from this topic.
pub(super) fn lease(from: &str, delivery: &Delivery) -> Lease {
    let message = &delivery.message;
    Lease::new(topic(from), message.id.clone(), message.lease.clone())
}

pub(super) fn bodies(batch: &Batch) -> Vec<&str> {
    let texts = batch.deliveries.iter();
    texts
        .map(|delivery| std::str::from_utf8(&delivery.body).unwrap())
        .collect()
}

impl Desk {
    pub(super) fn new(limits: MailboxLimits) -> Self {
        Self::with(limits, None)
    }

    fn with(limits: MailboxLimits, defect: Option<Defect>) -> Self {
        Self {
            queues: Queues::new(limits, defect).unwrap(),
            now: Instant::now(),
            receives: 0,
        }
    }

    fn open() -> Self {
        Self::new(MailboxLimits::default())
    }

    fn defective(defect: Defect) -> Self {
        Self::with(MailboxLimits::default(), Some(defect))
    }

    fn try_send(&mut self, to: &str, content: Incoming) -> Result<Token, Refusal> {
        let queue = QueueName {
            tenant_id: 1,
            topic: topic(to),
        };
        self.queues.send(self.now, queue, content)
    }

    pub(super) fn send(&mut self, to: &str, body: &str) -> Token {
        self.try_send(to, incoming(body.to_owned())).unwrap()
    }

    fn ask(&mut self, request: ReceiveRequest) -> Result<Batch, Refusal> {
        match self.queues.receive(self.now, request, false)? {
            Received::Batch(batch) => Ok(batch),
            Received::Waits(_) => unreachable!(),
        }
    }

    /// Receives under a new `receive_id`.
    pub(super) fn receive(&mut self, subject: &str, from: &str, max: u16) -> Batch {
        self.receives += 1;
        let id = format!("desk{}", self.receives);
        self.ask(request(subject, from, max, &id)).unwrap()
    }

    /// Receives the only message for alice, for 30 s.
    fn receive_one(&mut self, from: &str) -> Delivery {
        let batch = self.receive("alice", from, 64);
        assert_eq!(batch.deliveries.len(), 1);
        batch.deliveries.into_iter().next().unwrap()
    }

    fn is_empty(&mut self, from: &str) -> bool {
        self.receive("alice", from, 64).deliveries.is_empty()
    }

    fn wait(&mut self, request: ReceiveRequest) -> WaiterId {
        match self.queues.receive(self.now, request, true).unwrap() {
            Received::Waits(waiter) => waiter,
            Received::Batch(batch) => panic!("{batch:?}"),
        }
    }

    pub(super) fn ack(&mut self, lease: &Lease) -> Result<bool, Refusal> {
        self.queues.ack(self.now, &owner("alice"), lease)
    }

    pub(super) fn nack(&mut self, lease: &Lease, delay: Duration) -> Result<bool, Refusal> {
        self.queues.nack(self.now, &owner("alice"), lease, delay)
    }

    fn extend(&mut self, lease: &Lease, visibility_ms: u32) -> Result<bool, Refusal> {
        let alice = owner("alice");
        self.queues.extend(self.now, &alice, lease, visibility_ms)
    }

    /// Lets time pass and everything happen that is due.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.queues.advance(self.now);
    }

    /// Nothing is kept but what is remembered of the past.
    pub(super) fn assert_idle(&self) {
        assert_eq!(self.queues.len(), 0);
        assert_eq!(self.queues.bytes(), 0);
        assert_eq!(self.queues.topics(), 0);
        assert_eq!(self.queues.next_event(), None);
        assert!(self.queues.waiting.is_empty());
    }
}

#[test]
fn messages_come_in_their_order_once_and_end_with_their_acknowledgement() {
    let mut desk = Desk::open();
    let id = desk.send("orders", "1");
    desk.send("orders", "2");
    desk.send("other", "3");
    let batch = desk.receive("alice", "orders", 64);
    assert_eq!(bodies(&batch), ["1", "2"]);
    assert!(!batch.is_replayed);
    let message = &batch.deliveries[0].message;
    assert_eq!((&message.id, message.attempt, message.len), (&id, 1, 1));
    assert_eq!(message.address, AddrB3::of(b"1"));
    assert_eq!(
        (message.sent_at_ms, message.dead),
        (1_793_500_000_000, None)
    );
    assert!(desk.is_empty("orders"));
    for delivery in &batch.deliveries {
        assert_eq!(desk.ack(&lease("orders", delivery)), DONE);
        assert_eq!(desk.ack(&lease("orders", delivery)), REPLAYED);
    }
    let other = desk.receive_one("other");
    desk.ack(&lease("other", &other)).unwrap();
    desk.assert_idle();
}

#[test]
fn a_topic_is_its_tenants() {
    let mut desk = Desk::open();
    desk.send("orders", "1");
    let mut elsewhere = request("alice", "orders", 1, "r");
    elsewhere.owner.tenant_id = 2;
    assert!(desk.ask(elsewhere).unwrap().deliveries.is_empty());
    desk.receive_one("orders");
}

#[test]
fn what_is_not_acknowledged_comes_again_before_what_was_sent_later() {
    let mut desk = Desk::open();
    desk.send("orders", "1");
    let first = desk.receive_one("orders");
    desk.send("orders", "2");
    desk.pass(30 * SECOND - Duration::from_nanos(1));
    assert_eq!(bodies(&desk.receive("bob", "orders", 1)), ["2"]);
    desk.send("orders", "3");
    desk.pass(Duration::from_nanos(1));
    let again = desk.receive("alice", "orders", 64);
    assert_eq!(bodies(&again), ["1", "3"]);
    let message = &again.deliveries[0].message;
    assert_eq!((message.attempt, &message.id), (2, &first.message.id));
    assert_ne!(message.lease, first.message.lease);
}

#[test]
fn a_lease_counts_until_its_message_is_delivered_again() {
    let mut desk = Desk::open();
    desk.send("orders", "1");
    let first = desk.receive_one("orders");
    // Its visibility is over, and nobody else has the message.
    desk.pass(31 * SECOND);
    assert_eq!(desk.ack(&lease("orders", &first)), DONE);
    assert!(desk.is_empty("orders"));

    desk.send("orders", "2");
    let first = desk.receive_one("orders");
    desk.pass(31 * SECOND);
    let second = desk.receive_one("orders");
    let stale = lease("orders", &first);
    assert_eq!(desk.ack(&stale), STALE);
    assert_eq!(desk.nack(&stale, Duration::ZERO), STALE);
    assert_eq!(desk.extend(&stale, 60_000), STALE);
    // None of them has done anything to the message.
    desk.pass(29 * SECOND);
    assert!(desk.is_empty("orders"));
    assert_eq!(desk.ack(&lease("orders", &second)), DONE);
    // It is known that this lease was overtaken.
    assert_eq!(desk.ack(&stale), STALE);
}

#[test]
fn what_is_given_back_comes_again_after_its_delay() {
    let mut desk = Desk::open();
    desk.send("orders", "1");
    let first = lease("orders", &desk.receive_one("orders"));
    assert_eq!(desk.nack(&first, 10 * SECOND), DONE);
    assert!(desk.is_empty("orders"));
    // It is spent: by a nack, so that a nack can be repeated and nothing else done.
    assert_eq!(desk.ack(&first), STALE);
    assert_eq!(desk.extend(&first, 60_000), STALE);
    assert_eq!(desk.nack(&first, Duration::ZERO), REPLAYED);
    assert!(desk.is_empty("orders"));
    desk.pass(10 * SECOND);
    let second = desk.receive_one("orders");
    assert_eq!(second.message.attempt, 2);
    assert_eq!(desk.nack(&first, Duration::ZERO), REPLAYED);
    assert!(desk.is_empty("orders"));

    // Without a delay it comes at once.
    let second = lease("orders", &second);
    assert_eq!(desk.nack(&second, Duration::ZERO), DONE);
    let third = lease("orders", &desk.receive_one("orders"));
    assert_eq!(desk.ack(&third), DONE);
    assert_eq!(desk.nack(&third, Duration::ZERO), STALE);
    assert_eq!(desk.ack(&second), STALE);
}

#[test]
fn what_is_extended_is_kept_under_the_same_lease_from_then_on() {
    let mut desk = Desk::open();
    desk.send("orders", "1");
    let kept = lease("orders", &desk.receive_one("orders"));
    desk.pass(29 * SECOND);
    assert_eq!(desk.extend(&kept, 60_000), DONE);
    assert_eq!(desk.extend(&kept, 60_000), DONE);
    desk.pass(59 * SECOND);
    assert!(desk.is_empty("orders"));
    // Also shorter than it was.
    assert_eq!(desk.extend(&kept, 250), DONE);
    desk.pass(Duration::from_millis(250));
    // And also where it had run out, as long as nobody else has it.
    assert_eq!(desk.extend(&kept, 5000), DONE);
    assert!(desk.is_empty("orders"));
    desk.pass(5 * SECOND);
    assert_eq!(desk.receive_one("orders").message.attempt, 2);
    assert_eq!(desk.extend(&kept, 5000), STALE);
}

#[test]
fn a_lease_of_another_message_topic_subject_or_tenant_does_nothing() {
    let mut desk = Desk::open();
    desk.send("orders", "1");
    let one = desk.receive_one("orders").message;
    desk.send("orders", "2");
    let two = desk.receive_one("orders").message;
    let swapped = Lease::new(topic("orders"), two.id, one.lease.clone());
    let elsewhere = Lease::new(topic("other"), one.id.clone(), one.lease.clone());
    let unknown = Lease::new(
        topic("orders"),
        Token::new("17").unwrap(),
        one.lease.clone(),
    );
    for bad in [&swapped, &elsewhere, &unknown] {
        assert_eq!(desk.ack(bad), STALE);
        assert_eq!(desk.nack(bad, Duration::ZERO), STALE);
        assert_eq!(desk.extend(bad, 60_000), STALE);
    }
    let good = Lease::new(topic("orders"), one.id, one.lease);
    let mut other_tenant = owner("alice");
    other_tenant.tenant_id = 2;
    for bad in [owner("bob"), other_tenant] {
        assert_eq!(desk.queues.ack(desk.now, &bad, &good), STALE);
    }
    assert_eq!(desk.ack(&good), DONE);
}

#[test]
fn a_message_that_was_delivered_too_often_is_among_the_dead_letters_once() {
    let limits = MailboxLimits {
        max_deliveries: 3,
        ..MailboxLimits::default()
    };
    for last_is_given_back in [false, true] {
        let mut desk = Desk::new(limits);
        let id = desk.send("orders", "1");
        for attempt in 1..=2 {
            assert_eq!(desk.receive_one("orders").message.attempt, attempt);
            desk.pass(30 * SECOND);
        }
        let last = lease("orders", &desk.receive_one("orders"));
        assert!(desk.is_empty("orders.dead"));
        if last_is_given_back {
            assert_eq!(desk.nack(&last, 60 * SECOND), DONE);
        } else {
            desk.pass(30 * SECOND);
        }
        assert!(desk.is_empty("orders"));
        // Its count begins anew, without a limit; what it is does not change.
        for attempt in 1..=20 {
            let dead = desk.receive_one("orders.dead");
            assert_eq!((&dead.message.id, dead.message.attempt), (&id, attempt));
            let reason = DeadLetter::new(DeadReason::TooManyDeliveries, 3);
            assert_eq!(dead.message.dead, Some(reason));
            assert!(desk.is_empty("orders.dead"));
            desk.pass(30 * SECOND);
        }
        assert_eq!(desk.ack(&last), STALE);
        let replay = if last_is_given_back { REPLAYED } else { STALE };
        assert_eq!(desk.nack(&last, Duration::ZERO), replay);
        let dead = lease("orders.dead", &desk.receive_one("orders.dead"));
        assert_eq!(desk.ack(&dead), DONE);
        assert_eq!(desk.queues.counts.dead_letters, 1);
        desk.assert_idle();
    }
}

#[test]
fn a_message_and_a_dead_letter_live_for_their_time() {
    let limits = MailboxLimits {
        max_deliveries: 1,
        ..MailboxLimits::default()
    };
    let mut desk = Desk::new(limits);
    desk.send("orders", "unread");
    desk.pass(6 * DAY);
    desk.send("orders", "leased");
    desk.pass(DAY - SECOND);
    assert_eq!(desk.queues.len(), 2);
    desk.pass(SECOND);
    let leased = lease("orders", &desk.receive_one("orders"));
    desk.pass(30 * SECOND);
    // It has died 30 s ago, and lives for 14 days from there.
    desk.pass(14 * DAY - SECOND);
    assert_eq!(desk.queues.len(), 1);
    assert_eq!(desk.ack(&leased), STALE);
    desk.pass(SECOND);
    assert_eq!(desk.queues.counts.expired, 2);
    // Gone: an acknowledgement has nothing left to do, and a nack cannot do anything.
    assert_eq!(desk.ack(&leased), REPLAYED);
    assert_eq!(desk.nack(&leased, Duration::ZERO), STALE);
    desk.assert_idle();
}

#[test]
fn a_clock_that_jumps_lets_everything_happen_at_its_time() {
    let limits = MailboxLimits {
        max_deliveries: 1,
        ..MailboxLimits::default()
    };
    let mut desk = Desk::new(limits);
    desk.send("orders", "1");
    desk.receive_one("orders");
    // The lease ran out after 30 s, and the dead letter's time counts from there.
    desk.pass(14 * DAY + 29 * SECOND);
    assert_eq!(desk.queues.len(), 1);
    desk.pass(SECOND);
    assert_eq!(desk.queues.len(), 0);
}

#[test]
fn a_repeated_receive_gets_the_same_batch_while_nobody_else_can_see_it() {
    let mut desk = Desk::open();
    for body in ["1", "2", "3", "4"] {
        desk.send("orders", body);
    }
    let ask = |desk: &mut Desk| desk.ask(request("alice", "orders", 3, "r"));
    let first = ask(&mut desk).unwrap();
    assert_eq!(bodies(&first), ["1", "2", "3"]);
    let replayed = |deliveries: &[Delivery]| Batch {
        is_replayed: true,
        deliveries: deliveries.to_vec(),
    };
    assert_eq!(ask(&mut desk).unwrap(), replayed(&first.deliveries));
    // Another subject's id of the same name is another one.
    let bobs = desk.ask(request("bob", "orders", 3, "r")).unwrap();
    assert_eq!((bodies(&bobs), bobs.is_replayed), (vec!["4"], false));

    // What was settled meanwhile is left out.
    desk.ack(&lease("orders", &first.deliveries[0])).unwrap();
    desk.nack(&lease("orders", &first.deliveries[1]), Duration::ZERO)
        .unwrap();
    let rest = replayed(&first.deliveries[2..]);
    assert_eq!(ask(&mut desk).unwrap(), rest);
    desk.receive("bob", "orders", 1);
    assert_eq!(ask(&mut desk).unwrap(), rest);
    desk.pass(30 * SECOND - Duration::from_nanos(1));
    assert_eq!(ask(&mut desk).unwrap(), rest);
    desk.pass(Duration::from_nanos(1));
    let new = ask(&mut desk).unwrap();
    assert!(!new.is_replayed);
    assert_eq!(new.deliveries[0].message.attempt, 3);
}

#[test]
fn a_batch_ends_when_the_first_of_its_messages_does_and_not_before() {
    let mut desk = Desk::open();
    desk.send("orders", "1");
    desk.send("orders", "2");
    let ask = |desk: &mut Desk| desk.ask(request("alice", "orders", 2, "r")).unwrap();
    let first = ask(&mut desk);
    for delivery in &first.deliveries {
        desk.extend(&lease("orders", delivery), 60_000).unwrap();
    }
    desk.pass(59 * SECOND);
    assert_eq!(ask(&mut desk).deliveries, first.deliveries);
    desk.extend(&lease("orders", &first.deliveries[0]), 60_000)
        .unwrap();
    desk.pass(SECOND);
    let new = ask(&mut desk);
    assert_eq!((bodies(&new), new.is_replayed), (vec!["2"], false));

    // One of which nothing is left ends with its visibility.
    desk.ack(&lease("orders", &new.deliveries[0])).unwrap();
    desk.send("orders", "3");
    let nothing = ask(&mut desk);
    assert!(nothing.is_replayed && nothing.deliveries.is_empty());
    desk.pass(30 * SECOND);
    assert_eq!(bodies(&ask(&mut desk)), ["3"]);
}

#[test]
fn a_receive_id_is_for_one_receive() {
    let mut desk = Desk::open();
    desk.send("orders", "1");
    let first = request("alice", "orders", 2, "r");
    desk.ask(first.clone()).unwrap();
    let mut longer = first.clone();
    longer.visibility_ms += 1;
    for other in [
        request("alice", "other", 2, "r"),
        request("alice", "orders", 1, "r"),
        longer,
    ] {
        assert_eq!(desk.ask(other), Err(Refusal::Mismatch));
    }
    desk.pass(30 * SECOND);
    let other = request("alice", "other", 2, "r");
    assert!(desk.ask(other).unwrap().deliveries.is_empty());
    // Where nothing was leased there is nothing to repeat.
    let again = desk.ask(first).unwrap();
    assert_eq!((bodies(&again), again.is_replayed), (vec!["1"], false));
}

#[test]
fn a_batch_fits_one_reply() {
    let meta_len = |batch: &Batch| {
        let messages = batch.deliveries.iter();
        let reply = MailboxReceiveReply {
            executed: Executed::No,
            replayed: false,
            messages: messages.map(|delivery| delivery.message.clone()).collect(),
        };
        serde_json::to_vec(&reply).unwrap().len()
    };
    let mut desk = Desk::open();
    for _ in 0..70 {
        desk.send("small", "");
    }
    assert_eq!(desk.receive("alice", "small", 64).deliveries.len(), 64);
    assert_eq!(desk.receive("alice", "small", 2).deliveries.len(), 2);

    // Exactly one envelope of bodies, and one byte more.
    for (first, second, count) in [
        (MAX_BODY - 3, 3, 2),
        (MAX_BODY - 3, 4, 1),
        (MAX_BODY, 0, 2),
        (MAX_BODY, 1, 1),
    ] {
        let to = format!("large{first}-{second}");
        for len in [first, second] {
            desk.try_send(&to, incoming(vec![7; len])).unwrap();
        }
        let batch = desk.receive("alice", &to, 64);
        assert_eq!(batch.deliveries.len(), count, "{first} {second}");
    }

    // Metas that fill their limit to the last byte, and one byte more: found by trying all lengths.
    let mut longest = 0;
    for padding in 0..300 {
        let to = format!("wide{padding}");
        for number in 0..4 {
            let mut content = incoming(number.to_string());
            for name in ["a", "b", "c", "d"] {
                let value = "\"".repeat(if name == "d" { padding } else { 560 });
                content.attributes.insert(name, value).unwrap();
            }
            desk.try_send(&to, content).unwrap();
        }
        let batch = desk.receive("alice", &to, 64);
        let len = meta_len(&batch);
        assert!(len <= MAX_META, "{padding}: {len}");
        longest = longest.max(len);
        let mut more = batch.clone();
        if let [next] = &desk.receive("alice", &to, 1).deliveries[..] {
            more.deliveries.push(next.clone());
            assert!(meta_len(&more) > MAX_META, "{padding}: there was room");
        }
    }
    assert!(longest > MAX_META - 8, "{longest}");
}

#[test]
fn those_who_wait_are_served_in_their_order_and_one_message_goes_to_one_of_them() {
    let mut desk = Desk::open();
    let first = desk.wait(request("alice", "orders", 1, "r1"));
    let second = desk.wait(request("bob", "orders", 9, "r2"));
    let third = desk.wait(request("alice", "orders", 9, "r3"));
    assert_eq!(desk.queues.waiting.len(), 3);
    desk.send("orders", "1");
    assert_eq!(desk.queues.waiting.take_woken(), [first]);
    assert_eq!(desk.queues.collect(second), None);
    let one = desk.queues.collect(first).unwrap();
    assert_eq!((bodies(&one), one.is_replayed), (vec!["1"], false));
    assert_eq!(desk.queues.collect(first), None);

    // A message that is given back, and one whose lease runs out, wake them too.
    desk.nack(&lease("orders", &one.deliveries[0]), 5 * SECOND)
        .unwrap();
    assert!(desk.queues.waiting.take_woken().is_empty());
    desk.pass(5 * SECOND);
    assert_eq!(desk.queues.waiting.take_woken(), [second]);
    assert_eq!(bodies(&desk.queues.collect(second).unwrap()), ["1"]);
    desk.pass(30 * SECOND);
    assert_eq!(desk.queues.waiting.take_woken(), [third]);
    let again = desk.queues.collect(third).unwrap();
    assert_eq!(again.deliveries[0].message.attempt, 3);
}

#[test]
fn a_dead_letter_wakes_who_waits_for_it() {
    let limits = MailboxLimits {
        max_deliveries: 1,
        ..MailboxLimits::default()
    };
    let mut desk = Desk::new(limits);
    let waiter = desk.wait(request("alice", "orders.dead", 1, "r"));
    desk.send("orders", "1");
    desk.receive_one("orders");
    desk.pass(30 * SECOND);
    assert_eq!(bodies(&desk.queues.collect(waiter).unwrap()), ["1"]);
}

#[test]
fn a_receiver_that_goes_has_leased_nothing() {
    let mut desk = Desk::open();
    let gone = desk.wait(request("alice", "orders", 1, "r1"));
    desk.queues.leave(desk.now, gone);
    desk.send("orders", "1");
    let first = desk.receive_one("orders");
    desk.pass(30 * SECOND);
    desk.ack(&lease("orders", &first)).unwrap();

    // Also where it was served and had not looked: the next one gets the message as if nothing had been.
    desk.send("orders", "2");
    let given = lease("orders", &desk.receive_one("orders"));
    let served = desk.wait(request("bob", "orders", 1, "r2"));
    let next = desk.wait(request("bob", "orders", 1, "r3"));
    desk.pass(30 * SECOND);
    assert_eq!(desk.queues.waiting.take_woken(), [served]);
    assert_eq!(desk.ack(&given), STALE);
    desk.queues.leave(desk.now, served);
    let batch = desk.queues.collect(next).unwrap();
    assert_eq!(batch.deliveries[0].message.attempt, 2);
    desk.queues.leave(desk.now, next);

    // Nobody has seen the second delivery: the lease before it counts as it did.
    desk.send("other", "3");
    let given = lease("other", &desk.receive_one("other"));
    let served = desk.wait(request("bob", "other", 1, "r4"));
    desk.pass(30 * SECOND);
    desk.queues.leave(desk.now, served);
    assert_eq!(desk.ack(&given), DONE);
    // And one that was given back does not.
    desk.send("other", "4");
    let given = lease("other", &desk.receive_one("other"));
    desk.nack(&given, SECOND).unwrap();
    let served = desk.wait(request("bob", "other", 1, "r5"));
    desk.pass(SECOND);
    desk.queues.leave(desk.now, served);
    assert_eq!(desk.ack(&given), STALE);
    assert_eq!(desk.receive_one("other").message.attempt, 2);
    assert!(desk.queues.waiting.is_empty());
}

#[test]
fn attempts_of_one_receive_that_wait_at_once_get_one_batch() {
    let mut desk = Desk::open();
    let ask = || request("alice", "orders", 1, "r");
    let (first, second) = (desk.wait(ask()), desk.wait(ask()));
    let other = desk
        .queues
        .receive(desk.now, request("alice", "orders", 2, "r"), true);
    assert_eq!(other.err(), Some(Refusal::Mismatch));
    desk.send("orders", "1");
    desk.send("orders", "2");
    // One of them goes; the other has what it was given.
    desk.queues.leave(desk.now, first);
    let batch = desk.queues.collect(second).unwrap();
    assert_eq!((bodies(&batch), batch.is_replayed), (vec!["1"], true));
    let again = desk.ask(ask()).unwrap();
    assert_eq!(again.deliveries, batch.deliveries);
    assert_eq!(bodies(&desk.receive("bob", "orders", 9)), ["2"]);

    // Both go: nobody has it.
    let ask = || request("alice", "other", 1, "s");
    let (first, second) = (desk.wait(ask()), desk.wait(ask()));
    desk.send("other", "3");
    desk.queues.leave(desk.now, second);
    desk.queues.leave(desk.now, first);
    assert_eq!(desk.receive_one("other").message.attempt, 1);
}

#[test]
fn what_is_kept_is_bounded() {
    let limits = MailboxLimits {
        max_messages: 3,
        max_bytes: 10,
        max_topics: 2,
        max_batches: 2,
        max_spent_leases: 1,
        max_waiting: 1,
        ..MailboxLimits::default()
    };
    let mut desk = Desk::new(limits);
    let full = Err(Refusal::Full);
    let mut with_attribute = incoming("1234567");
    with_attribute.attributes.insert("ab", "cd").unwrap();
    assert_eq!(desk.try_send("a", with_attribute), full.clone());
    desk.send("a", "1234567");
    desk.send("b", "8");
    assert_eq!(desk.try_send("c", incoming("9")), full.clone());
    assert_eq!(desk.try_send("a", incoming("9abc")), full.clone());
    desk.send("a", "9a");
    assert_eq!(desk.try_send("a", incoming("")), full);

    // Of the batches that are remembered the one that ends first makes room.
    for id in ["r1", "r2", "r3"] {
        let from = if id == "r2" { "b" } else { "a" };
        desk.pass(SECOND);
        assert_eq!(
            desk.ask(request("alice", from, 1, id))
                .unwrap()
                .deliveries
                .len(),
            1
        );
    }
    assert_eq!(desk.queues.batches.len(), 2);
    assert!(
        !desk
            .ask(request("alice", "a", 1, "r1"))
            .unwrap()
            .is_replayed
    );
    let two = desk.ask(request("alice", "b", 1, "r2")).unwrap();
    let three = desk.ask(request("alice", "a", 1, "r3")).unwrap();
    assert!(two.is_replayed && three.is_replayed);

    // Of the spent leases the oldest: what was acknowledged is gone, and that is a success all the same.
    let (two, three) = (
        lease("b", &two.deliveries[0]),
        lease("a", &three.deliveries[0]),
    );
    assert_eq!(desk.ack(&two), DONE);
    assert_eq!(desk.nack(&three, Duration::ZERO), DONE);
    assert_eq!(desk.queues.spent.len(), 1);
    assert_eq!(desk.ack(&two), REPLAYED);
    assert_eq!(desk.nack(&three, Duration::ZERO), REPLAYED);

    // There is room again for a topic, and for one who waits.
    desk.send("c", "1");
    desk.wait(request("bob", "d", 1, "r4"));
    let one_more = desk
        .queues
        .receive(desk.now, request("bob", "d", 1, "r5"), true);
    assert_eq!(one_more.err(), Some(Refusal::Busy));
}

#[test]
fn what_is_remembered_of_the_past_ends() {
    let mut desk = Desk::open();
    desk.send("orders", "1");
    let delivery = desk.receive_one("orders");
    desk.ack(&lease("orders", &delivery)).unwrap();
    assert_eq!((desk.queues.batches.len(), desk.queues.spent.len()), (1, 1));
    desk.pass(30 * SECOND);
    assert_eq!(desk.queues.batches.len(), 0);
    desk.pass(DAY);
    assert_eq!(desk.queues.spent.len(), 0);
    assert_eq!(desk.ack(&lease("orders", &delivery)), REPLAYED);
}

#[test]
fn each_defect_breaks_what_it_says() {
    let mut desk = Desk::defective(Defect::UnfencedAck);
    desk.send("orders", "1");
    let first = lease("orders", &desk.receive_one("orders"));
    desk.pass(30 * SECOND);
    desk.receive_one("orders");
    assert_eq!(desk.ack(&first), DONE);
    desk.assert_idle();

    let mut desk = Desk::defective(Defect::TenfoldVisibility);
    desk.send("orders", "1");
    desk.receive_one("orders");
    desk.pass(299 * SECOND);
    assert!(desk.is_empty("orders"));
    desk.pass(SECOND);
    desk.receive_one("orders");

    let mut desk = Desk::defective(Defect::DeadLetterTwice);
    let id = desk.send("orders", "1");
    for _ in 0..16 {
        desk.receive_one("orders");
        desk.pass(30 * SECOND);
    }
    let twice = desk.receive("alice", "orders.dead", 64);
    assert_eq!(bodies(&twice), ["1", "1"]);
    for delivery in &twice.deliveries {
        assert_eq!((&delivery.message.id, delivery.message.attempt), (&id, 1));
        assert_eq!(desk.ack(&lease("orders.dead", delivery)), DONE);
    }
    desk.assert_idle();

    for (defect, messages) in [
        (Defect::InventedMessage, EVERY_NTH_SEND + 1),
        (Defect::LostMessage, EVERY_NTH_SEND - 1),
    ] {
        let mut desk = Desk::defective(defect);
        for _ in 0..EVERY_NTH_SEND {
            desk.send("orders", "1");
        }
        assert_eq!(desk.queues.len() as u64, messages);
    }

    let mut desk = Desk::defective(Defect::EarlyEviction);
    let mut first = None;
    for _ in 0..=REMEMBERED_WITH_DEFECT {
        desk.send("orders", "1");
        let given = lease("orders", &desk.receive("alice", "orders", 1).deliveries[0]);
        assert_eq!(desk.nack(&given, DAY), DONE);
        first = first.or(Some(given));
    }
    assert_eq!(desk.nack(&first.unwrap(), DAY), STALE);
}
