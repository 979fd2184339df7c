//! Answers that are errors, late, or missing.

use crate::fixture::{
    always, first, into_puts, on_each_client, once, told, with_each_client, Client, Fixture,
    DEFAULT, SLACK,
};
use crate::support::bytes;
use crate::support::peer::{object_meta, Peer, OK};
use bytes::Bytes;
use ron_app_sdk::oap::Reason;
use ron_app_sdk::session::ServerLimits;
use ron_app_sdk::{AddrB3, ErrorKind, Executed, GaveUp};
use ron_gateway::faults::{Fault, FaultKind, FaultRule};
use ron_gateway::{GatewayConfig, Limits};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn before(reason: Reason, retry_after_ms: Option<u64>) -> Fault {
    Fault::ErrorBefore {
        reasons: vec![reason],
        retry_after_ms,
    }
}

fn after(reason: Reason) -> Fault {
    Fault::ErrorAfter {
        reasons: vec![reason],
        retry_after_ms: None,
    }
}

#[test]
fn an_error_before_the_execution_is_retried_for_every_operation() {
    on_each_client(|fixture| {
        fixture.arm([first(before(Reason::Internal, None))]);
        let client = fixture.client();
        let put = client.put(b"x");
        assert_eq!(told(&put), (2, false, Executed::Yes));
        let address = put.unwrap().0;
        assert_eq!(told(&client.get(address)), (2, false, Executed::No));
        assert_eq!(client.get(address).unwrap().0, "x");
        // It certainly was not executed: no key is needed.
        let put = fixture.unkeyed_client().put(b"y");
        assert_eq!(told(&put), (2, false, Executed::Yes));
        assert_eq!(fixture.fired(FaultKind::ErrorBefore), 4);
        assert_eq!(fixture.effects(), (2, 1, 1));
    });
}

#[test]
fn an_error_after_the_commit_is_retried_under_a_key_only() {
    on_each_client(|fixture| {
        fixture.arm([first(after(Reason::Internal))]);
        let put = fixture.client().put(b"x");
        assert_eq!(told(&put), (2, true, Executed::Yes));
        assert_eq!(put.unwrap().0, AddrB3::of(b"x"));
        assert_eq!(fixture.effects(), (1, 1, 1));

        let error = fixture.unkeyed_client().put(b"y").unwrap_err();
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Server, Some(500))
        );
        assert_eq!((error.attempts(), error.executed()), (1, Executed::Unknown));
        assert_eq!(fixture.effects(), (2, 1, 1));
        assert_eq!(fixture.fired(FaultKind::ErrorAfter), 2);
    });
}

#[test]
fn a_fifth_of_all_answers_may_be_5xx() {
    const CALLS: usize = 480;
    on_each_client(|fixture| {
        let mixed = serde_json::from_str(r#"{"error_before": {}}"#).unwrap();
        fixture.arm([FaultRule {
            probability: 0.2,
            ..FaultRule::new(mixed)
        }]);
        let client = fixture.client();
        let mut histogram = [0; 6];
        for round in 0..CALLS / 16 {
            let body = |call| Bytes::from(format!("{round} {call}"));
            let bodies: Vec<Bytes> = (0..16).map(body).collect();
            for (body, put) in bodies.iter().zip(client.puts_at_once(&bodies)) {
                histogram[told(&put).0 as usize] += 1;
                assert_eq!(put.unwrap().0, AddrB3::of(body));
            }
        }
        // Every attempt fails with the same probability, whatever came of the one before.
        for (attempts, probability) in [(1, 0.8), (2, 0.16), (3, 0.032)] {
            let expected = CALLS as f64 * probability;
            let deviation = (expected * (1.0 - probability)).sqrt();
            let distance = (f64::from(histogram[attempts]) - expected).abs();
            assert!(distance < 4.5 * deviation, "{histogram:?}");
        }
        let metrics = fixture.gateway.gateway.metrics();
        let codes = [500, 502, 503, 504].map(|code| metrics.calls("storage", "put", code));
        assert!(codes.iter().all(|count| *count > 0), "{codes:?}");
        assert_eq!(
            codes.iter().sum::<u64>(),
            fixture.fired(FaultKind::ErrorBefore)
        );
        assert_eq!(fixture.effects(), (CALLS as u64, CALLS, 1));
    });
}

#[test]
fn a_hint_is_kept_to_and_one_that_is_too_long_ends_the_call_at_once() {
    on_each_client(|fixture| {
        let client = fixture.client();
        let mut fired = [0, 0];
        for hint in [0, 700, 4999, 600_000, u64::MAX] {
            for (which, fault) in [
                before(Reason::Unavailable, Some(hint)),
                Fault::RateLimited {
                    retry_after_ms: Some(hint),
                },
            ]
            .into_iter()
            .enumerate()
            {
                let kind = fault.kind();
                fixture.arm([first(fault)]);
                fired[which] += 1;
                let began = Instant::now();
                let put = client.put(&hint.to_be_bytes());
                let took = began.elapsed();
                let hinted = Duration::from_millis(hint);
                if hint < 1000 {
                    assert_eq!(told(&put), (2, false, Executed::Yes));
                    assert!(took >= hinted && took < hinted + Duration::from_secs(1));
                } else {
                    let error = put.unwrap_err();
                    let expected = [ErrorKind::Server, ErrorKind::RateLimited][which];
                    assert_eq!((error.kind(), error.attempts()), (expected, 1));
                    assert_eq!(error.gave_up(), Some(GaveUp::Deadline));
                    assert_eq!(error.retry_after(), Some(hinted));
                    assert_eq!(error.executed(), Executed::No);
                    assert!(took < SLACK, "{took:?}");
                }
                assert_eq!(fixture.fired(kind), fired[which]);
            }
        }
        // Four calls were executed: two hints, each with two kinds of answer.
        assert_eq!(fixture.effects().2, 1);
        assert_eq!(fixture.effects().0, 4);
    });
}

/// What cannot be read is no hint: the client's own back-off decides.
#[test]
fn a_hint_that_makes_no_sense_is_none() {
    with_each_client(|face| {
        for garbage in [
            r#""soon""#,
            "-1",
            "1.5",
            "1e300",
            "18446744073709551616",
            "[]",
        ] {
            let refusal =
                format!(r#"{{"reason":"unavailable","executed":"no","retry_after_ms":{garbage}}}"#);
            let is_first = AtomicBool::new(true);
            let peer = Peer::after_hello(move |conversation, _| loop {
                let corr_id = conversation.request()?;
                if is_first.swap(false, Ordering::SeqCst) {
                    conversation.reply(corr_id, 503, &refusal, b"")?;
                } else {
                    conversation.reply(corr_id, OK, &object_meta(b"x"), b"x")?;
                }
            });
            let began = Instant::now();
            let got = Client::new(face, peer.patient_config()).get(AddrB3::of(b"x"));
            assert_eq!(told(&got).0, 2, "{garbage}");
            assert!(began.elapsed() < Duration::from_secs(1), "{garbage}");
        }
    });
}

#[test]
fn an_answer_that_never_comes_costs_an_attempt_and_not_the_connection() {
    on_each_client(|fixture| {
        let address = fixture.stored(b"beside");
        let client = fixture.client().with_limit(Duration::from_secs(1));
        client.get(address).unwrap();
        let accepted = fixture.accepted();
        fixture.arm([into_puts(first(Fault::BlackHole))]);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Something else arrives on the connection meanwhile, so that it is not in doubt.
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    client.get(address).unwrap();
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let put = client.put(b"x");
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(told(&put), (2, false, Executed::Yes));
        });
        assert_eq!(fixture.fired(FaultKind::BlackHole), 1);
        assert_eq!(fixture.effects(), (2, 2, 1));
        assert_eq!(fixture.accepted(), accepted, "the connection was kept");

        // A lone call's connection is probed; it answers, and is kept too.
        let lone = fixture.client().with_limit(Duration::from_secs(1));
        lone.get(address).unwrap();
        assert_eq!(told(&lone.put(b"lone")), (2, false, Executed::Yes));
        std::thread::sleep(Duration::from_millis(300));
        lone.get(address).unwrap();
        let metrics = fixture.gateway.gateway.metrics();
        // All but the one of the client that stored the object.
        assert_eq!(metrics.connections_open(), fixture.accepted() - 1);

        let limit = Duration::from_millis(800);
        let began = Instant::now();
        let unkeyed = fixture.unkeyed_client().with_limit(limit);
        let error = unkeyed.put(b"y").unwrap_err();
        assert_eq!(
            (error.kind(), error.executed()),
            (ErrorKind::Transport, Executed::Unknown)
        );
        assert_eq!((error.attempts(), error.gave_up()), (1, None));
        assert!(began.elapsed() < limit);
        assert_eq!(fixture.fired(FaultKind::BlackHole), 3);
        assert_eq!(fixture.effects(), (3, 3, 1));
    });
}

#[test]
fn a_call_that_is_never_answered_ends_within_its_limit() {
    on_each_client(|fixture| {
        fixture.arm([always(Fault::BlackHole)]);
        let limit = Duration::from_secs(1);
        let client = fixture.client().with_limit(limit);
        let began = Instant::now();
        let error = client.put(b"x").unwrap_err();
        assert!(began.elapsed() < limit + SLACK, "{:?}", began.elapsed());
        let kinds = [ErrorKind::Transport, ErrorKind::DeadlineExceeded];
        assert!(kinds.contains(&error.kind()), "{error}");
        assert_eq!(error.executed(), Executed::Unknown);
        assert!(error.attempts() > 1, "{error}");
        let fired = fixture.fired(FaultKind::BlackHole);
        assert_eq!(fired, u64::from(error.attempts()));
        assert_eq!((client.open_calls(), fixture.effects().0), (0, 0));
    });
}

#[test]
fn a_reply_that_is_lost_after_the_commit_comes_again_as_it_was() {
    on_each_client(|fixture| {
        fixture.arm([into_puts(first(Fault::DropReply))]);
        let client = fixture.client().with_limit(Duration::from_secs(2));
        let put = client.put(b"x");
        assert_eq!(told(&put), (2, true, Executed::Yes));
        assert_eq!(put.unwrap().0, AddrB3::of(b"x"));
        assert_eq!(fixture.fired(FaultKind::DropReply), 1);
        assert_eq!(fixture.effects(), (1, 1, 1));
    });
}

/// The only slot is free again for the next call, on the same connection.
#[test]
fn an_answer_after_the_calls_time_is_dropped() {
    let limit = Duration::from_millis(200);
    let limits = Limits {
        session: ServerLimits {
            max_in_flight: 1,
            ..ServerLimits::default()
        },
        ..Limits::default()
    };
    for fault in [
        Fault::LateReply { after_ms: 400 },
        Fault::LateAfterCancel { count: 5 },
    ] {
        with_each_client(|face| {
            let config = GatewayConfig {
                limits: limits.clone(),
                ..GatewayConfig::default()
            };
            let fixture = Fixture::start_with(face, config);
            let client = fixture.client_with(|config| config.pool.max = 1);
            let (address, _) = client.put(b"x").unwrap();
            fixture.arm([once(fault.clone())]);
            let client = client.with_limit(limit);
            let began = Instant::now();
            let error = client.get(address).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
            assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
            assert!(began.elapsed() < limit + SLACK);
            assert_eq!(client.open_calls(), 0);
            let client = client.with_limit(DEFAULT);
            for _ in 0..3 {
                let got = client.get(address);
                assert_eq!(told(&got).0, 1);
                assert_eq!(got.unwrap().0, "x");
            }
            assert_eq!(fixture.accepted(), 1);
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(fixture.fired(fault.kind()), 1, "{fault:?}");
        });
    }
}

#[test]
fn latencies_of_up_to_two_seconds_are_waited_for_or_retried() {
    on_each_client(|fixture| {
        let objects: Vec<Vec<u8>> = (0..64).map(|size| bytes(size + 1)).collect();
        let addresses: Vec<AddrB3> = objects
            .iter()
            .map(|object| fixture.stored(object))
            .collect();
        fixture.arm([always(Fault::Latency {
            p50_ms: 20,
            p90_ms: 300,
            p99_ms: 2000,
        })]);
        let client = fixture.client();
        let began = Instant::now();
        for (object, got) in objects.iter().zip(client.gets_at_once(&addresses)) {
            assert!(told(&got).0 <= 5);
            assert_eq!(got.unwrap().0, object);
        }
        assert!(began.elapsed() < DEFAULT);
        assert!(fixture.fired(FaultKind::Latency) >= 64);
    });
}
