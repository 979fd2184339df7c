//! Calls over OAP: each operation, and each way to be refused.

use crate::support::{connector, identity_of, tls, within, Fixture, MINUTE};
use ron_app_sdk::oap::{
    split_meta, ErrorReply, Executed, Flags, Frame, Header, Operation, Plane, Reason, HEADER_LEN,
    MAX_BODY,
};
use ron_app_sdk::{AddrB3, ByteRange};
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::{edge, Gateway, GatewayConfig};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn range(first: u64, last: u64) -> Option<ByteRange> {
    Some(ByteRange::new(first, last).unwrap())
}

#[tokio::test]
async fn an_object_is_put_read_in_part_and_described() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut connection = fixture.connect().await;
    let object: Vec<u8> = (0..200_000u32).map(|i| (i / 7) as u8).collect();
    let address = AddrB3::of(&object);

    let put = connection.call(Operation::StoragePut, &object).await;
    assert_eq!(put.code, 200);
    let reply = put.put();
    assert_eq!((reply.executed, reply.replayed), (Executed::Yes, false));
    assert_eq!((reply.address, reply.size), (address, 200_000));

    let whole = connection
        .call(
            Operation::StorageGet {
                address,
                range: None,
            },
            b"",
        )
        .await;
    assert_eq!((whole.code, whole.object().range), (200, None));
    assert_eq!(whole.body, object);

    let clipped = range(199_990, 300_000);
    let part = connection
        .call(
            Operation::StorageGet {
                address,
                range: clipped,
            },
            b"",
        )
        .await;
    assert_eq!(
        (part.code, part.object().range),
        (206, range(199_990, 199_999))
    );
    assert_eq!(part.body, object[199_990..]);

    let head = connection
        .call(Operation::StorageHead { address }, b"")
        .await;
    assert_eq!(
        (head.code, head.object().size, head.body.len()),
        (200, 200_000, 0)
    );

    let metrics = fixture.gateway.metrics();
    assert_eq!(metrics.connections_accepted(), 1);
    assert_eq!(metrics.calls("storage", "put", 200), 1);
    assert_eq!(metrics.calls("storage", "get", 206), 1);
}

#[tokio::test]
async fn the_largest_body_passes_in_both_directions_and_one_byte_more_does_not() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut connection = fixture.connect().await;
    let object = vec![42; MAX_BODY];
    let put = connection.call(Operation::StoragePut, &object).await;
    let address = put.put().address;
    let get = connection
        .call(
            Operation::StorageGet {
                address,
                range: None,
            },
            b"",
        )
        .await;
    assert!(get.body == object);

    // The client's session refuses a longer body, so this request is written by hand: a START with the
    // meta, and body frames of which the last one is a byte too long.
    let meta = br#"{"op":"put","deadline_ms":60000,"attempt":1}"#;
    let mut request = Vec::new();
    let mut frame = |flags: Flags, cap: &[u8], payload: &[u8]| {
        let header = Header {
            len: (HEADER_LEN + cap.len() + payload.len()) as u32,
            flags,
            code: 0,
            app_proto_id: Plane::Storage.id(),
            tenant_id: 0,
            cap_len: cap.len() as u16,
            corr_id: 1,
        };
        request.extend_from_slice(&header.encode());
        request.extend_from_slice(cap);
        request.extend_from_slice(payload);
    };
    let mut start = (meta.len() as u32).to_be_bytes().to_vec();
    start.extend_from_slice(meta);
    frame(
        Flags::REQ.with(Flags::START),
        &connection.capability,
        &start,
    );
    frame(Flags::REQ, b"", &object);
    frame(Flags::REQ.with(Flags::END), b"", b"x");
    let mut raw = fixture.connect().await;
    raw.stream.write_all(&request).await.unwrap();
    let mut reply = vec![0; HEADER_LEN];
    within(5, raw.stream.read_exact(&mut reply)).await.unwrap();
    assert_eq!(u16::from_be_bytes([reply[8], reply[9]]), 413);
}

#[tokio::test]
async fn edge_objects_come_from_the_folder_and_from_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("page.html"), "<p>hello</p>").unwrap();
    std::fs::write(folder.path().join("large"), vec![1; MAX_BODY + 1]).unwrap();
    let config = GatewayConfig {
        edge_root: Some(folder.path().to_owned()),
        ..GatewayConfig::default()
    };
    let fixture = Fixture::start(config).await;
    let mut connection = fixture.connect().await;

    let get = |path: &'static str, range| Operation::EdgeGet {
        path: path.into(),
        range,
    };
    let page = connection.call(get("/page.html", None), b"").await;
    assert_eq!((page.code, &page.body[..]), (200, &b"<p>hello</p>"[..]));
    assert_eq!(page.object().address, AddrB3::of(b"<p>hello</p>"));
    let part = connection.call(get("/page.html", range(3, 7)), b"").await;
    assert_eq!((part.code, &part.body[..]), (206, &b"hello"[..]));

    let sample = connection.call(get("/ron/64k", None), b"").await;
    assert_eq!(sample.body, edge::sample());

    let large = connection.call(get("/large", None), b"").await.error();
    assert_eq!(
        (large.reason, large.size),
        (Reason::TooLarge, Some(MAX_BODY as u64 + 1))
    );
    let past = connection
        .call(get("/page.html", range(12, 12)), b"")
        .await
        .error();
    assert_eq!(
        (past.reason, past.size),
        (Reason::RangeNotSatisfiable, Some(12))
    );
    let head = connection
        .call(
            Operation::EdgeHead {
                path: "/large".into(),
            },
            b"",
        )
        .await;
    assert_eq!(head.object().size, MAX_BODY as u64 + 1);
    for (path, code) in [
        ("/absent", 404),
        ("/a/../page.html", 400),
        ("page.html", 400),
        ("/page%2ehtml", 404),
    ] {
        let answer = connection.call(get(path, None), b"").await;
        assert_eq!(answer.code, code, "{path}");
        assert_eq!(answer.error().executed, Executed::No);
    }
}

#[tokio::test]
async fn each_refusal_leaves_the_connection_usable() {
    let fixture = Fixture::start(GatewayConfig {
        storage_limit: 10,
        ..GatewayConfig::default()
    })
    .await;
    let mut connection = fixture.connect().await;
    let address = AddrB3::of(b"absent");

    let absent = connection
        .call(Operation::StorageHead { address }, b"")
        .await
        .error();
    assert_eq!(absent.reason, Reason::NotFound);
    let with_body = connection
        .call(Operation::StorageHead { address }, b"x")
        .await
        .error();
    assert_eq!(with_body.reason, Reason::SchemaViolation);
    let late = connection
        .call_within(Operation::StoragePut, b"late", 0)
        .await
        .error();
    assert_eq!(
        (late.reason, late.executed),
        (Reason::DeadlineExceeded, Executed::No)
    );
    let full = connection
        .call(Operation::StoragePut, b"eleven byte")
        .await
        .error();
    assert_eq!(
        (full.reason, full.executed),
        (Reason::StorageFull, Executed::No)
    );

    for (plane, meta, reason) in [
        (
            Plane::Storage,
            r#"{"op":"explode","deadline_ms":1000,"attempt":1}"#,
            Reason::UnknownOperation,
        ),
        (
            Plane::Index,
            r#"{"op":"forget","deadline_ms":1000,"attempt":1}"#,
            Reason::UnknownOperation,
        ),
        (
            Plane::Storage,
            r#"{"op":"put","deadline_ms":1000}"#,
            Reason::SchemaViolation,
        ),
        (Plane::Storage, "not json", Reason::SchemaViolation),
    ] {
        let (tag, _) = connection.send_meta(plane, meta.as_bytes(), b"").await;
        assert_eq!(
            connection.answer(tag).await.error().reason,
            reason,
            "{meta}"
        );
    }

    // A plane that nobody has: written by hand, for no type of ours can say it.
    let mut stranger = fixture.connect().await;
    let meta = br#"{"op":"put","deadline_ms":1000,"attempt":1}"#;
    let mut request = Vec::new();
    let payload = [&(meta.len() as u32).to_be_bytes(), &meta[..]].concat();
    let header = Header {
        len: (HEADER_LEN + stranger.capability.len() + payload.len()) as u32,
        flags: Flags::REQ.with(Flags::START).with(Flags::END),
        code: 0,
        app_proto_id: 0x0999,
        tenant_id: 0,
        cap_len: stranger.capability.len() as u16,
        corr_id: 1,
    };
    request.extend_from_slice(&header.encode());
    request.extend_from_slice(&stranger.capability);
    request.extend_from_slice(&payload);
    stranger.stream.write_all(&request).await.unwrap();
    let mut reply = vec![0; 1024];
    let count = within(5, stranger.stream.read(&mut reply)).await.unwrap();
    let (frame, _) = Frame::decode(&reply[..count]).unwrap();
    assert_eq!(
        (frame.header.code, frame.header.app_proto_id),
        (501, 0x0999)
    );
    let (meta, _) = split_meta(frame.payload).unwrap();
    let unknown: ErrorReply = serde_json::from_slice(meta).unwrap();
    assert_eq!(unknown.reason, Reason::UnknownPlane);
    assert!(unknown.detail.unwrap().contains("0x0999"));

    connection.capability = Vec::new();
    let missing = connection
        .call(Operation::StoragePut, &[0; 100_000])
        .await
        .error();
    assert_eq!(missing.reason, Reason::CapabilityMissing);
    connection.capability = b"no macaroon".to_vec();
    let malformed = connection.call(Operation::StoragePut, b"x").await.error();
    assert_eq!(malformed.reason, Reason::CapabilityMalformed);

    connection.capability = fixture.capability.expose().to_vec();
    assert_eq!(
        connection.call(Operation::StoragePut, b"fine").await.code,
        200
    );
    assert_eq!(fixture.gateway.metrics().connections_accepted(), 2);
}

#[tokio::test]
async fn many_calls_at_once_get_their_own_answers() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut connection = fixture.connect().await;
    let objects: Vec<Vec<u8>> = (0..60).map(|i| vec![i; 20_000 + usize::from(i)]).collect();
    let mut tags = Vec::new();
    for object in &objects {
        tags.push(
            connection
                .send(&Operation::StoragePut, object, MINUTE)
                .await
                .0,
        );
    }
    for (tag, object) in tags.iter().zip(&objects).rev() {
        assert_eq!(
            connection.answer(*tag).await.put().address,
            AddrB3::of(object)
        );
    }
}

#[tokio::test]
async fn a_second_connection_resumes_the_first_ones_session() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    // The tickets arrive with the first answer.
    fixture
        .connect()
        .await
        .call(Operation::StoragePut, b"x")
        .await;
    fixture.connect().await;
    let metrics = fixture.gateway.metrics();
    assert_eq!(
        (metrics.handshakes("full"), metrics.handshakes("resumed")),
        (1, 1)
    );
}

#[tokio::test]
async fn certificates_that_a_client_must_not_accept_can_be_issued() {
    let authority = Authority::new().unwrap();
    let hour = Duration::from_secs(3600);
    let expired = CertificateRequest {
        not_before: SystemTime::now() - 2 * hour,
        not_after: SystemTime::now() - hour,
        ..CertificateRequest::localhost()
    };
    let other_name = CertificateRequest::for_names(["gateway.example"]);
    for (request, complaint) in [(expired, "expired"), (other_name, "not valid for name")] {
        let identity = identity_of(&authority, &request);
        let gateway = Gateway::start(GatewayConfig::default(), identity)
            .await
            .unwrap();
        let connector = connector(authority.certificate_der(), &[b"ron/1"]);
        let error = tls(&connector, gateway.address())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(complaint), "{error}");
    }
}
