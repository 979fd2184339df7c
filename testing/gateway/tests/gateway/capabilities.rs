//! What a capability allows, over both faces.

use crate::http_face::request;
use crate::index;
use crate::mailbox;
use crate::support::{Answer, Connection, Fixture, MINUTE};
use bytes::Bytes;
use ron_app_sdk::oap::{ErrorReply, Executed, Operation, Plane, Reason};
use ron_app_sdk::session::{ClientEvent, Request};
use ron_app_sdk::{AddrB3, Capability};
use ron_gateway::capability::{
    CapabilityCheck, Clock, Grant, Identifier, KeyRing, Minter, Revocations,
};
use ron_gateway::store::{Object, ObjectStore, Part, PutError};
use ron_gateway::{Backends, GatewayConfig, Limits, ReadError, Selection};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Instant;
use tokio::io::AsyncWriteExt;

const TENANT: &str = "tenant=000000000000000000000000000000aa";

async fn fixture() -> Fixture {
    Fixture::start(GatewayConfig::default()).await
}

/// A clock that a test sets, in a configuration.
fn clocked(now: u64) -> (GatewayConfig, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(now));
    let shown = Arc::clone(&time);
    let config = GatewayConfig {
        clock: Clock::new(move || shown.load(Ordering::Relaxed)),
        ..GatewayConfig::default()
    };
    (config, time)
}

fn edge_head(path: &str) -> Operation<'_> {
    Operation::EdgeHead { path: path.into() }
}

async fn connect(fixture: &Fixture, capability: &Capability) -> Connection {
    let mut connection = fixture.connect().await;
    connection.capability = capability.expose().to_vec();
    connection
}

fn denied(answer: &Answer) -> ErrorReply {
    assert_eq!(answer.code, 403);
    let error = answer.error();
    assert_eq!(error.reason, Reason::CapabilityDenied);
    assert_eq!(error.executed, Executed::No);
    error
}

#[tokio::test]
async fn each_caveat_allows_and_denies_over_oap() {
    let fixture = fixture().await;
    let mut connection = fixture.connect().await;
    let head = r#"{"op":"head","deadline_ms":9000,"attempt":1,"path":"/ron/64k"}"#;
    let put = r#"{"op":"put","deadline_ms":9000,"attempt":1}"#;
    let keyed = r#"{"op":"put","deadline_ms":9000,"attempt":1,"idem":"inv-1"}"#;
    for (caveat, plane, meta, body, allowed) in [
        ("op=edge.head", Plane::Edge, head, &b""[..], true),
        ("op=edge.get,storage.put", Plane::Edge, head, b"", false),
        ("op=edge.get,storage.put", Plane::Storage, put, b"x", true),
        ("path^=/ron/", Plane::Edge, head, b"", true),
        ("path^=/other/", Plane::Edge, head, b"", false),
        ("path^=/ron/", Plane::Storage, put, b"x", false),
        ("topic^=a", Plane::Edge, head, b"", false),
        ("max_bytes<2", Plane::Storage, put, b"x", true),
        ("max_bytes<2", Plane::Storage, put, b"xx", false),
        ("idem_scope=inv-", Plane::Storage, keyed, b"x", true),
        ("idem_scope=other-", Plane::Storage, keyed, b"x", false),
        ("idem_scope=inv-", Plane::Storage, put, b"x", false),
        ("idem_scope=inv-", Plane::Edge, head, b"", true),
        ("exp<99999999999", Plane::Edge, head, b"", true),
        ("nbf>1", Plane::Edge, head, b"", true),
        ("nbf>99999999999", Plane::Edge, head, b"", false),
    ] {
        let capability = fixture.gateway.mint("alice", &[caveat]).unwrap();
        connection.capability = capability.expose().to_vec();
        let (tag, _) = connection.send_meta(plane, meta.as_bytes(), body).await;
        let answer = connection.answer(tag).await;
        if allowed {
            assert_eq!(answer.code, 200, "{caveat} {meta}");
        } else {
            let detail = denied(&answer).detail.unwrap();
            let kind = &caveat[..caveat.find(['=', '<', '>']).unwrap() + 1];
            assert!(detail.contains(kind), "{caveat}: {detail}");
        }
    }
}

#[tokio::test]
async fn the_same_rules_hold_over_http() {
    let (config, time) = clocked(1000);
    let mut fixture = Fixture::start(config).await;
    let caveats = ["op=edge.get,storage.put", "path^=/ron/", "exp<2000"];
    fixture.capability = fixture.gateway.mint("alice", &caveats).unwrap();
    let get = request(&fixture, "GET /edge/ron/64k", "", b"").await;
    assert_eq!(get.status, 200);
    // Encoded or not, the prefix is compared with the path that is looked up.
    let encoded = request(&fixture, "GET /edge/%72on/64k", "", b"").await;
    assert_eq!(encoded.status, 200);
    for (line, headers, body) in [
        ("HEAD /edge/ron/64k", "", &b""[..]),
        ("GET /edge/other", "", b""),
        ("POST /put", "Content-Length: 1\r\n", b"x"),
    ] {
        let response = request(&fixture, line, headers, body).await;
        assert_eq!(response.status, 403, "{line}");
        if !line.starts_with("HEAD") {
            assert_eq!(response.reason(), Reason::CapabilityDenied, "{line}");
        }
    }
    time.store(2060, Ordering::Relaxed);
    let late = request(&fixture, "GET /edge/ron/64k", "", b"").await;
    assert_eq!(
        (late.status, late.reason()),
        (401, Reason::CapabilityExpired)
    );

    // A tenant of the token counts where none can be named.
    time.store(1000, Ordering::Relaxed);
    fixture.capability = fixture.gateway.mint("alice", &[TENANT]).unwrap();
    let get = request(&fixture, "GET /edge/ron/64k", "", b"").await;
    assert_eq!(get.status, 200);
}

#[tokio::test]
async fn a_tokens_tenant_is_its_calls_tenant() {
    let fixture = fixture().await;
    let capability = fixture.gateway.mint("alice", &[TENANT]).unwrap();
    let mut connection = connect(&fixture, &capability).await;
    for (tenant_id, allowed) in [(0, true), (0xaa, true), (0xab, false)] {
        connection.tenant_id = tenant_id;
        let answer = connection.call(edge_head("/ron/64k"), b"").await;
        if allowed {
            assert_eq!(answer.code, 200, "{tenant_id:x}");
        } else {
            denied(&answer);
        }
    }
}

#[tokio::test]
async fn forged_foreign_and_unknown_tokens_are_denied() {
    let fixture = fixture().await;
    let good = fixture.gateway.mint("alice", &[]).unwrap();
    let foreign = KeyRing::generate("dev").unwrap().minter(None).unwrap();
    let mut forged = good.expose().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let mut connection = fixture.connect().await;
    for token in [
        forged,
        foreign.mint("alice", &[]).unwrap().expose().to_vec(),
        good.attenuate("color=red").unwrap().expose().to_vec(),
        good.attenuate("op=").unwrap().expose().to_vec(),
    ] {
        connection.capability = token;
        denied(&connection.call(edge_head("/ron/64k"), b"").await);
    }
    let wide = fixture.gateway.mint("alice", &["op=edge.head"]).unwrap();
    let narrow = wide.attenuate("op=edge.get").unwrap();
    connection.capability = narrow.expose().to_vec();
    denied(&connection.call(edge_head("/ron/64k"), b"").await);
    connection.capability = good.expose().to_vec();
    let answer = connection.call(edge_head("/ron/64k"), b"").await;
    assert_eq!(answer.code, 200);
}

#[tokio::test]
async fn a_token_expires_after_the_skew_and_while_a_body_is_on_its_way() {
    let (config, time) = clocked(1000);
    let fixture = Fixture::start(config).await;
    let capability = fixture.gateway.mint("alice", &["exp<2000"]).unwrap();
    let mut connection = connect(&fixture, &capability).await;
    for (now, code) in [(1999, 200), (2059, 200), (2060, 401)] {
        time.store(now, Ordering::Relaxed);
        let answer = connection.call(Operation::StoragePut, b"x").await;
        assert_eq!(answer.code, code, "{now}");
    }

    time.store(2059, Ordering::Relaxed);
    let body = vec![7; 100_000];
    let request = Request {
        plane: Plane::Storage,
        tenant_id: 0,
        capability: capability.expose(),
        meta: br#"{"op":"put","deadline_ms":9000,"attempt":1}"#,
    };
    let mut out = Vec::new();
    let tag = usize::MAX;
    let sent = connection
        .session
        .start(tag, &request, body.len(), &mut out);
    let sent = sent.unwrap();
    out.extend_from_slice(&body[sent.body.clone()]);
    connection.stream.write_all(&out).await.unwrap();
    // Once a later call is answered, the head of this one was let pass.
    let answer = connection.call(edge_head("/ron/64k"), b"").await;
    assert_eq!(answer.code, 200);
    time.store(2060, Ordering::Relaxed);
    let (mut out, mut from) = (Vec::new(), sent.body.end);
    let corr_id = sent.corr_id;
    while let Some(next) = connection
        .session
        .resume(corr_id, from, body.len(), &mut out)
    {
        out.extend_from_slice(&body[next.body.clone()]);
        from = next.body.end;
    }
    connection.stream.write_all(&out).await.unwrap();
    let error = connection.answer(tag).await.error();
    assert_eq!(error.reason, Reason::CapabilityExpired);
    assert_eq!(error.executed, Executed::No);
    time.store(1000, Ordering::Relaxed);
    let address = AddrB3::of(&body);
    let head = connection.call(Operation::StorageHead { address }, b"");
    assert_eq!(head.await.code, 404);
}

#[tokio::test]
async fn a_revoked_token_is_denied_and_another_one_of_its_subject_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revoked");
    std::fs::write(&path, "").unwrap();
    let revocations = Revocations::open(&path).unwrap();
    let config = GatewayConfig {
        revocations: revocations.clone(),
        ..GatewayConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let stolen = fixture.gateway.mint("alice", &[]).unwrap();
    let narrowed = stolen.attenuate("op=edge.head").unwrap();
    let mut connection = connect(&fixture, &stolen).await;
    let answer = connection.call(edge_head("/ron/64k"), b"").await;
    assert_eq!(answer.code, 200);

    let token = ron_app_sdk::Macaroon::parse(stolen.expose()).unwrap();
    let token_id = Identifier::parse(token.identifier()).unwrap().token_id();
    assert!(Revocations::append(&path, token_id).unwrap());
    assert!(revocations.refresh().unwrap());
    for token in [stolen, narrowed] {
        connection.capability = token.expose().to_vec();
        denied(&connection.call(edge_head("/ron/64k"), b"").await);
    }
    let other = fixture.gateway.mint("alice", &[]).unwrap();
    connection.capability = other.expose().to_vec();
    let answer = connection.call(edge_head("/ron/64k"), b"").await;
    assert_eq!(answer.code, 200);
}

/// A store that never answers a `head`.
struct Stuck;

impl ObjectStore for Stuck {
    fn put(&self, _: AddrB3, _: Bytes, _: Instant) -> ron_gateway::Answer<Result<(), PutError>> {
        ron_gateway::Answer::Ready(Ok(()))
    }

    fn head(&self, _: AddrB3) -> ron_gateway::Answer<Result<Object, ReadError>> {
        ron_gateway::Answer::pending(std::future::pending())
    }

    fn read(&self, _: AddrB3, _: Selection) -> ron_gateway::Answer<Result<Part, ReadError>> {
        ron_gateway::Answer::Ready(Err(ReadError::NotFound))
    }
}

/// Returns when the gateway has read everything that was sent on the connection.
async fn is_being_executed(connection: &mut Connection) {
    connection.session.ping(7);
    let pong = |event| matches!(event, ClientEvent::Pong { .. }).then_some(());
    connection.until(pong).await;
}

#[tokio::test]
async fn a_subjects_calls_at_once_are_limited_over_all_of_its_connections() {
    let config = GatewayConfig {
        limits: Limits {
            max_calls_per_subject: 1,
            ..Limits::default()
        },
        ..GatewayConfig::default()
    };
    let mut backends = Backends::in_memory(&config).unwrap();
    backends.objects = Arc::new(Stuck);
    let fixture = Fixture::start_with(config, backends).await;
    let mint = |subject| fixture.gateway.mint(subject, &[]).unwrap();
    let (alice, bob) = (mint("alice"), mint("bob"));
    let mut first = connect(&fixture, &alice).await;
    let address = AddrB3::of(b"");
    let (_, corr_id) = first
        .send(&Operation::StorageHead { address }, b"", MINUTE)
        .await;
    is_being_executed(&mut first).await;

    let mut second = connect(&fixture, &mint("alice")).await;
    let error = second.call(Operation::StoragePut, b"x").await.error();
    assert_eq!(error.reason, Reason::RateLimited);
    assert_eq!(error.executed, Executed::No);
    assert!(error.retry_after_ms.is_some());
    let mut other = connect(&fixture, &bob).await;
    assert_eq!(other.call(Operation::StoragePut, b"x").await.code, 200);

    // A call that was given up counts no more; nor does one whose connection is gone.
    first.session.cancel(corr_id);
    let free = |event| matches!(event, ClientEvent::SlotFree).then_some(());
    first.until(free).await;
    assert_eq!(second.call(Operation::StoragePut, b"x").await.code, 200);
    first
        .send(&Operation::StorageHead { address }, b"", MINUTE)
        .await;
    is_being_executed(&mut first).await;
    assert_eq!(second.call(Operation::StoragePut, b"x").await.code, 429);
    drop(first);
    while second.call(Operation::StoragePut, b"x").await.code == 429 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_subjects_rate_is_limited() {
    let config = GatewayConfig {
        limits: Limits {
            calls_per_second_per_subject: NonZeroU32::new(1),
            ..Limits::default()
        },
        ..GatewayConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let mut connection = fixture.connect().await;
    let answer = connection.call(edge_head("/ron/64k"), b"").await;
    assert_eq!(answer.code, 200);
    let error = connection.call(edge_head("/ron/64k"), b"").await.error();
    assert_eq!(error.reason, Reason::RateLimited);
    assert!(error.retry_after_ms.is_some_and(|millis| millis <= 1000));
}

/// A check of another kind, which lets everybody pass.
struct Anyone(Minter);

impl CapabilityCheck for Anyone {
    fn check(&self, tenant_id: u128, _: &[u8]) -> Result<Grant, ErrorReply> {
        Ok(Grant::unrestricted(tenant_id, "anyone"))
    }

    fn minter(&self) -> Option<Minter> {
        Some(self.0.clone())
    }
}

#[tokio::test]
async fn a_gateway_can_have_another_check() {
    let config = GatewayConfig::default();
    let mut backends = Backends::in_memory(&config).unwrap();
    let minter = backends.capabilities.minter().unwrap();
    backends.capabilities = Arc::new(Anyone(minter));
    let fixture = Fixture::start_with(config, backends).await;
    let mut connection = fixture.connect().await;
    connection.capability = Vec::new();
    let answer = connection.call(edge_head("/ron/64k"), b"").await;
    assert_eq!(answer.code, 200);
}

#[tokio::test]
async fn a_capability_for_one_topic_is_for_nothing_else() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let narrow = fixture.gateway.mint("test", &["topic=orders"]).unwrap();
    let mut connection = fixture.connect().await;
    connection.capability = narrow.expose().to_vec();
    let receive = |from| mailbox::receive(from, 1, 0, "r");
    for (operation, body, code) in [
        (mailbox::send("orders"), &b"1"[..], 200),
        (receive("orders"), b"", 200),
        (mailbox::send("other"), b"1", 403),
        (receive("orders.dead"), b"", 403),
        (Operation::StoragePut, b"1", 403),
        (index::publish("orders", b"1", None), b"", 403),
    ] {
        let answer = connection.call(operation.clone(), body).await;
        assert_eq!(answer.code, code, "{operation:?}");
    }
}
