//! Receivers that wait, in virtual time.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::phase::phase_channel;
use bytes::Bytes;
use ron_app_sdk::oap::MAX_WAIT_MS;
use ron_app_sdk::{AddrB3, Attributes};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};

const SECOND: Duration = Duration::from_secs(1);

struct Fixture {
    mailbox: Mailbox,
    phase: watch::Sender<Phase>,
    watch: PhaseWatch,
    receives: u64,
}

fn owner() -> Owner {
    Owner {
        tenant_id: 0,
        subject: Arc::from("alice"),
    }
}

fn topic() -> Topic {
    Topic::new("orders").unwrap()
}

/// Later than anything here.
fn never() -> Instant {
    Instant::now() + 100 * 24 * 3600 * SECOND
}

impl Fixture {
    fn new(limits: MailboxLimits) -> Self {
        let (phase, watch) = phase_channel();
        Self {
            mailbox: Mailbox::new(limits).unwrap(),
            phase,
            watch,
            receives: 0,
        }
    }

    fn send(&self, body: &'static str) -> Token {
        let body = Bytes::from_static(body.as_bytes());
        let message = Incoming {
            address: AddrB3::of(&body),
            body,
            attributes: Attributes::default(),
            sent_at_ms: 0,
        };
        self.mailbox.send(0, topic(), message, never()).unwrap()
    }

    fn receive(&mut self, wait: Duration) -> Answer<Result<Batch, ErrorReply>> {
        self.receives += 1;
        let receive = Receive {
            topic: topic(),
            max: 1,
            visibility_ms: 30_000,
            wait,
            receive_id: IdemKey::new(&format!("r{}", self.receives)).unwrap(),
        };
        let (mailbox, watch) = (&self.mailbox, &self.watch);
        mailbox.receive(owner(), receive, never(), watch)
    }

    /// Receives on a task of its own; returns what came and after how many seconds.
    fn spawn(&mut self, wait: Duration) -> JoinHandle<(Vec<Bytes>, u64)> {
        let received = self.receive(wait);
        let began = tokio::time::Instant::now();
        tokio::spawn(async move {
            let batch = received.wait().await.unwrap();
            let bodies = batch.deliveries.into_iter().map(|delivery| delivery.body);
            (bodies.collect(), began.elapsed().as_secs())
        })
    }

    fn waiting(&self) -> i64 {
        self.mailbox.metrics().waiting.get()
    }
}

fn lease_of(batch: &Batch) -> Lease {
    let message = &batch.deliveries[0].message;
    Lease::new(topic(), message.id.clone(), message.lease.clone())
}

#[tokio::test(start_paused = true)]
async fn a_receiver_gets_nothing_after_its_wait_and_a_message_at_once() {
    let mut fixture = Fixture::new(MailboxLimits::default());
    let waiter = fixture.spawn(20 * SECOND);
    assert_eq!(waiter.await.unwrap(), (vec![], 20));
    assert_eq!(fixture.waiting(), 0);
    let waiter = fixture.spawn(20 * SECOND);
    sleep(7 * SECOND).await;
    fixture.send("1");
    assert_eq!(waiter.await.unwrap(), (vec![Bytes::from("1")], 7));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_runs_out_and_a_delay_that_ends_wake_the_next_receiver() {
    let mut fixture = Fixture::new(MailboxLimits::default());
    fixture.send("1");
    let first = fixture.receive(Duration::ZERO).wait().await.unwrap();
    sleep(15 * SECOND).await;
    let waiters = [fixture.spawn(20 * SECOND), fixture.spawn(20 * SECOND)];
    sleep(SECOND).await;
    // An earlier event than the one that is slept for.
    let given = lease_of(&first);
    let nacked = fixture.mailbox.nack(&owner(), &given, 3 * SECOND, never());
    assert_eq!(nacked, Ok(false));
    let [first, second] = waiters;
    assert_eq!(first.await.unwrap(), (vec![Bytes::from("1")], 4));
    // Its lease runs out 30 s later, when nobody waits any more.
    assert_eq!(second.await.unwrap(), (vec![], 20));
    let last = fixture.spawn(20 * SECOND);
    assert_eq!(last.await.unwrap(), (vec![Bytes::from("1")], 14));
}

#[tokio::test(start_paused = true)]
async fn whoever_keeps_the_time_can_go_at_any_time() {
    let mut fixture = Fixture::new(MailboxLimits::default());
    fixture.send("1");
    fixture.receive(Duration::ZERO).wait().await.unwrap();
    sleep(15 * SECOND).await;
    let keeper = fixture.spawn(20 * SECOND);
    let next = fixture.spawn(20 * SECOND);
    sleep(SECOND).await;
    keeper.abort();
    assert!(keeper.await.unwrap_err().is_cancelled());
    assert_eq!(next.await.unwrap(), (vec![Bytes::from("1")], 15));
    assert_eq!(fixture.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_dropped_before_it_looks_has_leased_nothing() {
    let mut fixture = Fixture::new(MailboxLimits::default());
    let unpolled = fixture.receive(20 * SECOND);
    let next = fixture.spawn(20 * SECOND);
    fixture.send("1");
    drop(unpolled);
    assert_eq!(next.await.unwrap(), (vec![Bytes::from("1")], 0));
    let alarms = fixture.mailbox.change(|state, _| state.alarms.len());
    assert_eq!(alarms, 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_while_the_gateway_drains() {
    let mut fixture = Fixture::new(MailboxLimits::default());
    let waiter = fixture.spawn(20 * SECOND);
    sleep(SECOND).await;
    fixture.phase.send(Phase::Draining).unwrap();
    assert_eq!(waiter.await.unwrap(), (vec![], 1));
    let received = fixture.receive(20 * SECOND);
    assert!(matches!(received, Answer::Ready(Ok(_))));
    // What is there can still be had.
    fixture.send("1");
    let received = fixture.receive(20 * SECOND).wait().await.unwrap();
    assert_eq!(received.deliveries.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn days_pass_as_they_should() {
    let mut fixture = Fixture::new(MailboxLimits {
        max_deliveries: 1,
        ..MailboxLimits::default()
    });
    fixture.send("1");
    fixture.receive(Duration::ZERO).wait().await.unwrap();
    fixture.send("2");
    let dead_letters = || {
        let receive = Receive {
            topic: topic().dead_letters().unwrap(),
            max: 64,
            visibility_ms: 250,
            wait: Duration::ZERO,
            receive_id: IdemKey::random().unwrap(),
        };
        let received = fixture
            .mailbox
            .receive(owner(), receive, never(), &fixture.watch);
        async { received.wait().await.unwrap().deliveries.len() }
    };
    assert_eq!(dead_letters().await, 0);
    advance(30 * SECOND).await;
    assert_eq!(dead_letters().await, 1);
    advance(7 * 24 * 3600 * SECOND).await;
    assert_eq!(dead_letters().await, 1);
    let metrics = fixture.mailbox.metrics();
    assert_eq!((metrics.messages.get(), metrics.expired.get()), (1, 1));
    advance(7 * 24 * 3600 * SECOND).await;
    assert_eq!(dead_letters().await, 0);
    assert_eq!(metrics.messages.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_after_the_deadline() {
    let mut fixture = Fixture::new(MailboxLimits::default());
    fixture.send("1");
    let batch = fixture.receive(Duration::ZERO).wait().await.unwrap();
    let (mailbox, lease, past) = (&fixture.mailbox, lease_of(&batch), Instant::now());
    let message = Incoming {
        address: AddrB3::of(b""),
        body: Bytes::new(),
        attributes: Attributes::default(),
        sent_at_ms: 0,
    };
    let reasons = [
        mailbox.send(0, topic(), message, past).map(|_| ()),
        mailbox.ack(&owner(), &lease, past).map(|_| ()),
        mailbox.nack(&owner(), &lease, SECOND, past).map(|_| ()),
        mailbox.extend(&owner(), &lease, 250, past).map(|_| ()),
    ]
    .map(|result| result.unwrap_err().reason);
    assert_eq!(reasons, [Reason::DeadlineExceeded; 4]);
    assert_eq!(fixture.mailbox.metrics().messages.get(), 1);
    assert_eq!(mailbox.ack(&owner(), &lease, never()), Ok(false));
}

/// The longest wait does not keep a receiver beyond it where other things happen all the time.
#[tokio::test(start_paused = true)]
async fn a_wait_ends_in_time_whatever_else_happens() {
    let mut fixture = Fixture::new(MailboxLimits::default());
    fixture.send("1");
    fixture.receive(Duration::ZERO).wait().await.unwrap();
    let longest = Duration::from_millis(MAX_WAIT_MS.into());
    let waiters = [fixture.spawn(longest), fixture.spawn(longest)];
    for _ in 0..19 {
        sleep(SECOND).await;
        drop(fixture.receive(SECOND));
    }
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), (vec![], 20));
    }
}
