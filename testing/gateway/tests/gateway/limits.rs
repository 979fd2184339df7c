//! What a client may cost, in time and in number.

use crate::support::{eventually, within, Fixture, MINUTE};
use ron_app_sdk::oap::{Executed, Flags, Header, Operation, Reason, HEADER_LEN};
use ron_app_sdk::session::{ClientEvent, ServerLimits};
use ron_app_sdk::AddrB3;
use ron_gateway::store::{Object, ObjectStore, Part, PutError};
use ron_gateway::{Answer, Backends, GatewayConfig, Limits, ReadError, Selection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(100);

async fn start(limits: Limits) -> Fixture {
    Fixture::start(GatewayConfig {
        limits,
        ..GatewayConfig::default()
    })
    .await
}

#[tokio::test]
async fn a_client_without_a_handshake_is_closed() {
    let fixture = start(Limits {
        handshake: SHORT,
        ..Limits::default()
    })
    .await;
    let mut tcp = TcpStream::connect(fixture.gateway.address()).await.unwrap();
    let read = within(5, tcp.read(&mut [0; 1])).await;
    assert_eq!(read.unwrap(), 0);
    assert_eq!(fixture.gateway.metrics().timeouts("handshake"), 1);
}

#[tokio::test]
async fn a_client_without_hello_is_closed() {
    let fixture = start(Limits {
        hello: SHORT,
        ..Limits::default()
    })
    .await;
    let mut silent = fixture.connect_silently().await;
    assert!(silent.ends().await);
    assert_eq!(fixture.gateway.metrics().timeouts("hello"), 1);
}

#[tokio::test]
async fn a_frame_that_trickles_is_cut_off_and_one_frame_after_the_other_is_not() {
    let frame = Duration::from_millis(300);
    let fixture = start(Limits {
        frame,
        ..Limits::default()
    })
    .await;
    let header = Header {
        len: (HEADER_LEN + 1000) as u32,
        flags: Flags::REQ.with(Flags::START),
        code: 0,
        app_proto_id: 0x0301,
        tenant_id: 0,
        cap_len: 0,
        corr_id: 1,
    };
    let mut trickling = fixture.connect().await;
    let trickle = async {
        let start = Instant::now();
        let _ = trickling.stream.write_all(&header.encode()).await;
        for _ in 0..100 {
            tokio::time::sleep(frame / 10).await;
            if trickling.stream.write_all(&[0]).await.is_err()
                || trickling.stream.flush().await.is_err()
            {
                break;
            }
            if fixture.gateway.metrics().timeouts("frame") == 1 {
                return start.elapsed();
            }
        }
        start.elapsed()
    };
    let mut steady = fixture.connect().await;
    let steps = async {
        // Each write ends one frame and begins the next: the connection is within a frame all the time.
        let mut bytes = Vec::new();
        for nonce in 0..60 {
            steady.session.ping(nonce);
            bytes.append(steady.session.control_output());
        }
        let (first, rest) = bytes.split_at(30);
        steady.stream.write_all(first).await.unwrap();
        let frame_len = bytes.len() / 60;
        for chunk in rest.chunks(5 * frame_len) {
            tokio::time::sleep(frame / 6).await;
            steady.stream.write_all(chunk).await.unwrap();
        }
        steady
            .until(|event| matches!(event, ClientEvent::Pong { nonce: 59 }).then_some(()))
            .await;
    };
    let (elapsed, ()) = tokio::join!(trickle, steps);
    assert!(elapsed >= frame && elapsed < 3 * frame, "{elapsed:?}");
    assert_eq!(fixture.gateway.metrics().timeouts("frame"), 1);
    assert_eq!(steady.call(Operation::StoragePut, b"x").await.code, 200);
}

#[tokio::test]
async fn an_idle_connection_is_drained_and_closed() {
    let fixture = start(Limits {
        idle: SHORT,
        ..Limits::default()
    })
    .await;
    let mut idle = fixture.connect().await;
    assert!(idle.ends().await);
    assert!(idle.session.is_draining());
    assert_eq!(fixture.gateway.metrics().timeouts("idle"), 1);
}

#[tokio::test]
async fn a_client_that_takes_no_answers_is_given_up() {
    let fixture = start(Limits {
        write_stall: SHORT,
        ..Limits::default()
    })
    .await;
    let mut connection = fixture.connect().await;
    let address = connection
        .call(Operation::StoragePut, &[9; 1_000_000])
        .await
        .put()
        .address;
    for _ in 0..60 {
        let get = Operation::StorageGet {
            address,
            range: None,
        };
        connection.send(&get, b"", MINUTE).await;
    }
    eventually(|| fixture.gateway.metrics().timeouts("write") == 1).await;
    eventually(|| fixture.gateway.metrics().connections_open() == 0).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once_and_later_ones_are_not() {
    let fixture = start(Limits {
        max_connections_per_address: 2,
        ..Limits::default()
    })
    .await;
    let first = fixture.connect().await;
    let mut second = fixture.connect().await;
    let mut third = TcpStream::connect(fixture.gateway.address()).await.unwrap();
    assert_eq!(within(5, third.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(fixture.gateway.metrics().connections_refused("address"), 1);
    assert_eq!(second.call(Operation::StoragePut, b"x").await.code, 200);
    drop(first);
    eventually(|| fixture.gateway.metrics().connections_open() == 1).await;
    fixture.connect().await;
    assert_eq!(fixture.gateway.metrics().connections_accepted(), 3);
}

#[tokio::test]
async fn a_violation_closes_its_own_connection_only() {
    let fixture = start(Limits::default()).await;
    let mut good = fixture.connect().await;
    let mut bad = fixture.connect().await;
    bad.stream.write_all(&[0xff; 38]).await.unwrap();
    assert!(bad.ends().await);
    assert_eq!(fixture.gateway.metrics().violations("frame"), 1);
    assert_eq!(good.call(Operation::StoragePut, b"x").await.code, 200);
}

/// A store that never answers.
struct Stuck;

impl ObjectStore for Stuck {
    fn put(&self, _: AddrB3, _: bytes::Bytes, _: Instant) -> Answer<Result<(), PutError>> {
        Answer::pending(std::future::pending())
    }

    fn head(&self, _: AddrB3) -> Answer<Result<Object, ReadError>> {
        Answer::pending(std::future::pending())
    }

    fn read(&self, _: AddrB3, _: Selection) -> Answer<Result<Part, ReadError>> {
        Answer::pending(std::future::pending())
    }
}

async fn stuck(session: ServerLimits) -> Fixture {
    let config = GatewayConfig {
        limits: Limits {
            session,
            ..Limits::default()
        },
        ..GatewayConfig::default()
    };
    let mut backends = Backends::in_memory(&config).unwrap();
    backends.objects = Arc::new(Stuck);
    Fixture::start_with(config, backends).await
}

#[tokio::test]
async fn a_call_ends_with_its_deadline_and_a_put_is_in_doubt_then() {
    let fixture = stuck(ServerLimits::default()).await;
    let mut connection = fixture.connect().await;
    let head = Operation::StorageHead {
        address: AddrB3::of(b""),
    };
    let (read, _) = connection.send(&head, b"", 50).await;
    let put = connection
        .call_within(Operation::StoragePut, b"x", 50)
        .await
        .error();
    assert_eq!(
        (put.reason, put.executed),
        (Reason::DeadlineExceeded, Executed::Unknown)
    );
    let read = connection.answer(read).await.error();
    assert_eq!(
        (read.reason, read.executed),
        (Reason::DeadlineExceeded, Executed::No)
    );
}

#[tokio::test]
async fn a_cancelled_call_frees_its_slot() {
    let session = ServerLimits {
        max_in_flight: 2,
        ..ServerLimits::default()
    };
    let fixture = stuck(session).await;
    let mut connection = fixture.connect().await;
    assert_eq!(connection.session.slots(), 2);
    let head = Operation::StorageHead {
        address: AddrB3::of(b""),
    };
    let (_, first) = connection.send(&head, b"", MINUTE).await;
    connection.send(&head, b"", MINUTE).await;
    assert_eq!(connection.session.open_calls(), 2);
    connection.session.cancel(first);
    connection
        .until(|event| matches!(event, ClientEvent::SlotFree).then_some(()))
        .await;
    assert_eq!(connection.session.stray().cancelled, 1);
    assert_eq!(fixture.gateway.metrics().calls("storage", "head", 499), 1);
    let sample = Operation::EdgeGet {
        path: "/ron/64k".into(),
        range: None,
    };
    assert_eq!(connection.call(sample, b"").await.code, 200);
}
