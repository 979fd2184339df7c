//! Idempotency keys: who comes with one that is known, and what is known about those who fail.

use crate::fixture::{
    first, into_puts, on_each_client, told, with_each_client, Client, Face, Fixture,
};
use crate::support::{bytes, TestGateway};
use bytes::Bytes;
use ron_app_sdk::oap::Reason;
use ron_app_sdk::{AddrB3, ErrorKind, Executed};
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::faults::{Fault, FaultKind, FaultRule};
use ron_gateway::store::{MemoryStore, Object, ObjectStore, Part, PutError};
use ron_gateway::{Answer, GatewayConfig, ReadError, Selection};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A store that takes its time to write.
struct SlowStore {
    store: Arc<MemoryStore>,
    takes: Duration,
}

impl ObjectStore for SlowStore {
    fn put(&self, address: AddrB3, body: Bytes, deadline: Instant) -> Answer<Result<(), PutError>> {
        let (store, takes) = (Arc::clone(&self.store), self.takes);
        Answer::pending(async move {
            tokio::time::sleep(takes).await;
            match store.put(address, body, deadline) {
                Answer::Ready(result) => result,
                Answer::Pending(future) => future.await,
            }
        })
    }

    fn head(&self, address: AddrB3) -> Answer<Result<Object, ReadError>> {
        self.store.head(address)
    }

    fn read(&self, address: AddrB3, selection: Selection) -> Answer<Result<Part, ReadError>> {
        self.store.read(address, selection)
    }
}

fn on_a_slow_store(face: Face, takes: Duration) -> Fixture {
    let config = GatewayConfig {
        ledger: true,
        ..GatewayConfig::default()
    };
    let gateway = TestGateway::start_on(config, &CertificateRequest::localhost(), |backends| {
        let store = Arc::new(MemoryStore::new(1 << 20));
        backends.objects = Arc::new(SlowStore { store, takes });
    });
    Fixture { face, gateway }
}

/// Another process with the same key waits its turn, and gets the first one's receipt.
#[test]
fn a_mutation_that_is_under_way_is_waited_for_and_not_repeated() {
    with_each_client(|face| {
        let takes = Duration::from_millis(700);
        let fixture = on_a_slow_store(face, takes);
        let (one, other) = (
            fixture.client().with_key("key"),
            fixture.client().with_key("key"),
        );
        std::thread::scope(|scope| {
            let first = scope.spawn(|| one.put(b"x"));
            std::thread::sleep(Duration::from_millis(100));
            let second = other.put(b"x");
            let (attempts, replayed, _) = told(&second);
            assert!(replayed && attempts >= 2, "{attempts}");
            assert_eq!(told(&first.join().unwrap()), (1, false, Executed::Yes));
        });
        let metrics = fixture.gateway.gateway.metrics();
        assert!(metrics.idempotency_in_progress() >= 1);
        assert_eq!(fixture.effects(), (1, 1, 1));
    });
}

#[test]
fn of_64_callers_with_one_key_one_takes_effect() {
    with_each_client(|face| {
        let fixture = on_a_slow_store(face, Duration::from_millis(50));
        let client = fixture.client().with_key("key");
        let bodies = vec![Bytes::from_static(b"x"); 64];
        let mut firsts = 0;
        for put in client.puts_at_once(&bodies) {
            firsts += u32::from(!told(&put).1);
            assert_eq!(put.unwrap().0, AddrB3::of(b"x"));
        }
        assert_eq!((firsts, fixture.effects()), (1, (1, 1, 1)));
    });
}

#[test]
fn a_key_with_another_request_is_a_conflict_at_once() {
    on_each_client(|fixture| {
        let client = fixture.client().with_key("key");
        client.put(b"x").unwrap();
        for other in [&b"y"[..], b"", &bytes(1000)] {
            let error = client.put(other).unwrap_err();
            assert_eq!(
                (error.kind(), error.status()),
                (ErrorKind::Conflict, Some(409))
            );
            assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
        }
        assert_eq!(
            fixture.gateway.gateway.metrics().idempotency_mismatches(),
            3
        );
        assert_eq!(fixture.effects(), (1, 1, 1));
        // The first one is still what it was.
        assert_eq!(told(&client.put(b"x")), (1, true, Executed::Yes));
    });
}

/// What came of the first execution is what a repetition is answered; what was not executed is not remembered.
#[test]
fn a_repetition_gets_the_first_result_and_an_error_is_no_result() {
    on_each_client(|fixture| {
        let client = fixture.client_with(|config| config.backoff.max_attempts = 1);
        for fault in [
            Fault::ErrorBefore {
                reasons: vec![Reason::Internal],
                retry_after_ms: None,
            },
            Fault::RateLimited {
                retry_after_ms: Some(0),
            },
        ] {
            let name = fault.kind().name();
            let client = client.another(name);
            fixture.arm([into_puts(first(fault))]);
            let error = client.put(name.as_bytes()).unwrap_err();
            assert_eq!(error.executed(), Executed::No);
            fixture.disarm();
            let (address, report) = client.put(name.as_bytes()).unwrap();
            assert!(!report.replayed, "{name}");
            for _ in 0..3 {
                let (again, report) = client.put(name.as_bytes()).unwrap();
                assert_eq!((again, report.replayed), (address, true));
                assert_eq!(report.executed, Executed::Yes);
            }
        }
        assert_eq!(fixture.effects(), (2, 2, 1));
    });
}

/// `executed: no` is a promise: nothing of such a call is there. And what is said to be there is.
#[test]
fn no_failed_call_says_of_an_effect_that_there_is_none() {
    on_each_client(|fixture| {
        let share = |fault, probability| FaultRule {
            probability,
            coin: Some("one".to_owned()),
            ..into_puts(FaultRule::new(fault))
        };
        let error_after = serde_json::from_str(r#"{"error_after": {}}"#).unwrap();
        let error_before = serde_json::from_str(r#"{"error_before": {}}"#).unwrap();
        fixture.arm([
            share(error_before, 0.2),
            share(error_after, 0.2),
            share(Fault::DropReply, 0.1),
            share(Fault::BlackHole, 0.1),
            share(Fault::Reset, 0.05),
            share(Fault::WrongReceipt, 0.1),
            share(Fault::Drain, 0.02),
        ]);
        let client = fixture
            .impatient_client()
            .with_limit(Duration::from_secs(1));
        let mut seen = [0; 3];
        for round in 0..20 {
            let body = |call| Bytes::from(format!("{round} {call}"));
            let bodies: Vec<Bytes> = (0..20).map(body).collect();
            let puts = client.puts_at_once(&bodies);
            // Reads meet no fault.
            for (body, put) in bodies.iter().zip(puts) {
                let is_there = || client.head(AddrB3::of(body)).is_ok();
                match put.map_err(|error| error.executed()) {
                    Ok(_) => assert!(is_there()),
                    Err(Executed::Yes) => {
                        seen[0] += 1;
                        assert!(is_there());
                    }
                    Err(Executed::No) => {
                        seen[1] += 1;
                        assert!(!is_there());
                    }
                    Err(Executed::Unknown) => seen[2] += 1,
                }
            }
        }
        assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
        assert!(fixture.fired(FaultKind::Reset) > 0);
        assert_eq!(fixture.effects().2, 1);
    });
}

/// The key is what makes it the same call, not the client.
#[test]
fn a_key_is_good_in_another_client() {
    with_each_client(|face| {
        let fixture = Fixture::start(face);
        fixture.arm([into_puts(first(Fault::Reset))]);
        let before = fixture.impatient_client().with_key("job-7");
        let error = before.put(b"x").unwrap_err();
        assert_eq!(
            (error.kind(), error.executed()),
            (ErrorKind::Transport, Executed::Unknown)
        );
        drop(before);
        fixture.disarm();
        let other_face = match face {
            Face::Blocking => Face::Asynchronous,
            Face::Asynchronous => Face::Blocking,
        };
        let after = Client::new(other_face, fixture.gateway.config()).with_key("job-7");
        assert_eq!(told(&after.put(b"x")), (1, true, Executed::Yes));
        assert_eq!(fixture.effects(), (1, 1, 1));
    });
}
