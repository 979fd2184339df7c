//! How a gateway ends.

use crate::support::{eventually, within, Fixture, MINUTE};
use bytes::Bytes;
use ron_app_sdk::oap::Operation;
use ron_app_sdk::AddrB3;
use ron_gateway::store::{MemoryStore, Object, ObjectStore, Part, PutError};
use ron_gateway::{Answer, Backends, GatewayConfig, Limits, ReadError, Selection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// A store that describes an object only when it is let.
struct Gated {
    store: MemoryStore,
    gate: Arc<Semaphore>,
}

impl ObjectStore for Gated {
    fn put(&self, address: AddrB3, body: Bytes, deadline: Instant) -> Answer<Result<(), PutError>> {
        self.store.put(address, body, deadline)
    }

    fn head(&self, address: AddrB3) -> Answer<Result<Object, ReadError>> {
        let gate = Arc::clone(&self.gate);
        Answer::pending(async move {
            let _open = gate.acquire().await;
            Ok(Object { address, size: 7 })
        })
    }

    fn read(&self, address: AddrB3, selection: Selection) -> Answer<Result<Part, ReadError>> {
        self.store.read(address, selection)
    }
}

async fn gated(limits: Limits) -> (Fixture, Arc<Semaphore>) {
    let config = GatewayConfig {
        limits,
        ..GatewayConfig::default()
    };
    let gate = Arc::new(Semaphore::new(0));
    let mut backends = Backends::in_memory(&config).unwrap();
    backends.objects = Arc::new(Gated {
        store: MemoryStore::new(1000),
        gate: Arc::clone(&gate),
    });
    (Fixture::start_with(config, backends).await, gate)
}

#[tokio::test]
async fn a_drain_lets_open_calls_finish_and_takes_no_new_ones() {
    let (fixture, gate) = gated(Limits::default()).await;
    let mut busy = fixture.connect().await;
    let mut idle = fixture.connect().await;
    let head = Operation::StorageHead {
        address: AddrB3::of(b""),
    };
    let (tag, _) = busy.send(&head, b"", MINUTE).await;
    // Once a later call is answered, this one is being executed.
    assert_eq!(busy.call(Operation::StoragePut, b"x").await.code, 200);

    let drain = fixture.gateway.drain();
    let client = async {
        assert!(idle.ends().await);
        assert!(idle.session.is_draining());
        while !busy.session.is_draining() {
            busy.exchange().await;
        }
        assert!(TcpStream::connect(fixture.gateway.address()).await.is_err());
        gate.add_permits(1);
        let answer = busy.answer(tag).await;
        assert_eq!((answer.code, answer.object().size), (200, 7));
        assert!(busy.ends().await);
    };
    within(5, async { tokio::join!(drain, client) }).await;
    assert_eq!(fixture.gateway.metrics().connections_open(), 0);
}

#[tokio::test]
async fn a_drain_ends_in_time_whatever_is_open() {
    let limits = Limits {
        drain: Duration::from_millis(100),
        ..Limits::default()
    };
    let (fixture, _gate) = gated(limits).await;
    let mut busy = fixture.connect().await;
    let head = Operation::StorageHead {
        address: AddrB3::of(b""),
    };
    busy.send(&head, b"", MINUTE).await;
    assert_eq!(busy.call(Operation::StoragePut, b"x").await.code, 200);
    let start = Instant::now();
    within(5, fixture.gateway.drain()).await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(fixture.gateway.metrics().connections_open(), 0);
}

#[tokio::test]
async fn a_shutdown_and_a_drop_do_not_wait() {
    let (fixture, _gate) = gated(Limits::default()).await;
    let mut busy = fixture.connect().await;
    let head = Operation::StorageHead {
        address: AddrB3::of(b""),
    };
    busy.send(&head, b"", MINUTE).await;
    assert_eq!(busy.call(Operation::StoragePut, b"x").await.code, 200);
    within(1, fixture.gateway.shutdown()).await;
    assert!(!busy.ends().await, "cut off, not closed");

    let (fixture, _gate) = gated(Limits::default()).await;
    let mut busy = fixture.connect().await;
    let address = fixture.gateway.address();
    drop(fixture);
    busy.ends().await;
    eventually(|| std::net::TcpStream::connect(address).is_err()).await;
}
