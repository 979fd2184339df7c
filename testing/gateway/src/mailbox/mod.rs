//! The mailbox plane's state: messages on their way from senders to receivers, at least once.
//!
//! What becomes of a message is decided in [`queues`], which knows neither clock nor task. Here is what it
//! takes to live in a gateway: the lock, the time, and receivers who wait. They need no task of their own:
//! the one who has waited for longest sleeps until the next thing that happens by itself, for all of them.

mod batches;
mod limits;
mod message;
#[cfg(test)]
mod model;
mod queues;
mod receive;
mod seals;
mod settle;
mod spent;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod time_tests;
mod waiting;

pub use limits::MailboxLimits;
pub(crate) use message::Incoming;
pub(crate) use receive::Batch;

use crate::answer::Answer;
use crate::defect::Defect;
use crate::idempotency::{OperationKey, Owner};
use crate::metrics::MailboxMetrics;
use crate::phase::{Phase, PhaseWatch};
use message::QueueName;
use queues::{Counts, Queues, Refusal};
use receive::{ReceiveRequest, Received};
use ron_app_sdk::mailbox::Token;
use ron_app_sdk::oap::{ErrorReply, Reason};
use ron_app_sdk::{IdemKey, Lease, Topic};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep_until;
use waiting::WaiterId;

/// When to try again where too many wait.
const SOON: Duration = Duration::from_millis(100);

/// The messages of a gateway, in memory. Its clones are the same mailbox.
#[derive(Clone)]
pub struct Mailbox(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    limits: MailboxLimits,
    metrics: MailboxMetrics,
}

struct State {
    queues: Queues,
    /// To wake those who wait.
    alarms: HashMap<WaiterId, Arc<Notify>>,
    timekeeper: Option<Timekeeper>,
    counted: Counts,
}

/// The receiver that sleeps for all of them.
struct Timekeeper {
    waiter: WaiterId,
    /// Until when.
    until: Option<Instant>,
}

/// What somebody wants to receive, and for how long they wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receive {
    pub(crate) topic: Topic,
    pub(crate) max: u16,
    pub(crate) visibility_ms: u32,
    pub(crate) wait: Duration,
    pub(crate) receive_id: IdemKey,
}

impl Mailbox {
    /// An empty mailbox.
    ///
    /// # Errors
    /// Where a limit breaks its rule, or the operating system has no randomness to give.
    pub fn new(limits: MailboxLimits) -> io::Result<Self> {
        Self::with_defect(limits, None)
    }

    pub(crate) fn with_defect(limits: MailboxLimits, defect: Option<Defect>) -> io::Result<Self> {
        limits.check()?;
        Ok(Self(Arc::new(Inner {
            state: Mutex::new(State {
                queues: Queues::new(limits, defect)?,
                alarms: HashMap::new(),
                timekeeper: None,
                counted: Counts::default(),
            }),
            limits,
            metrics: MailboxMetrics::default(),
        })))
    }

    pub(crate) fn metrics(&self) -> MailboxMetrics {
        self.0.metrics.clone()
    }

    /// Takes a message, and returns its id.
    pub(crate) fn send(
        &self,
        tenant_id: u128,
        topic: Topic,
        message: Incoming,
        deadline: Instant,
    ) -> Result<Token, ErrorReply> {
        let queue = QueueName { tenant_id, topic };
        self.commit(deadline, |queues, now| queues.send(now, queue, message))
    }

    /// Leases messages, or waits for some until the gateway drains.
    pub(crate) fn receive(
        &self,
        owner: Owner,
        receive: Receive,
        deadline: Instant,
        phase: &PhaseWatch,
    ) -> Answer<Result<Batch, ErrorReply>> {
        let request = ReceiveRequest {
            key: OperationKey::new(owner.clone(), "mailbox.receive", &receive.receive_id),
            owner,
            topic: receive.topic,
            max: receive.max,
            visibility_ms: receive.visibility_ms,
        };
        let may_wait = !receive.wait.is_zero() && phase.is_serving();
        let end = now() + receive.wait;
        let received = self.commit(deadline, |queues, now| {
            queues.receive(now, request, may_wait)
        });
        match received {
            Ok(Received::Batch(batch)) => Answer::Ready(Ok(batch)),
            Ok(Received::Waits(waiter)) => {
                let waiter = Waiter::new(self.clone(), waiter);
                let phase = phase.clone();
                Answer::pending(async move { Ok(waiter.wait(end, phase).await) })
            }
            Err(error) => Answer::Ready(Err(error)),
        }
    }

    /// Ends a message. Returns whether that had been done before.
    pub(crate) fn ack(
        &self,
        owner: &Owner,
        lease: &Lease,
        deadline: Instant,
    ) -> Result<bool, ErrorReply> {
        self.commit(deadline, |queues, now| queues.ack(now, owner, lease))
    }

    /// Gives a message back. Returns whether that had been done before.
    pub(crate) fn nack(
        &self,
        owner: &Owner,
        lease: &Lease,
        delay: Duration,
        deadline: Instant,
    ) -> Result<bool, ErrorReply> {
        self.commit(deadline, |queues, now| {
            queues.nack(now, owner, lease, delay)
        })
    }

    /// Keeps a message for longer.
    pub(crate) fn extend(
        &self,
        owner: &Owner,
        lease: &Lease,
        visibility_ms: u32,
        deadline: Instant,
    ) -> Result<bool, ErrorReply> {
        self.commit(deadline, |queues, now| {
            queues.extend(now, owner, lease, visibility_ms)
        })
    }

    /// Changes something, unless the call's time is over.
    fn commit<T>(
        &self,
        deadline: Instant,
        change: impl FnOnce(&mut Queues, Instant) -> Result<T, Refusal>,
    ) -> Result<T, ErrorReply> {
        let result = self.change(|state, now| {
            // What the call counts by is the machine's clock.
            if Instant::now() >= deadline {
                return Err(ErrorReply::not_executed(Reason::DeadlineExceeded));
            }
            Ok(change(&mut state.queues, now))
        });
        result?.map_err(|refusal| self.refusal(refusal))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State, Instant) -> T) -> T {
        // No change calls anything that is not ours: a panic elsewhere has left none half done.
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The runtime's clock, which a test can move; read here, so that it never goes back.
        let result = change(&mut state, now());
        state.wake();
        state.show(&self.0.metrics);
        result
    }

    fn refusal(&self, refusal: Refusal) -> ErrorReply {
        let limits = &self.0.limits;
        match refusal {
            Refusal::Full => ErrorReply::not_executed(Reason::StorageFull).with_detail(format!(
                "the mailbox holds at most {} messages of {} bytes in {} topics",
                limits.max_messages, limits.max_bytes, limits.max_topics
            )),
            Refusal::Stale => ErrorReply::not_executed(Reason::StaleLease)
                .with_detail("the message was delivered again, was given back, or is another one"),
            Refusal::Mismatch => ErrorReply::not_executed(Reason::IdempotencyMismatch)
                .with_detail("the receive_id was used for another receive"),
            Refusal::Busy => ErrorReply::not_executed(Reason::Unavailable)
                .with_detail(format!("at most {} receivers wait", limits.max_waiting))
                .with_retry_after(SOON),
        }
    }
}

impl State {
    /// Wakes those who were served, and sees to it that somebody keeps the time.
    fn wake(&mut self) {
        for waiter in self.queues.waiting.take_woken() {
            self.ring(waiter);
        }
        let Some(waiter) = self.queues.waiting.first() else {
            self.timekeeper = None;
            return;
        };
        let next = self.queues.next_event();
        let is_kept = self.timekeeper.as_ref().is_some_and(|timekeeper| {
            let is_early_enough = match (timekeeper.until, next) {
                (Some(until), Some(next)) => until <= next,
                (None, Some(_)) => false,
                (_, None) => true,
            };
            timekeeper.waiter == waiter && is_early_enough
        });
        if !is_kept {
            let until = next;
            self.timekeeper = Some(Timekeeper { waiter, until });
            self.ring(waiter);
        }
    }

    fn ring(&self, waiter: WaiterId) {
        if let Some(alarm) = self.alarms.get(&waiter) {
            alarm.notify_one();
        }
    }

    /// Until when this receiver has to sleep for all, if it is the one to do so.
    fn keep_time(&mut self, waiter: WaiterId) -> Option<Instant> {
        let next = self.queues.next_event();
        let timekeeper = self.timekeeper.as_mut()?;
        if timekeeper.waiter != waiter {
            return None;
        }
        timekeeper.until = next;
        next
    }

    fn show(&mut self, metrics: &MailboxMetrics) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.messages.set(count(self.queues.len()));
        let bytes = i64::try_from(self.queues.bytes());
        metrics.bytes.set(bytes.unwrap_or(i64::MAX));
        metrics.waiting.set(count(self.queues.waiting.len()));
        let (new, old) = (self.queues.counts, self.counted);
        metrics
            .redeliveries
            .inc_by(new.redeliveries - old.redeliveries);
        metrics
            .dead_letters
            .inc_by(new.dead_letters - old.dead_letters);
        metrics.expired.inc_by(new.expired - old.expired);
        self.counted = new;
    }
}

/// A receiver that waits. Dropped, it has leased nothing.
struct Waiter {
    mailbox: Mailbox,
    id: WaiterId,
    alarm: Arc<Notify>,
}

impl Waiter {
    fn new(mailbox: Mailbox, id: WaiterId) -> Self {
        let alarm = Arc::new(Notify::new());
        mailbox.change(|state, _| {
            state.alarms.insert(id, Arc::clone(&alarm));
            // It may be the one to keep the time, and have been served: let it look.
            alarm.notify_one();
        });
        Self { mailbox, id, alarm }
    }

    /// Its messages; none where there are none until `end`, or until the gateway drains.
    async fn wait(self, end: Instant, mut phase: PhaseWatch) -> Batch {
        loop {
            let (served, wakes) = self.mailbox.change(|state, now| {
                state.queues.advance(now);
                (state.queues.collect(self.id), state.keep_time(self.id))
            });
            if let Some(batch) = served {
                return batch;
            }
            if now() >= end || !phase.is_serving() {
                return Batch::none();
            }
            let wakes = wakes.map_or(end, |wakes| wakes.min(end));
            tokio::select! {
                () = self.alarm.notified() => {}
                () = sleep_until(wakes.into()) => {}
                () = phase.reached(Phase::Draining) => {}
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.mailbox.change(|state, now| {
            state.alarms.remove(&self.id);
            state.queues.leave(now, self.id);
        });
    }
}

/// The runtime's time.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}
