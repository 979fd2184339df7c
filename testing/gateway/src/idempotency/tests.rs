//! Keyed mutations with callers who come together, wait, and go away.

#![allow(clippy::unwrap_used)]

use super::records::tests::{fingerprint, key};
use super::*;
use crate::metrics::IdempotencyMetrics;
use crate::outcome::Reply;
use ron_app_sdk::oap::StoragePutReply;
use ron_app_sdk::AddrB3;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;
use tokio::time::{advance, sleep};

/// What an execution comes to.
type Execution = Result<Receipt, ErrorReply>;

struct Fixture {
    idempotency: Arc<Idempotency>,
    effects: Arc<AtomicU64>,
}

impl Fixture {
    fn new(deduplication: Deduplication) -> Self {
        let limits = IdempotencyLimits::default();
        Self {
            idempotency: Idempotency::new(limits, deduplication, None),
            effects: Arc::default(),
        }
    }

    fn metrics(&self) -> IdempotencyMetrics {
        self.idempotency.metrics()
    }

    fn effects(&self) -> u64 {
        self.effects.load(Ordering::SeqCst)
    }

    fn run<E>(&self, payload: &str, execute: E) -> Answer<Outcome>
    where
        E: FnOnce() -> Answer<Execution> + Send + 'static,
    {
        let request = KeyedRequest {
            key: key("a", "k"),
            fingerprint: fingerprint(payload),
        };
        self.idempotency.run(request, execute)
    }

    /// Executes at once; every effect has a receipt of its own.
    fn run_now(&self) -> Answer<Outcome> {
        let effects = Arc::clone(&self.effects);
        self.run("x", move || Answer::Ready(Ok(take_effect(&effects))))
    }

    /// Executes when it is told to, or fails as it is told to.
    fn run_gated(&self) -> (oneshot::Sender<Result<(), ErrorReply>>, Answer<Outcome>) {
        let effects = Arc::clone(&self.effects);
        let (open, gate) = oneshot::channel();
        let answer = self.run("x", move || {
            Answer::pending(async move {
                gate.await.unwrap()?;
                Ok(take_effect(&effects))
            })
        });
        (open, answer)
    }
}

fn take_effect(effects: &AtomicU64) -> Receipt {
    let number = effects.fetch_add(1, Ordering::SeqCst);
    Receipt::Put {
        address: AddrB3::of(&number.to_be_bytes()),
        size: number,
    }
}

fn receipt(outcome: &Outcome) -> &StoragePutReply {
    match &outcome.reply {
        Reply::Put(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

fn error(outcome: &Outcome) -> &ErrorReply {
    match &outcome.reply {
        Reply::Error(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_callers_at_once_one_executes_and_all_get_its_receipt() {
    let fixture = Arc::new(Fixture::new(Deduplication::Atomic));
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move {
                let effects = Arc::clone(&fixture.effects);
                let answer = fixture.run("x", move || {
                    Answer::pending(async move {
                        sleep(Duration::from_millis(20)).await;
                        Ok(take_effect(&effects))
                    })
                });
                let outcome = answer.wait().await;
                receipt(&outcome).clone()
            })
        })
        .collect();
    let mut first = 0;
    for caller in callers {
        let receipt = caller.await.unwrap();
        first += u64::from(!receipt.replayed);
        let (address, size) = (receipt.address, receipt.size);
        let expected = take_effect(&AtomicU64::new(0));
        assert_eq!(Receipt::Put { address, size }, expected);
    }
    assert_eq!((fixture.effects(), first), (1, 1));
    assert_eq!(fixture.metrics().replays.get(), 63);
    assert_eq!(fixture.metrics().records.get(), 1);
}

#[tokio::test]
async fn another_request_under_the_key_is_refused() {
    let fixture = Fixture::new(Deduplication::Atomic);
    fixture.run_now().wait().await;
    let other = fixture.run("y", || unreachable!()).wait().await;
    assert_eq!(error(&other).reason, Reason::IdempotencyMismatch);
    assert_eq!((other.code, error(&other).executed), (409, Executed::No));
    assert_eq!(fixture.metrics().mismatches.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_for_the_running_one_but_not_for_long() {
    let fixture = Fixture::new(Deduplication::Atomic);
    let (open, _first) = fixture.run_gated();
    let began = tokio::time::Instant::now();
    let refused = fixture.run_now().wait().await;
    assert_eq!(began.elapsed(), PATIENCE);
    let refusal = error(&refused);
    assert_eq!(refusal.reason, Reason::IdempotencyInProgress);
    assert_eq!(refusal.executed, Executed::Unknown);
    assert_eq!(refusal.retry_after_ms, Some(100));
    assert_eq!(fixture.metrics().in_progress.get(), 1);

    let second = fixture.run_now();
    assert!(matches!(second, Answer::Pending(_)));
    open.send(Ok(())).unwrap();
    assert!(receipt(&second.wait().await).replayed);
    assert_eq!(fixture.effects(), 1);
}

#[tokio::test]
async fn an_execution_goes_on_without_its_caller() {
    let fixture = Fixture::new(Deduplication::Atomic);
    let (open, answer) = fixture.run_gated();
    drop(answer);
    open.send(Ok(())).unwrap();
    let outcome = fixture.run_now().wait().await;
    assert!(receipt(&outcome).replayed);
    assert_eq!(fixture.effects(), 1);
}

#[tokio::test]
async fn who_waited_for_a_refusal_executes_the_request() {
    let fixture = Fixture::new(Deduplication::Atomic);
    let (open, first) = fixture.run_gated();
    let second = fixture.run_now();
    let full = ErrorReply::not_executed(Reason::StorageFull);
    open.send(Err(full)).unwrap();
    assert_eq!(first.wait().await.code, 507);
    assert!(!receipt(&second.wait().await).replayed);
    assert_eq!(fixture.effects(), 1);
}

#[tokio::test]
async fn a_refusal_without_effect_frees_the_key() {
    let fixture = Fixture::new(Deduplication::Atomic);
    let refuse = || Answer::Ready(Err(ErrorReply::not_executed(Reason::DeadlineExceeded)));
    assert_eq!(fixture.run("x", refuse).wait().await.code, 408);
    assert_eq!(fixture.metrics().records.get(), 0);
    assert!(!receipt(&fixture.run_now().wait().await).replayed);
}

#[tokio::test]
async fn permission_that_is_not_used_frees_the_key() {
    let fixture = Fixture::new(Deduplication::Atomic);
    let request = KeyedRequest {
        key: key("a", "k"),
        fingerprint: fingerprint("x"),
    };
    let turn = fixture.idempotency.begin(&request);
    assert!(matches!(turn, Turn::Execute(_)));
    assert_eq!(fixture.metrics().records.get(), 1);
    drop(turn);
    assert_eq!(fixture.metrics().records.get(), 0);
}

#[tokio::test]
async fn what_broke_off_is_in_doubt_and_not_repeated() {
    let fixture = Fixture::new(Deduplication::Atomic);
    let (broken, answer) = fixture.run_gated();
    // The execution panics.
    drop(broken);
    for outcome in [answer.wait().await, fixture.run_now().wait().await] {
        assert_eq!(error(&outcome).reason, Reason::Internal);
        assert_eq!(error(&outcome).executed, Executed::Unknown);
    }
    assert_eq!(fixture.effects(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_the_window_a_key_is_new() {
    let fixture = Fixture::new(Deduplication::Atomic);
    let window = IdempotencyLimits::default().window;
    fixture.run_now().wait().await;
    advance(window - Duration::from_secs(1)).await;
    assert!(receipt(&fixture.run_now().wait().await).replayed);
    advance(Duration::from_secs(1)).await;
    assert!(!receipt(&fixture.run_now().wait().await).replayed);
    assert_eq!(fixture.effects(), 2);
}

#[tokio::test]
async fn without_deduplication_every_execution_has_its_effect() {
    let fixture = Fixture::new(Deduplication::Off);
    for _ in 0..2 {
        assert!(!receipt(&fixture.run_now().wait().await).replayed);
    }
    assert_eq!(fixture.effects(), 2);
}

#[tokio::test]
async fn a_record_after_the_reply_is_lost_with_the_reply() {
    let fixture = Fixture::new(Deduplication::RecordAfterReply);
    drop(fixture.run_now().wait().await);
    let again = fixture.run_now().wait().await;
    assert!(!receipt(&again).replayed);
    assert_eq!(fixture.effects(), 2);
    again.on_replied.replied();
    assert!(receipt(&fixture.run_now().wait().await).replayed);
}
