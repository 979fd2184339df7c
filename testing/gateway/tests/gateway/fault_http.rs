//! Injected faults over HTTP, and the admin call that arms them.

use crate::faults::{armed, into_puts, is_stored};
use crate::http_face::{bare_request, http, request};
use crate::support::{tls, within, Fixture};
use ron_app_sdk::oap::{ErrorReply, Operation};
use ron_gateway::faults::{AdminToken, Fault, FaultRule};
use ron_gateway::GatewayConfig;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_reset_reaches_http_clients_too() {
    let fixture = armed([into_puts(Fault::Reset)]).await;
    let mut stream = tls(&http(&fixture), fixture.gateway.address())
        .await
        .unwrap();
    let token = fixture.capability.expose_base64url();
    let put = format!(
        "POST /put HTTP/1.1\r\nHost: localhost\r\nAuthorization: Ron {}\r\nContent-Length: 1\r\n\r\nx",
        *token
    );
    stream.write_all(put.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let end = within(5, stream.read(&mut [0; 1024])).await;
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(is_stored(&mut fixture.connect().await, b"x").await);
}

#[tokio::test]
async fn http_clients_get_errors_and_no_frame_faults() {
    let refused = Fault::RateLimited {
        retry_after_ms: Some(5),
    };
    let fixture = armed([into_puts(refused), FaultRule::new(Fault::DuplicateReply)]).await;
    let put = request(&fixture, "POST /put", "Content-Length: 1\r\n", b"x").await;
    let error: ErrorReply = serde_json::from_slice(&put.body).unwrap();
    assert_eq!((put.status, error.retry_after_ms), (429, Some(5)));
    let faults = fixture.gateway.faults();
    assert_eq!((faults.total(), faults.decisions()), (1, 1));
}

#[tokio::test]
async fn the_admin_call_is_there_only_where_a_token_was_configured() {
    let token = AdminToken::random().unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", token.expose());
    let hidden = Fixture::start(GatewayConfig::default()).await;
    for method in ["GET", "PUT", "POST"] {
        let line = format!("{method} /admin/faults");
        let answer = bare_request(&http(&hidden), &hidden, &line, &bearer, b"").await;
        assert_eq!(answer.status, 404);
    }

    let config = GatewayConfig {
        admin_token: Some(token),
        ..GatewayConfig::default()
    };
    let fixture = Fixture::start(config).await;
    // With a capability, which is no admin token.
    let refused = request(&fixture, "GET /admin/faults", "", b"").await;
    assert_eq!(refused.status, 403);
    let plan = br#"{"rules":[{"fault":"capability_expired","operation":"storage.put"}]}"#;
    let headers = format!("{bearer}Content-Length: {}\r\n", plan.len());
    let line = "PUT /admin/faults";
    let answer = bare_request(&http(&fixture), &fixture, line, &headers, plan).await;
    assert_eq!(answer.status, 200);
    let mut connection = fixture.connect().await;
    assert_eq!(connection.call(Operation::StoragePut, b"x").await.code, 401);
    let report = bare_request(&http(&fixture), &fixture, "GET /admin/faults", &bearer, b"").await;
    let report: serde_json::Value = serde_json::from_slice(&report.body).unwrap();
    assert_eq!(report["fired"]["capability_expired"], 1);
    assert_eq!(report["recent"][0]["operation"], "storage.put");
    let line = "DELETE /admin/faults";
    bare_request(&http(&fixture), &fixture, line, &bearer, b"").await;
    assert_eq!(connection.call(Operation::StoragePut, b"x").await.code, 200);
}
