//! Who sends and who receives.

use super::account::{Account, Violation};
use super::body;
use crate::lock::lock;
use fastrand::Rng;
use ron_app_sdk::{
    CallReport, Calls, Capability, ErrorKind, Executed, Lease, Mail, Message, Receive, Reported,
    RonAppSdk, SdkError, Topic,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, Instant, MissedTickBehavior};

/// Sends at once.
const SENDS: usize = 64;
/// Messages that a receive asks for.
const BATCH: u16 = 16;
/// How long a receive waits for a message.
const WAIT: Duration = Duration::from_secs(1);
/// For a consumer's last receive.
pub(super) const LEAVING: Duration = Duration::from_secs(5);
/// A dead letter is looked at for so long.
const DEAD_VISIBILITY: Duration = Duration::from_secs(60);

/// What all callers share.
pub(super) struct Shared {
    pub(super) sdk: RonAppSdk,
    pub(super) capability: Capability,
    pub(super) topic: Topic,
    pub(super) dead_topic: Topic,
    pub(super) run: u64,
    pub(super) size: usize,
    pub(super) visibility: Duration,
    pub(super) account: Mutex<Account>,
    /// Failed calls by the name of their kind.
    pub(super) errors: Mutex<BTreeMap<&'static str, u64>>,
    pub(super) attempts: AtomicU64,
    pub(super) retries: AtomicU64,
    /// Everything is acknowledged from here on, so that there is an end.
    pub(super) is_ending: AtomicBool,
    /// Nothing more is received.
    pub(super) is_over: AtomicBool,
}

impl Shared {
    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }

    fn calls(&self) -> Calls<'_, Reported> {
        self.sdk.with(&self.capability).with_report()
    }

    /// Counts the attempts of a call, and its failure.
    fn noted<T>(&self, result: Result<(T, CallReport), SdkError>) -> Result<T, SdkError> {
        let attempts = match &result {
            Ok((_, report)) => report.attempts,
            Err(error) => error.attempts(),
        };
        self.attempts.fetch_add(attempts.into(), Ordering::Relaxed);
        let retries = attempts.saturating_sub(1);
        self.retries.fetch_add(retries.into(), Ordering::Relaxed);
        result.map(|(value, _)| value).inspect_err(|error| {
            let mut errors = lock(&self.errors);
            *errors.entry(error.kind().name()).or_default() += 1;
        })
    }

    async fn send(&self, number: u64) {
        let mail = Mail::new(self.topic.clone(), body::make(self.run, number, self.size));
        let sent = self.noted(self.calls().mailbox_send(mail).await);
        let mut account = self.account();
        match sent {
            Ok(receipt) => account.sent(number, &receipt.id, Instant::now()),
            Err(error) if error.executed() == Executed::No => account.refused(number),
            Err(_) => account.unknown(number),
        }
    }

    async fn receive(&self, random: &mut Rng) {
        let receive = Receive {
            max: BATCH,
            visibility: self.visibility,
            wait: WAIT,
            ..Receive::new(self.topic.clone())
        };
        let asked = Instant::now();
        match self.noted(self.calls().mailbox_receive(&receive).await) {
            Ok(messages) if messages.is_empty() => self.account().came_nothing(asked),
            Ok(messages) => {
                for message in &messages {
                    match self.came(message, asked) {
                        Some(number) => self.deal_with(number, &message.lease, random).await,
                        // It has been told, and must not be told again and again.
                        None => drop(self.noted(self.calls().mailbox_ack(&message.lease).await)),
                    }
                }
            }
            // A gateway that refuses at once must not be asked without a pause.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }

    /// The number of a message that is to be dealt with.
    fn came(&self, message: &Message, asked: Instant) -> Option<u64> {
        let now = Instant::now();
        let mut account = self.account();
        let Some(number) = body::number_of(self.run, self.size, &message.body) else {
            let (id, len) = (message.id(), message.body.len());
            account.invented(format_args!("message {id} with {len} bytes"));
            return None;
        };
        account
            .came(number, message.id(), asked, now)
            .then_some(number)
    }

    /// Mostly acknowledges it. Some are given back, some are extended first, and some are never come back to.
    async fn deal_with(&self, number: u64, lease: &Lease, random: &mut Rng) {
        let chance = if self.is_ending.load(Ordering::Relaxed) {
            100
        } else {
            random.u8(..100)
        };
        match chance {
            0..=1 => {
                let delay = self.visibility.mul_f32(random.f32() / 4.0);
                // Where it fails, it comes again all the same.
                let _ = self.noted(self.calls().mailbox_nack(lease, delay).await);
                return self.account().left(true);
            }
            2 => return self.account().left(false),
            3..=5 => {
                let _ = self.noted(self.calls().mailbox_extend(lease, self.visibility).await);
            }
            _ => {}
        }
        let acknowledged = self.noted(self.calls().mailbox_ack(lease).await);
        let mut account = self.account();
        match acknowledged {
            Ok(()) => account.acknowledged(number, Instant::now()),
            Err(error) if error.kind() == ErrorKind::StaleLease => account.stale(),
            Err(error) if error.executed() == Executed::No => {}
            Err(_) => account.acknowledgement_unknown(number),
        }
    }

    /// Takes the messages out that the gateway has given up.
    pub(super) async fn bury(&self) {
        let receive = Receive {
            max: 64,
            visibility: DEAD_VISIBILITY,
            ..Receive::new(self.dead_topic.clone())
        };
        loop {
            let received = self.noted(self.calls().mailbox_receive(&receive).await);
            let messages = received.unwrap_or_default();
            if messages.is_empty() {
                return;
            }
            for message in messages {
                match body::number_of(self.run, self.size, &message.body) {
                    Some(number) => self.account().dead(number, Instant::now()),
                    None => {
                        let what = format_args!("a dead letter of {} bytes", message.body.len());
                        self.account().invented(what);
                    }
                }
                let _ = self.noted(self.calls().mailbox_ack(&message.lease).await);
            }
        }
    }
}

/// Sends `rate` messages a second until it is dropped or `end` is reached, and waits for the last of them.
pub(super) async fn send(shared: Arc<Shared>, rate: f64, end: Instant) {
    let slots = Arc::new(Semaphore::new(SENDS));
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sends = JoinSet::new();
    loop {
        let due = ticks.tick().await;
        // What could not be sent in time is not made up for later.
        if due >= end || Instant::now() >= end {
            break;
        }
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            break;
        };
        while sends.try_join_next().is_some() {}
        let Some(number) = shared.account().begin(Instant::now()) else {
            continue;
        };
        let shared = Arc::clone(&shared);
        sends.spawn(async move {
            shared.send(number).await;
            drop(slot);
        });
    }
    while sends.join_next().await.is_some() {}
}

/// Receives until it is over.
pub(super) async fn consume(shared: Arc<Shared>, mut random: Rng) {
    while !shared.is_over.load(Ordering::Relaxed) {
        shared.receive(&mut random).await;
    }
}

/// What the client still has when nothing is open any more. Not its streams: those of cancelled calls end when their
/// connection is used next.
pub(super) fn look_for_leaks(shared: &Shared) {
    let stats = shared.sdk.stats();
    if (stats.open_calls, stats.waiting_calls, stats.unsent_bytes) != (0, 0, 0) {
        let what = format_args!("{stats:?}");
        shared.account().violate(Violation::Leak, what);
    }
}
