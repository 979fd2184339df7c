//! Injected faults around calls: what comes over the wire, what was stored, and what was counted.

use crate::support::{eventually, within, Answer, Connection, Fixture, MINUTE};
use ron_app_sdk::oap::{Executed, ObjectReply, Operation, Reason, StoragePutReply};
use ron_app_sdk::session::ServerLimits;
use ron_app_sdk::{AddrB3, ByteRange};
use ron_gateway::faults::{Fault, FaultKind, FaultPlan, FaultRule};
use ron_gateway::{GatewayConfig, Limits};
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

pub(crate) async fn armed(rules: impl IntoIterator<Item = FaultRule>) -> Fixture {
    armed_with(GatewayConfig::default(), rules).await
}

async fn armed_with(config: GatewayConfig, rules: impl IntoIterator<Item = FaultRule>) -> Fixture {
    let fixture = Fixture::start(config).await;
    let plan = FaultPlan {
        seed: Some(7),
        rules: rules.into_iter().collect(),
    };
    fixture.gateway.faults().arm(plan).unwrap();
    fixture
}

/// The fault, into every put.
pub(crate) fn into_puts(fault: Fault) -> FaultRule {
    FaultRule {
        operation: Some("storage.put".to_owned()),
        ..FaultRule::new(fault)
    }
}

fn get(address: AddrB3, range: Option<(u64, u64)>) -> Operation<'static> {
    let range = range.map(|(first, last)| ByteRange::new(first, last).unwrap());
    Operation::StorageGet { address, range }
}

fn head(body: &[u8]) -> Operation<'static> {
    Operation::StorageHead {
        address: AddrB3::of(body),
    }
}

pub(crate) async fn is_stored(connection: &mut Connection, body: &[u8]) -> bool {
    connection.call(head(body), b"").await.code == 200
}

/// The meta, where it is what the operation's reply is to be.
fn object(answer: &Answer) -> Result<ObjectReply, serde_json::Error> {
    serde_json::from_slice(&answer.meta)
}

#[tokio::test]
async fn a_call_is_refused_before_it_is_executed() {
    for (fault, reason, retry_after_ms) in [
        (
            Fault::RateLimited {
                retry_after_ms: Some(0),
            },
            Reason::RateLimited,
            Some(0),
        ),
        (
            Fault::ErrorBefore {
                reasons: vec![Reason::Unavailable],
                retry_after_ms: Some(u64::MAX),
            },
            Reason::Unavailable,
            Some(u64::MAX),
        ),
        (
            Fault::ErrorBefore {
                reasons: vec![Reason::Internal],
                retry_after_ms: Some(1),
            },
            Reason::Internal,
            None,
        ),
        (Fault::CapabilityExpired, Reason::CapabilityExpired, None),
    ] {
        let kind = fault.kind();
        let fixture = armed([into_puts(fault)]).await;
        let mut connection = fixture.connect().await;
        let error = connection.call(Operation::StoragePut, b"x").await.error();
        assert_eq!((error.reason, error.executed), (reason, Executed::No));
        assert_eq!(error.retry_after_ms, retry_after_ms);
        assert!(!is_stored(&mut connection, b"x").await);
        assert_eq!(fixture.gateway.faults().fired(kind), 1);
        let line = format!(r#"ron_gateway_faults_injected_total{{kind="{kind}"}} 1"#);
        assert!(fixture.gateway.metrics().text().contains(&line), "{line}");
    }
}

#[tokio::test]
async fn one_draw_in_five_is_a_server_error_and_one_in_fifty_is_silence() {
    const CALLS: u64 = 2000;
    let variables = [("5XX", "0.2"), ("TIMEOUT", "0.02"), ("SEED", "7")]
        .map(|(name, value)| (format!("RON_GATEWAY_FAULT_{name}").into(), value.into()));
    let plan = FaultPlan::from_variables(variables).unwrap().unwrap();
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let faults = fixture.gateway.faults();
    assert_eq!(faults.arm(plan), Ok(7));
    let edge = Operation::EdgeHead {
        path: "/ron/64k".into(),
    };
    let silences = || faults.fired(FaultKind::BlackHole) + faults.fired(FaultKind::DropReply);
    let mut codes: BTreeMap<u16, u64> = BTreeMap::new();
    let mut connection = fixture.connect().await;
    for _ in 0..CALLS {
        let silent = silences();
        let (tag, corr_id) = connection.send(&edge, b"", MINUTE).await;
        tokio::select! {
            answer = connection.answer(tag) => *codes.entry(answer.code).or_default() += 1,
            () = eventually(|| silences() > silent) => connection.session.cancel(corr_id),
        }
    }
    assert_eq!(faults.decisions(), CALLS);
    let errors: u64 = codes.range(500..).map(|(_, count)| count).sum();
    assert_eq!(faults.fired(FaultKind::ErrorBefore), errors);
    assert_eq!(faults.total(), errors + silences());
    for (count, probability) in [
        (errors, 0.2),
        (silences(), 0.02),
        (faults.total(), 0.22),
        (codes[&500], 0.05),
        (codes[&502], 0.05),
        (codes[&503], 0.05),
        (codes[&504], 0.05),
    ] {
        let expected = CALLS as f64 * probability;
        let sigma = (expected * (1.0 - probability)).sqrt();
        let distance = (count as f64 - expected).abs();
        assert!(
            distance <= 3.0 * sigma,
            "{count}, not {expected} ± 3 × {sigma}"
        );
    }
}

#[tokio::test]
async fn an_error_after_the_execution_leaves_its_effect_in_doubt() {
    let fault = Fault::ErrorAfter {
        reasons: vec![Reason::Internal],
        retry_after_ms: None,
    };
    let once = FaultRule {
        times: Some(1),
        ..into_puts(fault)
    };
    let fixture = armed([once]).await;
    let mut connection = fixture.connect().await;
    let error = connection.call(Operation::StoragePut, b"x").await.error();
    assert_eq!(
        (error.reason, error.executed),
        (Reason::Internal, Executed::Unknown)
    );
    assert!(is_stored(&mut connection, b"x").await);
    assert_eq!(connection.call(Operation::StoragePut, b"x").await.code, 200);
    assert_eq!(fixture.gateway.faults().fired(FaultKind::ErrorAfter), 1);
}

#[tokio::test]
async fn a_call_without_a_reply_keeps_its_slot_until_it_is_cancelled() {
    for (fault, is_executed) in [(Fault::BlackHole, false), (Fault::DropReply, true)] {
        let kind = fault.kind();
        let limits = Limits {
            session: ServerLimits {
                max_in_flight: 2,
                ..ServerLimits::default()
            },
            ..Limits::default()
        };
        let config = GatewayConfig {
            limits,
            ..GatewayConfig::default()
        };
        let fixture = armed_with(config, [into_puts(fault)]).await;
        let mut connection = fixture.connect().await;
        // Its deadline passes without a reply too.
        let (_, first) = connection.send(&Operation::StoragePut, b"x", 50).await;
        assert_eq!(is_stored(&mut connection, b"x").await, is_executed);
        connection.send(&Operation::StoragePut, b"y", MINUTE).await;
        assert_eq!(connection.session.open_calls(), 2);
        tokio::time::sleep(Duration::from_millis(200)).await;
        eventually(|| fixture.gateway.faults().fired(kind) == 2).await;
        assert_eq!(connection.session.open_calls(), 2);

        connection.session.cancel(first);
        while connection.session.open_calls() > 1 {
            connection.exchange().await;
        }
        assert_eq!(fixture.gateway.metrics().calls("storage", "put", 499), 1);
        assert_eq!(is_stored(&mut connection, b"x").await, is_executed);
        assert_eq!(fixture.gateway.metrics().calls("storage", "put", 200), 0);
        drop(connection);
        let metrics = fixture.gateway.metrics();
        eventually(|| metrics.connections_open() == 0).await;
    }
}

#[tokio::test]
async fn a_connection_is_reset_after_the_execution() {
    let fixture = armed([into_puts(Fault::Reset)]).await;
    let mut connection = fixture.connect().await;
    connection.send(&Operation::StoragePut, b"x", MINUTE).await;
    let end = within(5, connection.stream.read(&mut [0; 1024])).await;
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(is_stored(&mut fixture.connect().await, b"x").await);
    assert_eq!(fixture.gateway.faults().fired(FaultKind::Reset), 1);
}

#[tokio::test]
async fn calls_are_delayed_before_and_after_their_execution() {
    let latency = Fault::Latency {
        p50_ms: 200,
        p90_ms: 200,
        p99_ms: 200,
    };
    for (fault, is_executed_at_once) in
        [(latency, false), (Fault::LateReply { after_ms: 150 }, true)]
    {
        let kind = fault.kind();
        let fixture = armed([into_puts(fault)]).await;
        let mut connection = fixture.connect().await;
        let began = Instant::now();
        let (put, _) = connection.send(&Operation::StoragePut, b"x", MINUTE).await;
        assert_eq!(is_stored(&mut connection, b"x").await, is_executed_at_once);
        assert_eq!(connection.answer(put).await.code, 200);
        assert!(
            began.elapsed() >= Duration::from_millis(100),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(fixture.gateway.faults().fired(kind), 1);

        // Only what is executed late enough is too late.
        let late = connection
            .call_within(Operation::StoragePut, b"y", 50)
            .await;
        assert_eq!(late.code, if is_executed_at_once { 200 } else { 408 });
    }
}

#[tokio::test]
async fn a_storm_is_over_after_its_time() {
    let storm = FaultRule {
        for_ms: Some(300),
        ..FaultRule::new(Fault::RateLimited {
            retry_after_ms: None,
        })
    };
    let fixture = armed([storm]).await;
    let mut connection = fixture.connect().await;
    let mut refused = 0;
    let began = Instant::now();
    while connection.call(Operation::StoragePut, b"x").await.code == 429 {
        refused += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(refused > 0 && began.elapsed() < Duration::from_secs(3));
    assert_eq!(
        fixture.gateway.faults().fired(FaultKind::RateLimited),
        refused
    );
}

#[tokio::test]
async fn a_rule_can_wait_for_a_certain_attempt() {
    let second = FaultRule {
        attempt: Some(2),
        ..FaultRule::new(Fault::CapabilityExpired)
    };
    let fixture = armed([second]).await;
    let mut connection = fixture.connect().await;
    for (attempt, code) in [(1, 200), (2, 401), (3, 200)] {
        let meta = format!(r#"{{"op":"put","deadline_ms":60000,"attempt":{attempt}}}"#);
        let plane = Operation::StoragePut.plane();
        let (put, _) = connection.send_meta(plane, meta.as_bytes(), b"x").await;
        assert_eq!(connection.answer(put).await.code, code);
    }
    let recent = fixture.gateway.faults().recent();
    assert_eq!(
        (&*recent[0].operation, recent[0].attempt),
        ("storage.put", 2)
    );
}

#[tokio::test]
async fn a_read_comes_back_wrong_in_each_way() {
    let body = b"0123456789";
    let address = AddrB3::of(body);
    let whole = get(address, None);
    type Check = fn(&Answer) -> bool;
    let checks: [(Fault, Operation<'_>, Check); 11] = [
        (Fault::CorruptBody, whole.clone(), |answer| {
            let differences = answer
                .body
                .iter()
                .zip(b"0123456789")
                .filter(|(a, b)| a != b);
            differences.count() == 1 && answer.body.len() == 10
        }),
        (Fault::ShortBody { bytes: 3 }, whole.clone(), |answer| {
            &answer.body[..] == b"0123456" && answer.object().size == 10
        }),
        (Fault::LongBody { bytes: 2 }, whole.clone(), |answer| {
            &answer.body[..] == b"0123456789\0\0" && answer.object().size == 10
        }),
        (Fault::WrongAddress, whole.clone(), |answer| {
            &answer.body[..] == b"0123456789"
                && answer.object().address != AddrB3::of(b"0123456789")
        }),
        (Fault::WrongAddress, head(body), |answer| {
            answer.object().address != AddrB3::of(b"0123456789")
        }),
        (Fault::WrongRange, get(address, Some((2, 4))), |answer| {
            answer.object().range == ByteRange::new(3, 5).ok() && &answer.body[..] == b"234"
        }),
        (Fault::UnknownField, whole.clone(), |answer| {
            object(answer).unwrap_err().to_string().contains("surprise")
        }),
        (Fault::WrongType, whole.clone(), |answer| {
            object(answer).is_err() && answer.meta.starts_with(b"{")
        }),
        (Fault::DeepMeta, whole.clone(), |answer| {
            object(answer).is_err() && answer.meta.starts_with(&[b'['; 8000])
        }),
        (Fault::Status { code: 302 }, whole.clone(), |answer| {
            answer.code == 302 && answer.object().size == 10
        }),
        (Fault::Status { code: 799 }, whole.clone(), |answer| {
            answer.code == 799
        }),
    ];
    for (fault, operation, is_as_expected) in checks {
        let kind = fault.kind();
        let fixture = armed([]).await;
        let mut connection = fixture.connect().await;
        connection.call(Operation::StoragePut, body).await;
        fixture
            .gateway
            .faults()
            .arm(FaultPlan::from_iter([fault]))
            .unwrap();
        let answer = connection.call(operation, b"").await;
        assert!(is_as_expected(&answer), "{kind}: {answer:?}");
        assert_eq!(fixture.gateway.faults().fired(kind), 1, "{kind}");
        fixture.gateway.faults().disarm();
        let answer = connection.call(whole.clone(), b"").await;
        assert_eq!((answer.code, &answer.body[..]), (200, &body[..]), "{kind}");
    }
}

#[tokio::test]
async fn a_receipt_names_another_address() {
    let fixture = armed([FaultRule::new(Fault::WrongReceipt)]).await;
    let mut connection = fixture.connect().await;
    let put = connection.call(Operation::StoragePut, b"x").await;
    let receipt: StoragePutReply = put.put();
    assert_ne!(receipt.address, AddrB3::of(b"x"));
    assert_eq!(receipt.executed, Executed::Yes);
    assert!(is_stored(&mut connection, b"x").await);
}

#[tokio::test]
async fn what_does_not_fit_an_answer_is_not_counted() {
    let once = FaultRule {
        times: Some(1),
        ..FaultRule::new(Fault::CorruptBody)
    };
    let fixture = armed([once]).await;
    let mut connection = fixture.connect().await;
    let absent = connection.call(get(AddrB3::of(b"x"), None), b"").await;
    assert_eq!((absent.code, fixture.gateway.faults().total()), (404, 0));
    connection.call(Operation::StoragePut, b"x").await;
    for (expected, total) in [(false, 1), (true, 1)] {
        let answer = connection.call(get(AddrB3::of(b"x"), None), b"").await;
        assert_eq!(&answer.body[..] == b"x", expected);
        assert_eq!(fixture.gateway.faults().total(), total);
    }
}
