//! What senders and consumers of a mailbox do, and how they are recorded.

use crate::record_failure;
use crate::world::capability;
use bytes::Bytes;
use fastrand::Rng;
use futures_util::future::join_all;
use ron_app_sdk::mailbox::Lease;
use ron_app_sdk::{
    Capability, ErrorKind, IdemKey, Mail, Message, Receive, RonAppSdk, SdkError, Topic,
};
use ron_history::mailbox::{
    LeaseAction, LeaseAnswer, Place, ReceiveMessages, Received, Remnant, SendMessage, Sent,
    UseLease,
};
use ron_history::{Fingerprint, Recorder};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// For what everybody waits.
const LIMIT: Duration = Duration::from_secs(5);
/// A message whose body begins so is given back whenever it is received.
const POISON: u8 = 0xff;

/// Who does how much.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Calls in all, of senders and consumers.
    pub calls: u64,
    /// Tasks that send.
    pub senders: u64,
    /// Tasks that receive.
    pub consumers: u64,
    /// Topics.
    pub topics: u64,
    /// How long a consumer has a message.
    pub visibility: Duration,
    /// For how long nothing more has to come, at the end, until everything has come.
    pub patience: Duration,
    /// Of a hundred messages, how many take a consumer longer than it has them.
    pub late_percent: u8,
    /// What the random decisions follow from.
    pub seed: u64,
}

impl Load {
    /// 64 consumers of 8 topics.
    pub fn new(calls: u64, seed: u64) -> Self {
        Self {
            calls,
            senders: 16,
            consumers: 64,
            topics: 8,
            visibility: Duration::from_secs(1),
            patience: Duration::from_secs(2),
            late_percent: 1,
            seed,
        }
    }
}

struct Callers {
    sdk: RonAppSdk,
    capability: Capability,
    recorder: Recorder,
    load: Load,
    calls: AtomicU64,
    bodies: AtomicU64,
}

impl Callers {
    fn topic(&self, number: u64) -> Topic {
        Topic::new(&format!("chaos/{}", number % self.load.topics)).unwrap()
    }

    /// Whether there is another call to make.
    fn begin(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed) < self.load.calls
    }

    async fn send(&self, mail: Mail, key: &IdemKey) {
        let pending = self.recorder.invoke(SendMessage {
            topic: mail.topic.as_str().into(),
            key: Some(Fingerprint::of(key.expose())),
            body: Fingerprint::of(&mail.body),
        });
        let sent = self
            .sdk
            .mailbox_send(&self.capability, mail, LIMIT, Some(key.clone()));
        match sent.await {
            Ok(receipt) => pending.ok(Sent {
                message: receipt.id.into(),
                replayed: receipt.duplicate,
            }),
            Err(error) => record_failure(pending, &error),
        }
    }

    async fn receive(&self, receive: &Receive) -> Vec<Message> {
        let pending = self.recorder.invoke(ReceiveMessages {
            topic: receive.topic.as_str().into(),
            // Its attempts are the SDK's own matter.
            receive_id: None,
            visibility: receive.visibility,
            max: receive.max.into(),
        });
        match self
            .sdk
            .mailbox_receive(&self.capability, receive, LIMIT)
            .await
        {
            Ok(messages) => {
                pending.ok(messages.iter().map(received).collect());
                messages
            }
            // Somebody has the messages all the same, for a while.
            Err(_) => {
                pending.unknown();
                Vec::new()
            }
        }
    }

    async fn use_lease(&self, lease: &Lease, action: LeaseAction) {
        let pending = self.recorder.invoke(UseLease {
            message: lease.id().into(),
            lease: Fingerprint::of(lease.expose()),
            action,
        });
        let (sdk, capability) = (&self.sdk, &self.capability);
        let used = match action {
            LeaseAction::Ack => sdk.mailbox_ack(capability, lease, LIMIT).await,
            LeaseAction::Nack { delay } => sdk.mailbox_nack(capability, lease, delay, LIMIT).await,
            LeaseAction::Extend { visibility } => {
                sdk.mailbox_extend(capability, lease, visibility, LIMIT)
                    .await
            }
        };
        match used {
            Ok(()) => pending.ok(LeaseAnswer::Done),
            Err(error) if error.kind() == ErrorKind::StaleLease => pending.ok(LeaseAnswer::Stale),
            Err(error) => record_failure(pending, &error),
        }
    }

    /// Sends until the calls are used up; some messages twice, and some that nobody can handle.
    async fn sender(&self, number: u64) {
        let mut random = Rng::with_seed(self.load.seed ^ number);
        let mut last: Option<(Mail, IdemKey)> = None;
        while self.begin() {
            let (mail, key) = match last.take().filter(|_| random.u8(..) < 20) {
                Some(again) => again,
                None => {
                    let body = self.bodies.fetch_add(1, Ordering::Relaxed);
                    let mut bytes = vec![0; random.usize(9..200)];
                    bytes[0] = if random.u16(..1000) == 0 { POISON } else { 0 };
                    bytes[1..9].copy_from_slice(&body.to_be_bytes());
                    let mail = Mail::new(self.topic(random.u64(..)), Bytes::from(bytes));
                    (mail, IdemKey::random().unwrap())
                }
            };
            self.send(mail.clone(), &key).await;
            last = Some((mail, key));
        }
    }

    /// Receives until the calls are used up, and does about each message what consumers do.
    async fn consumer(&self, number: u64) {
        let mut random = Rng::with_seed(!self.load.seed ^ number);
        let receive = Receive {
            max: 8,
            visibility: self.load.visibility,
            wait: Duration::from_millis(200),
            ..Receive::new(self.topic(number))
        };
        while self.begin() {
            if random.u8(..) < 3 {
                // It goes away; what it was given comes again to somebody else.
                let patience = Duration::from_millis(random.u64(0..20));
                let _left = timeout(patience, self.receive(&receive)).await;
                continue;
            }
            for message in self.receive(&receive).await {
                self.handle(&message, &mut random).await;
            }
        }
    }

    async fn handle(&self, message: &Message, random: &mut Rng) {
        let lease = &message.lease;
        let does = |action| {
            self.calls.fetch_add(1, Ordering::Relaxed);
            self.use_lease(lease, action)
        };
        if message.body.first() == Some(&POISON) {
            let delay = Duration::ZERO;
            return does(LeaseAction::Nack { delay }).await;
        }
        match random.u8(..100) {
            0..=3 => {
                let delay = Duration::from_millis(random.u64(0..50));
                does(LeaseAction::Nack { delay }).await;
            }
            4..=6 => {
                let visibility = self.load.visibility;
                does(LeaseAction::Extend { visibility }).await;
                does(LeaseAction::Ack).await;
            }
            // It takes too long, and tries nevertheless.
            number if number >= 100 - self.load.late_percent => {
                tokio::time::sleep(self.load.visibility * 5 / 4).await;
                does(LeaseAction::Ack).await;
            }
            // It never comes back.
            7 => {}
            _ => does(LeaseAction::Ack).await,
        }
    }

    /// Takes what is left out of a topic, and looks at its dead letters.
    async fn drain(&self, number: u64) -> Result<Vec<Remnant>, SdkError> {
        let receive = Receive {
            max: 64,
            visibility: self.load.visibility,
            // Whatever somebody still has comes back meanwhile.
            wait: self.load.patience,
            ..Receive::new(self.topic(number))
        };
        loop {
            let messages = self.receive(&receive).await;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                if message.body.first() == Some(&POISON) {
                    let delay = Duration::ZERO;
                    self.use_lease(&message.lease, LeaseAction::Nack { delay })
                        .await;
                } else {
                    self.use_lease(&message.lease, LeaseAction::Ack).await;
                }
            }
        }
        let dead = Receive {
            topic: receive.topic.dead_letters().unwrap(),
            visibility: Duration::from_secs(3600),
            wait: Duration::ZERO,
            ..receive.clone()
        };
        let mut remnants = Vec::new();
        loop {
            let messages = self
                .sdk
                .mailbox_receive(&self.capability, &dead, LIMIT)
                .await?;
            if messages.is_empty() {
                return Ok(remnants);
            }
            remnants.extend(messages.iter().map(|message| {
                let letter = message.dead.unwrap();
                Remnant {
                    message: message.id().into(),
                    topic: receive.topic.as_str().into(),
                    body: Fingerprint::of(&message.body),
                    place: Place::DeadLetter {
                        reason: format!("{:?}", letter.reason),
                        deliveries: letter.deliveries,
                    },
                }
            }));
        }
    }
}

fn received(message: &Message) -> Received {
    Received {
        message: message.id().into(),
        lease: Fingerprint::of(message.lease.expose()),
        attempt: message.attempt,
        body: Fingerprint::of(&message.body),
    }
}

/// Lets the callers loose; when their calls are used up, `calm` is called, and what is left is taken out.
pub async fn run(sdk: RonAppSdk, load: Load, recorder: &Recorder, calm: impl FnOnce()) {
    let callers = Arc::new(Callers {
        sdk,
        capability: capability(),
        recorder: recorder.clone(),
        load,
        calls: AtomicU64::new(0),
        bodies: AtomicU64::new(0),
    });
    let spawn = |number: u64| {
        let callers = Arc::clone(&callers);
        tokio::spawn(async move {
            match number.checked_sub(callers.load.senders) {
                None => callers.sender(number).await,
                Some(number) => callers.consumer(number).await,
            }
        })
    };
    for ended in join_all((0..load.senders + load.consumers).map(spawn)).await {
        ended.unwrap();
    }
    calm();
    let drained = join_all((0..load.topics).map(|number| callers.drain(number))).await;
    let remnants = drained.into_iter().flat_map(Result::unwrap).collect();
    recorder.drained(remnants);
}
