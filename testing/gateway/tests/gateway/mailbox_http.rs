//! Mailbox and index over HTTP.

use crate::http_face::{http, request, Response};
use crate::index;
use crate::mailbox::{receive, send};
use crate::support::{eventually, tls, within, Fixture};
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use ron_app_sdk::oap::{MailboxReceiveReply, Reason};
use ron_app_sdk::AddrB3;
use ron_gateway::GatewayConfig;
use serde_json::{json, Value};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

async fn started() -> Fixture {
    Fixture::start(GatewayConfig {
        ledger: true,
        ..GatewayConfig::default()
    })
    .await
}

async fn post(fixture: &Fixture, path: &str, headers: &str, body: &[u8]) -> Response {
    let headers = format!("Content-Length: {}\r\n{headers}", body.len());
    request(fixture, &format!("POST {path}"), &headers, body).await
}

async fn post_json(fixture: &Fixture, path: &str, document: Value) -> Response {
    post(fixture, path, "", document.to_string().as_bytes()).await
}

fn document(response: &Response) -> Value {
    let text = String::from_utf8_lossy(&response.body);
    assert_eq!(response.status, 200, "{text}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    serde_json::from_slice(&response.body).unwrap()
}

#[tokio::test]
async fn a_message_goes_through_its_whole_life() {
    let fixture = started().await;
    let headers = "Ron-Attribute-Currency: EUR\r\n";
    let sent = post(&fixture, "/m/orders%2Fnew", headers, b"one pizza").await;
    let sent = document(&sent);
    assert_eq!(sent["executed"], "yes");
    let of_topic = |rest: &str| format!("/m/orders%2Fnew{rest}");

    let received = post_json(&fixture, &of_topic("/receive"), json!({"receive_id": "r"})).await;
    assert_eq!(received.header("idempotency-replayed"), None);
    let received = document(&received);
    let message = &received["messages"][0];
    assert_eq!(
        (&message["id"], &message["attempt"]),
        (&sent["id"], &json!(1))
    );
    assert_eq!(message["attrs"], json!({"currency": "EUR"}));
    assert_eq!(message["len"], 9);
    assert_eq!(message["address"], AddrB3::of(b"one pizza").to_string());
    assert_eq!(message["body"], STANDARD.encode("one pizza"));
    let again = post_json(&fixture, &of_topic("/receive"), json!({"receive_id": "r"})).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(document(&again)["messages"], received["messages"]);

    let lease = |more: Value| {
        let mut lease = json!({"id": message["id"], "lease": message["lease"]});
        lease
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        lease
    };
    let extend = lease(json!({"visibility_ms": 60_000}));
    let extended = post_json(&fixture, &of_topic("/extend"), extend).await;
    assert_eq!(
        document(&extended),
        json!({"executed": "yes", "replayed": false})
    );
    let nacked = post_json(&fixture, &of_topic("/nack"), lease(json!({"delay_ms": 0}))).await;
    assert_eq!(document(&nacked)["replayed"], false);
    let stale = post_json(&fixture, &of_topic("/ack"), lease(json!({}))).await;
    assert_eq!((stale.status, stale.reason()), (410, Reason::StaleLease));

    // Without a document it is one message for 30 s, under an id of its own.
    let received = document(&post(&fixture, &of_topic("/receive"), "", b"").await);
    let message = &received["messages"][0];
    assert_eq!(message["attempt"], 2);
    let ack = json!({"id": message["id"], "lease": message["lease"]});
    for replayed in [false, true] {
        let acked = post_json(&fixture, &of_topic("/ack"), ack.clone()).await;
        assert_eq!(document(&acked)["replayed"], replayed);
    }
    assert_eq!(fixture.gateway.metrics().mailbox_messages(), 0);
}

#[tokio::test]
async fn both_faces_have_the_same_messages_and_keys() {
    let fixture = started().await;
    let mut connection = fixture.connect().await;
    let key = "Idempotency-Key: k\r\n";
    let first = post(&fixture, "/m/orders", key, b"1").await;
    let again = post(&fixture, "/m/orders", key, b"1").await;
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(document(&first)["id"], document(&again)["id"]);
    let over_oap = connection.call_keyed(&send("orders"), "k", b"1").await;
    assert!(String::from_utf8_lossy(&over_oap.meta).contains(r#""replayed":true"#));
    let other = post(&fixture, "/m/orders", key, b"2").await;
    assert_eq!(other.reason(), Reason::IdempotencyMismatch);
    assert_eq!(fixture.gateway.ledger().unwrap().effects_total(), 1);

    let over_oap = connection.call(receive("orders", 9, 0, "r"), b"").await;
    let over_oap: MailboxReceiveReply = over_oap.reply();
    assert_eq!(over_oap.messages.len(), 1);
}

#[tokio::test]
async fn several_bodies_come_apart_again() {
    let fixture = started().await;
    for body in [&b"one"[..], b"", b"\xff\x00"] {
        post(&fixture, "/m/orders", "", body).await;
    }
    let received = post_json(&fixture, "/m/orders/receive", json!({"max": 64})).await;
    let received = document(&received);
    let bodies: Vec<_> = received["messages"].as_array().unwrap().iter().collect();
    let texts: Vec<_> = bodies.iter().map(|message| &message["body"]).collect();
    assert_eq!(texts, ["b25l", "", "/wA="]);
}

#[tokio::test]
async fn a_receiver_waits_and_one_that_leaves_has_leased_nothing() {
    let fixture = started().await;
    let waiting = || fixture.gateway.metrics().mailbox_waiting();
    let began = Instant::now();
    let none = post_json(&fixture, "/m/orders/receive", json!({"wait_ms": 300})).await;
    assert_eq!(document(&none)["messages"], json!([]));
    assert!(began.elapsed() >= Duration::from_millis(300));

    let mut leaving = tls(&http(&fixture), fixture.gateway.address())
        .await
        .unwrap();
    let token = fixture.capability.expose_base64url();
    let head = format!(
        "POST /m/orders/receive HTTP/1.1\r\nHost: localhost\r\nAuthorization: Ron {}\r\n\
         Content-Length: 17\r\n\r\n{{\"wait_ms\":20000}}",
        *token
    );
    leaving.write_all(head.as_bytes()).await.unwrap();
    leaving.flush().await.unwrap();
    eventually(|| waiting() == 1).await;
    drop(leaving);
    eventually(|| waiting() == 0).await;

    let waits = json!({"wait_ms": 20_000});
    let wait = post_json(&fixture, "/m/orders/receive", waits);
    let sent = async {
        eventually(|| waiting() == 1).await;
        post(&fixture, "/m/orders", "", b"1").await
    };
    let (received, _) = within(5, async { tokio::join!(wait, sent) }).await;
    assert_eq!(document(&received)["messages"][0]["attempt"], 1);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_its_code() {
    let fixture = started().await;
    let long = format!("{{\"receive_id\":\"{}\"}}", "r".repeat(17_000));
    for (line, body, code, detail) in [
        ("POST /m/Orders", "x", 400, "topic: "),
        ("POST /m/orders.dead", "x", 400, "topic: "),
        ("POST /m/%zz", "x", 400, "topic: "),
        ("POST /m/orders/receive", r#"{"max":0}"#, 400, "max: "),
        ("POST /m/orders/receive", "[", 400, "the body: "),
        ("POST /m/orders/receive", &long, 413, "16384"),
        ("POST /m/orders/ack", "{}", 400, "the body: "),
        ("POST /m/orders/peek", "{}", 404, "no such page"),
        ("GET /m/orders", "", 405, "POST"),
        ("DELETE /i/a", "", 405, "GET, HEAD, PUT"),
        ("GET /i/a%2Fb", "", 400, "key: "),
        ("GET /i/a", "x", 400, "no body"),
        ("PUT /i/a", "", 400, "the body: "),
    ] {
        let headers = format!("Content-Length: {}\r\n", body.len());
        let response = request(&fixture, line, &headers, body.as_bytes()).await;
        let text = String::from_utf8_lossy(&response.body);
        assert_eq!(response.status, code, "{line} {body}: {text}");
        assert!(text.contains(detail), "{line} {body}: {text}");
    }
    let twice = "Ron-Attribute-A: 1\r\nRon-Attribute-A: 2\r\n";
    assert_eq!(post(&fixture, "/m/orders", twice, b"").await.status, 400);
}

#[tokio::test]
async fn a_name_is_published_with_a_condition_and_resolved() {
    let fixture = started().await;
    let put = |document: Value, headers: &'static str| {
        let fixture = &fixture;
        async move {
            let body = document.to_string();
            let headers = format!("Content-Length: {}\r\n{headers}", body.len());
            request(fixture, "PUT /i/releases.latest", &headers, body.as_bytes()).await
        }
    };
    let get = request(&fixture, "GET /i/releases.latest", "", b"").await;
    assert_eq!((get.status, get.reason()), (404, Reason::NotFound));
    let address = AddrB3::of(b"1");
    let first = json!({"address": address.to_string(), "expected": "absent"});
    for replayed in [None, Some("true")] {
        let published = put(first.clone(), "Idempotency-Key: k\r\n").await;
        assert_eq!(published.header("idempotency-replayed"), replayed);
        assert_eq!(document(&published)["executed"], "yes");
    }
    let refused = put(first, "").await;
    assert_eq!(
        (refused.status, refused.reason()),
        (409, Reason::UnexpectedValue)
    );

    let get = request(&fixture, "GET /i/releases.latest", "", b"").await;
    assert_eq!(get.header("etag"), Some(&*format!("\"{address}\"")));
    let expected = json!({"executed": "no", "address": address.to_string()});
    assert_eq!(document(&get), expected);
    let head = request(&fixture, "HEAD /i/releases.latest", "", b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("etag"), get.header("etag"));
    let mut connection = fixture.connect().await;
    assert_eq!(
        index::resolve(&mut connection, "releases.latest")
            .await
            .code,
        200
    );
    assert_eq!(fixture.gateway.metrics().calls("index", "publish", 200), 2);
}
