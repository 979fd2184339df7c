//! What lies between the limits: refusals before the body, turns among calls and clients, quiet ends.

use crate::support::{self, connector, eventually, tls, within, Connection, Fixture, MINUTE};
use ron_app_sdk::oap::{CallContext, Executed, Operation, Plane, Reason, MAX_BODY};
use ron_app_sdk::session::Request;
use ron_app_sdk::AddrB3;
use ron_gateway::capability::KeyRing;
use ron_gateway::{GatewayConfig, Limits};
use rustix::process::{kill_process, Pid, Signal};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

const SHORT: Duration = Duration::from_millis(300);
const SLACK: Duration = Duration::from_millis(100);

async fn start(limits: Limits) -> Fixture {
    Fixture::start(GatewayConfig {
        limits,
        ..GatewayConfig::default()
    })
    .await
}

fn assert_took(began: Instant, limit: Duration) {
    let took = began.elapsed();
    assert!(
        took + SLACK >= limit && took < limit + Duration::from_secs(2),
        "{took:?}"
    );
}

fn sample() -> Operation<'static> {
    Operation::EdgeGet {
        path: "/ron/64k".into(),
        range: None,
    }
}

async fn gated(limits: Limits) -> (Fixture, Arc<Semaphore>) {
    support::gated(GatewayConfig {
        limits,
        ..GatewayConfig::default()
    })
    .await
}

/// Writes the first frame of a put of [`MAX_BODY`] bytes, and nothing more; its tag is 1000.
async fn begin_large_put(connection: &mut Connection, capability: &[u8], deadline_ms: u32) {
    let context = CallContext {
        deadline_ms,
        idem: None,
        attempt: 1,
        traceparent: None,
    };
    let mut meta = Vec::new();
    Operation::StoragePut.encode(&context, &mut meta);
    let request = Request {
        plane: Plane::Storage,
        tenant_id: 0,
        capability,
        meta: &meta,
    };
    let mut out = Vec::new();
    let sent = connection
        .session
        .start(1000, &request, MAX_BODY, &mut out)
        .unwrap();
    out.resize(out.len() + sent.body.len(), 7);
    connection.stream.write_all(&out).await.unwrap();
    connection.stream.flush().await.unwrap();
}

#[tokio::test]
async fn a_capability_is_judged_before_the_body_comes() {
    let fixture = start(Limits::default()).await;
    for (token, reason) in [
        (&b""[..], Reason::CapabilityMissing),
        (b"no macaroon", Reason::CapabilityMalformed),
    ] {
        let mut connection = fixture.connect().await;
        begin_large_put(&mut connection, token, MINUTE).await;
        let refusal = connection.answer(1000).await.error();
        assert_eq!(refusal.reason, reason);
        assert_eq!(connection.call(sample(), b"").await.code, 200);
    }
}

#[tokio::test]
async fn a_call_whose_body_does_not_come_in_time_is_refused() {
    let fixture = start(Limits::default()).await;
    let mut connection = fixture.connect().await;
    let began = Instant::now();
    begin_large_put(&mut connection, fixture.capability.expose(), 300).await;
    let refusal = connection.answer(1000).await.error();
    assert_took(began, SHORT);
    assert_eq!(refusal.reason, Reason::DeadlineExceeded);
    assert_eq!(refusal.executed, Executed::No);
    assert_eq!(connection.call(sample(), b"").await.code, 200);
}

#[tokio::test]
async fn calls_are_answered_in_the_order_in_which_they_finish() {
    let (fixture, gate) = gated(Limits::default()).await;
    let mut connection = fixture.connect().await;
    let mut puts = Vec::new();
    for i in 0..30 {
        let put = connection.send(&Operation::StoragePut, &[i], MINUTE).await;
        puts.push((i, put.0));
        assert_eq!(connection.call(sample(), b"").await.code, 200);
    }
    assert_eq!(connection.session.open_calls(), 30);
    gate.add_permits(30);
    for (i, put) in puts.into_iter().rev() {
        let stored = connection.answer(put).await.put();
        assert_eq!(stored.address, AddrB3::of(&[i]));
    }
}

#[tokio::test]
async fn a_client_with_an_open_call_is_not_idle_nor_right_after_it() {
    let (fixture, gate) = gated(Limits {
        idle: SHORT,
        ..Limits::default()
    })
    .await;
    let mut connection = fixture.connect().await;
    let (put, _) = connection
        .send(&Operation::StoragePut, b"slow", MINUTE)
        .await;
    tokio::time::sleep(2 * SHORT).await;
    gate.add_permits(1);
    assert_eq!(connection.answer(put).await.code, 200);
    tokio::time::sleep(SHORT / 3).await;
    assert_eq!(connection.call(sample(), b"").await.code, 200);
    let began = Instant::now();
    connection.ends().await;
    assert_took(began, SHORT);
}

#[tokio::test]
async fn a_request_that_does_not_go_on_does_not_keep_a_connection() {
    let fixture = start(Limits {
        idle: SHORT,
        ..Limits::default()
    })
    .await;
    // The second one is refused at once, and yet not at its end.
    for token in [fixture.capability.expose(), b""] {
        let mut connection = fixture.connect().await;
        let began = Instant::now();
        begin_large_put(&mut connection, token, MINUTE).await;
        connection.ends().await;
        assert_took(began, SHORT);
    }
    assert_eq!(fixture.gateway.metrics().timeouts("idle"), 2);
}

#[tokio::test]
async fn a_client_that_takes_no_answers_holds_up_nobody() {
    let fixture = start(Limits {
        write_stall: SHORT,
        ..Limits::default()
    })
    .await;
    let metrics = fixture.gateway.metrics();
    let mut other = fixture.connect().await;
    let put = other.call(Operation::StoragePut, &[9; MAX_BODY]).await;
    let address = put.put().address;
    let get = Operation::StorageGet {
        address,
        range: None,
    };
    let mut stuck = fixture.connect().await;
    let began = Instant::now();
    for _ in 0..60 {
        stuck.send(&get, b"", MINUTE).await;
    }
    let mut served = 0;
    within(5, async {
        while metrics.timeouts("write") == 0 {
            assert_eq!(other.call(sample(), b"").await.code, 200);
            served += 1;
        }
    })
    .await;
    assert_took(began, SHORT);
    assert!(served > 10, "{served}");
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_neither_stuck_nor_idle() {
    let fixture = start(Limits {
        write_stall: SHORT,
        idle: SHORT,
        ..Limits::default()
    })
    .await;
    let mut connection = fixture.connect().await;
    let put = connection.call(Operation::StoragePut, &[9; MAX_BODY]).await;
    let get = Operation::StorageGet {
        address: put.put().address,
        range: None,
    };
    let mut calls = Vec::new();
    for _ in 0..60 {
        calls.push(connection.send(&get, b"", MINUTE).await.0);
    }
    let began = Instant::now();
    let metrics = fixture.gateway.metrics();
    // About 2 MB at a time, with pauses that are shorter than the limits and together longer.
    while connection.session.open_calls() > 0 {
        for _ in 0..32 {
            if connection.session.open_calls() > 0 {
                let received = connection.exchange().await;
                let ended = (metrics.timeouts("idle"), metrics.timeouts("write"));
                assert!(received > 0, "{:?} {ended:?}", began.elapsed());
            }
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(began.elapsed() > 2 * SHORT, "{:?}", began.elapsed());
    for call in calls {
        assert_eq!(connection.answer(call).await.body.len(), MAX_BODY);
    }
}

#[tokio::test]
async fn an_http_client_that_takes_no_answers_is_given_up_too() {
    let fixture = start(Limits {
        write_stall: SHORT,
        ..Limits::default()
    })
    .await;
    let metrics = fixture.gateway.metrics();
    let mut other = fixture.connect().await;
    let put = other.call(Operation::StoragePut, &[9; MAX_BODY]).await;
    let http = connector(fixture.authority.certificate_der(), &[b"http/1.1"]);
    let mut stuck = tls(&http, fixture.gateway.address()).await.unwrap();
    let token = fixture.capability.expose_base64url();
    let (address, token) = (put.put().address, &*token);
    let request = format!(
        "GET /o/{address} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Ron {token}\r\n\r\n"
    );
    let began = Instant::now();
    stuck
        .write_all(request.repeat(60).as_bytes())
        .await
        .unwrap();
    stuck.flush().await.unwrap();
    eventually(|| metrics.timeouts("write") == 1).await;
    assert_took(began, SHORT);
    eventually(|| metrics.connections_open() == 1).await;
}

#[tokio::test]
async fn places_are_counted_in_all_and_by_address() {
    for (total, by_address, limit) in [(2, 9, "total"), (9, 2, "address")] {
        let fixture = start(Limits {
            max_connections: total,
            max_connections_per_address: by_address,
            ..Limits::default()
        })
        .await;
        let address = fixture.gateway.address();
        let metrics = fixture.gateway.metrics();
        let (mut first, mut second) = (fixture.connect().await, fixture.connect().await);
        let mut third = TcpStream::connect(address).await.unwrap();
        let read = within(5, third.read(&mut [0])).await;
        assert!(matches!(read, Ok(0) | Err(_)));
        assert_eq!(metrics.connections_refused(limit), 1);

        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut elsewhere = socket.connect(address).await.unwrap();
        if limit == "address" {
            eventually(|| metrics.connections_open() == 3).await;
        } else {
            let read = within(5, elsewhere.read(&mut [0])).await;
            assert!(matches!(read, Ok(0) | Err(_)));
            assert_eq!(metrics.connections_refused(limit), 2);
        }
        assert_eq!(first.call(sample(), b"").await.code, 200);
        assert_eq!(second.call(sample(), b"").await.code, 200);
    }
}

#[tokio::test]
async fn a_place_is_free_as_soon_as_its_connection_is_gone() {
    let fixture = start(Limits {
        max_connections: 1,
        ..Limits::default()
    })
    .await;
    let metrics = fixture.gateway.metrics();
    for _ in 0..20 {
        drop(fixture.connect().await);
        eventually(|| metrics.connections_open() == 0).await;
    }
    assert_eq!(metrics.connections_refused("total"), 0);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_who_has_no_call() {
    let http: &[u8] = b"http/1.1";
    for kind in [
        "without a handshake",
        "without HELLO",
        "idle",
        "without a request",
    ] {
        let fixture = start(Limits::default()).await;
        let address = fixture.gateway.address();
        let http = connector(fixture.authority.certificate_der(), &[http]);
        let (mut tcp, mut stream, mut idle) = (None, None, None);
        match kind {
            "without a handshake" => tcp = Some(TcpStream::connect(address).await.unwrap()),
            "without HELLO" => stream = Some(fixture.tls().await),
            "idle" => idle = Some(fixture.connect().await),
            _ => stream = Some(tls(&http, address).await.unwrap()),
        }
        eventually(|| fixture.gateway.metrics().connections_open() == 1).await;
        let began = Instant::now();
        fixture.gateway.drain().await;
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{kind}: {:?}",
            began.elapsed()
        );
        assert_eq!(fixture.gateway.metrics().connections_open(), 0);
        drop((tcp, stream, idle));
    }
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_body_beyond_its_limit() {
    let fixture = start(Limits {
        drain: SHORT,
        ..Limits::default()
    })
    .await;
    let mut connection = fixture.connect().await;
    begin_large_put(&mut connection, fixture.capability.expose(), MINUTE).await;
    assert_eq!(connection.call(sample(), b"").await.code, 200);
    let began = Instant::now();
    within(5, fixture.gateway.drain()).await;
    assert_took(began, SHORT);
}

/// A program that does not outlive its test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let root_key = folder.path().join("root.key");
    KeyRing::create_file(&root_key, "k1").unwrap();
    let mut program = Program(
        Command::new(env!("CARGO_BIN_EXE_ron-gateway"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .arg("--certificate")
            .arg(&certificate)
            .arg("--key")
            .arg(&key)
            .arg("--root-key")
            .arg(&root_key)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut stderr = BufReader::new(program.0.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let (_, address) = line.trim_end().rsplit_once(' ').unwrap();
    let root = CertificateDer::from_pem_file(&certificate).unwrap();
    let mut stream = tls(&connector(&root, &[b"http/1.1"]), address.parse().unwrap())
        .await
        .unwrap();
    for (path, status) in [("/readyz", "200"), ("/metrics", "404")] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 2048];
        let count = within(5, stream.read(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    drop(stream);
    let id = Pid::from_raw(i32::try_from(program.0.id()).unwrap()).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || program.0.wait().unwrap());
    assert_eq!(within(5, status).await.unwrap().code(), Some(0));
}
