//! The HTTP face, spoken to by hand.

use crate::support::{connector, tls, within, Fixture};
use ron_app_sdk::oap::{ErrorReply, Operation, Reason, StoragePutReply, MAX_BODY};
use ron_app_sdk::AddrB3;
use ron_gateway::{edge, GatewayConfig, Limits};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn reason(&self) -> Reason {
        serde_json::from_slice::<ErrorReply>(&self.body)
            .unwrap()
            .reason
    }
}

pub(crate) fn http(fixture: &Fixture) -> TlsConnector {
    connector(fixture.authority.certificate_der(), &[b"http/1.1"])
}

/// One request on a connection of its own, with the capability.
pub(crate) async fn request(fixture: &Fixture, line: &str, headers: &str, body: &[u8]) -> Response {
    let token = fixture.capability.expose_base64url();
    let headers = format!("Authorization: Ron {}\r\n{headers}", *token);
    bare_request(&http(fixture), fixture, line, &headers, body).await
}

pub(crate) async fn bare_request(
    connector: &TlsConnector,
    fixture: &Fixture,
    line: &str,
    headers: &str,
    body: &[u8],
) -> Response {
    request_to(connector, fixture.gateway.address(), line, headers, body).await
}

pub(crate) async fn request_to(
    connector: &TlsConnector,
    address: SocketAddr,
    line: &str,
    headers: &str,
    body: &[u8],
) -> Response {
    let mut stream = tls(connector, address).await.unwrap();
    let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.flush().await.unwrap();
    let mut bytes = Vec::new();
    within(5, stream.read_to_end(&mut bytes)).await.unwrap();
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Response {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

#[tokio::test]
async fn what_one_face_takes_the_other_gives() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let put = request(
        &fixture,
        "POST /put",
        "Content-Length: 10\r\n",
        b"0123456789",
    )
    .await;
    assert_eq!(put.status, 200);
    let reply: StoragePutReply = serde_json::from_slice(&put.body).unwrap();
    let address = reply.address;
    assert_eq!((address, reply.size), (AddrB3::of(b"0123456789"), 10));

    let mut connection = fixture.connect().await;
    let over_oap = connection
        .call(
            Operation::StorageGet {
                address,
                range: None,
            },
            b"",
        )
        .await;
    assert_eq!(&over_oap.body[..], b"0123456789");

    let get = request(&fixture, &format!("GET /o/{address}"), "", b"").await;
    assert_eq!((get.status, &get.body[..]), (200, &b"0123456789"[..]));
    assert_eq!(get.header("etag"), Some(&*format!("\"{address}\"")));
    assert_eq!(get.header("accept-ranges"), Some("bytes"));

    let head = request(&fixture, &format!("HEAD /o/{address}"), "", b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("10"));
    let head = request(&fixture, "HEAD /o/nothing", "", b"").await;
    assert_eq!((head.status, head.body.len()), (400, 0));
}

#[tokio::test]
async fn ranges_are_served_and_refused() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let sample = edge::sample();
    let ranged = |range: &'static str| {
        let fixture = &fixture;
        async move {
            request(
                fixture,
                "GET /edge/ron/64k",
                &format!("Range: {range}\r\n"),
                b"",
            )
            .await
        }
    };
    for (range, content, bytes) in [
        ("bytes=100-199", "bytes 100-199/65536", &sample[100..200]),
        ("bytes=65000-", "bytes 65000-65535/65536", &sample[65_000..]),
        ("bytes=-5", "bytes 65531-65535/65536", &sample[65_531..]),
    ] {
        let response = ranged(range).await;
        assert_eq!(
            (response.status, response.header("content-range")),
            (206, Some(content))
        );
        assert_eq!(response.body, bytes, "{range}");
    }
    let past = ranged("bytes=65536-").await;
    assert_eq!(
        (past.status, past.header("content-range")),
        (416, Some("bytes */65536"))
    );
    assert_eq!(past.reason(), Reason::RangeNotSatisfiable);
    let several = ranged("bytes=0-1,4-5").await;
    assert_eq!((several.status, several.body.len()), (200, sample.len()));
}

#[tokio::test]
async fn a_call_needs_a_capability_and_a_probe_does_not() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    // Without ALPN it is HTTP too.
    let connector = connector(fixture.authority.certificate_der(), &[]);
    for (line, headers, reason) in [
        ("GET /edge/ron/64k", "", Reason::CapabilityMissing),
        ("GET /o/nothing", "", Reason::CapabilityMissing),
        (
            "POST /put",
            "Authorization: Bearer x\r\nContent-Length: 0\r\n",
            Reason::CapabilityMissing,
        ),
        (
            "GET /edge/ron/64k",
            "Authorization: Ron x\r\n",
            Reason::CapabilityMalformed,
        ),
    ] {
        let response = bare_request(&connector, &fixture, line, headers, b"").await;
        assert_eq!(
            (response.status, response.reason()),
            (403, reason),
            "{line} {headers}"
        );
    }
    for path in ["/healthz", "/readyz", "/version"] {
        let response = bare_request(&connector, &fixture, &format!("GET {path}"), "", b"").await;
        assert_eq!(response.status, 200, "{path}");
    }
}

#[tokio::test]
async fn too_long_a_body_is_refused_before_and_while_it_comes() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let announced = format!("Content-Length: {}\r\n", MAX_BODY + 1);
    let response = request(&fixture, "POST /put", &announced, b"").await;
    assert_eq!(
        (response.status, response.reason()),
        (413, Reason::TooLarge)
    );

    let mut chunked = format!("{:x}\r\n", MAX_BODY + 1).into_bytes();
    chunked.resize(chunked.len() + MAX_BODY + 1, 7);
    let response = request(
        &fixture,
        "POST /put",
        "Transfer-Encoding: chunked\r\n",
        &chunked,
    )
    .await;
    assert_eq!(
        (response.status, response.reason()),
        (413, Reason::TooLarge)
    );
}

#[tokio::test]
async fn a_slow_request_is_cut_off() {
    let frame = Duration::from_millis(100);
    let limits = Limits {
        frame,
        ..Limits::default()
    };
    let fixture = Fixture::start(GatewayConfig {
        limits,
        ..GatewayConfig::default()
    })
    .await;
    let slow = request(&fixture, "POST /put", "Content-Length: 10\r\n", b"01234").await;
    assert_eq!(
        (slow.status, slow.reason()),
        (408, Reason::DeadlineExceeded)
    );

    let mut silent = tls(&http(&fixture), fixture.gateway.address())
        .await
        .unwrap();
    silent
        .write_all(b"GET /healthz HTTP/1.1\r\n")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    // Cut off, with or without an orderly end.
    let _ = within(5, silent.read_to_end(&mut bytes)).await;
    assert!(!bytes.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_drain_ends_idle_connections() {
    let fixture = Fixture::start(GatewayConfig::default()).await;
    let mut stream = tls(&http(&fixture), fixture.gateway.address())
        .await
        .unwrap();
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut input = [0; 1024];
    let count = within(5, stream.read(&mut input)).await.unwrap();
    assert!(input[..count].starts_with(b"HTTP/1.1 200"));
    within(5, fixture.gateway.drain()).await;
    assert_eq!(within(5, stream.read(&mut input)).await.unwrap(), 0);
}
