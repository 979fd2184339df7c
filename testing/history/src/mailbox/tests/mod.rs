//! Small histories by hand: for each rule what breaks it, and beside it what almost does.

mod deliveries;
mod leases;
mod messages;

use super::*;
use crate::{Fingerprint, Pending, Recorder};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use MailboxRule as Rule;

const TOPIC: &str = "topic";
/// Of every receive here, in milliseconds.
const VISIBILITY: u64 = 1_000;

/// A recorder whose clock the test moves.
struct Scene {
    recorder: Recorder,
    milliseconds: Arc<AtomicU64>,
    promises: Promises,
}

impl Scene {
    fn new() -> Self {
        let milliseconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&milliseconds);
        let now = move || Duration::from_millis(clock.load(Ordering::Relaxed));
        Self {
            recorder: Recorder::with_clock(now),
            milliseconds,
            promises: Promises::default(),
        }
    }

    fn at(&self, milliseconds: u64) -> &Self {
        self.milliseconds.store(milliseconds, Ordering::Relaxed);
        self
    }

    /// The body follows from the key, the message has the same name.
    fn begin_send(&self, key: &str) -> Pending<SendMessage> {
        self.recorder.invoke(SendMessage {
            topic: TOPIC.into(),
            key: Some(Fingerprint::of(key)),
            body: body(key),
        })
    }

    fn send(&self, key: &str) -> &Self {
        self.begin_send(key).ok(sent(key));
        self
    }

    fn begin_receive(&self, receive_id: &str) -> Pending<ReceiveMessages> {
        self.recorder.invoke(ReceiveMessages {
            topic: TOPIC.into(),
            receive_id: Some(Fingerprint::of(receive_id)),
            visibility: Duration::from_millis(VISIBILITY),
            max: 10,
        })
    }

    /// `batch`: messages, each with the number of its delivery. The lease is the number.
    fn receive(&self, receive_id: &str, batch: &[(&str, u32)]) -> &Self {
        self.begin_receive(receive_id).ok(received(batch));
        self
    }

    fn begin_use(&self, message: &str, lease: u32, action: LeaseAction) -> Pending<UseLease> {
        self.recorder.invoke(UseLease {
            message: message.into(),
            lease: Fingerprint::of(lease.to_string()),
            action,
        })
    }

    fn answer(&self, message: &str, lease: u32, action: LeaseAction, answer: LeaseAnswer) -> &Self {
        self.begin_use(message, lease, action).ok(answer);
        self
    }

    fn ack(&self, message: &str, lease: u32) -> &Self {
        self.answer(message, lease, LeaseAction::Ack, LeaseAnswer::Done)
    }

    fn nack(&self, message: &str, lease: u32, milliseconds: u64) -> &Self {
        let delay = Duration::from_millis(milliseconds);
        self.answer(
            message,
            lease,
            LeaseAction::Nack { delay },
            LeaseAnswer::Done,
        )
    }

    fn extend(&self, message: &str, lease: u32, milliseconds: u64) -> &Self {
        let visibility = Duration::from_millis(milliseconds);
        let action = LeaseAction::Extend { visibility };
        self.answer(message, lease, action, LeaseAnswer::Done)
    }

    fn drained(&self, left: &[(&str, Place)]) -> &Self {
        let remnant = |(message, place): &(&str, Place)| Remnant {
            message: (*message).into(),
            topic: TOPIC.into(),
            body: body(message),
            place: place.clone(),
        };
        self.recorder.drained(left.iter().map(remnant).collect());
        self
    }

    fn report(&self) -> MailboxReport {
        check(&self.recorder.history(), &self.promises)
    }

    #[track_caller]
    fn is_right(&self) {
        let report = self.report();
        assert!(report.violations.is_empty(), "{report}");
    }

    /// One rule is broken, as often as there are texts, and the details are these.
    #[track_caller]
    fn breaks(&self, rule: Rule, details: &[&str]) {
        let report = self.report();
        assert_eq!(
            report.violations.rules().collect::<Vec<_>>(),
            [rule],
            "{report}"
        );
        let found: Vec<String> = report
            .violations
            .details()
            .iter()
            .map(|one| one.to_string())
            .collect();
        assert_eq!(found, details);
    }
}

fn body(message: &str) -> Fingerprint {
    Fingerprint::of(format!("the body of {message}"))
}

fn sent(message: &str) -> Sent {
    Sent {
        message: message.into(),
        replayed: false,
    }
}

fn received(batch: &[(&str, u32)]) -> Vec<Received> {
    let received = |(message, attempt): &(&str, u32)| Received {
        message: (*message).into(),
        lease: Fingerprint::of(attempt.to_string()),
        attempt: *attempt,
        body: body(message),
    };
    batch.iter().map(received).collect()
}

fn dead(reason: &str, deliveries: u32) -> Place {
    Place::DeadLetter {
        reason: reason.to_owned(),
        deliveries,
    }
}
