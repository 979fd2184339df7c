//! A gateway in the place of another one: the same socket and state, and nobody notices.

use crate::index::{publish, resolve};
use crate::mailbox::{receive, send};
use crate::support::{eventually, tls, within, Connection, Fixture, MINUTE};
use ron_app_sdk::oap::{MailboxReceiveReply, MailboxSendReply, Operation};
use ron_app_sdk::session::ClientEvent;
use ron_app_sdk::Capability;
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::{Backends, Gateway, GatewayConfig};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

fn counting() -> GatewayConfig {
    GatewayConfig {
        ledger: true,
        ..GatewayConfig::default()
    }
}

/// Puts a successor in the gateway's place; returns the one before.
fn succeed(fixture: &mut Fixture) -> Gateway {
    let successor = fixture.gateway.successor().unwrap();
    std::mem::replace(&mut fixture.gateway, successor)
}

#[tokio::test]
async fn everything_is_there_still() {
    let mut fixture = Fixture::start(counting()).await;
    let mut connection = fixture.connect().await;
    connection.put("k", b"object").await;
    let sent = connection.call_keyed(&send("orders"), "k", b"1").await;
    let sent: MailboxSendReply = sent.reply();
    connection.call(publish("a", b"1", None), b"").await;
    let lease = connection.call(receive("orders", 1, 0, "r"), b"").await;
    let lease: MailboxReceiveReply = lease.reply();

    let before = succeed(&mut fixture);
    assert_eq!(before.address(), fixture.gateway.address());
    within(5, before.drain()).await;
    assert!(connection.ends().await && connection.session.is_draining());
    assert!(before.successor().is_err());

    let mut connection = fixture.connect().await;
    assert!(connection.put("k", b"object").await.put().replayed);
    let again = connection.call_keyed(&send("orders"), "k", b"1").await;
    let again: MailboxSendReply = again.reply();
    assert_eq!((again.replayed, again.id), (true, sent.id));
    let same = connection.call(receive("orders", 1, 0, "r"), b"").await;
    assert_eq!(same.reply::<MailboxReceiveReply>().messages, lease.messages);
    assert_eq!(resolve(&mut connection, "a").await.code, 200);
    let ledger = fixture.gateway.ledger().unwrap();
    assert_eq!(
        (ledger.effects_total(), ledger.most_effects_of_one_key()),
        (3, 1)
    );
    assert_eq!(fixture.gateway.metrics().idempotency_replays(), 2);
    // The session of the one before is resumed.
    assert_eq!(fixture.gateway.metrics().handshakes("resumed"), 1);

    within(5, fixture.gateway.drain()).await;
    assert!(TcpStream::connect(before.address()).await.is_err());
}

#[tokio::test]
async fn gateways_with_the_same_state_are_one_to_their_clients() {
    let config = counting();
    let backends = Backends::in_memory(&config).unwrap();
    let one = Fixture::start_with(config.clone(), backends.clone()).await;
    let identity = one
        .authority
        .issue(&CertificateRequest::localhost())
        .unwrap();
    let other = Gateway::start_with(config, identity, backends)
        .await
        .unwrap();
    assert_ne!(one.gateway.address(), other.address());
    let mut here = one.connect().await;
    here.call_keyed(&send("orders"), "k", b"1").await;
    let one = Fixture {
        gateway: other,
        ..one
    };
    let mut there = one.connect().await;
    let again = there.call_keyed(&send("orders"), "k", b"1").await;
    assert!(again.reply::<MailboxSendReply>().replayed);
    assert_eq!(one.gateway.ledger().unwrap().effects_total(), 1);
    assert_eq!(one.gateway.metrics().mailbox_messages(), 1);
    assert_eq!(one.gateway.metrics().idempotency_replays(), 1);
}

#[tokio::test]
async fn a_waiting_receiver_is_let_go_when_its_gateway_drains() {
    let mut fixture = Fixture::start(counting()).await;
    let mut connection = fixture.connect().await;
    let (tag, _) = connection
        .send(&receive("orders", 1, 20_000, "r"), b"", MINUTE)
        .await;
    eventually(|| fixture.gateway.metrics().mailbox_waiting() == 1).await;
    let before = succeed(&mut fixture);
    let (answer, ()) = within(5, async {
        tokio::join!(connection.answer(tag), before.drain())
    })
    .await;
    assert!(answer.reply::<MailboxReceiveReply>().messages.is_empty());
}

#[tokio::test]
async fn a_handshake_that_has_begun_is_finished_and_its_client_sent_on() {
    let mut fixture = Fixture::start(counting()).await;
    let tcp = TcpStream::connect(fixture.gateway.address()).await.unwrap();
    eventually(|| fixture.gateway.metrics().connections_open() == 1).await;
    let before = succeed(&mut fixture);
    let drain = before.drain();
    let client = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let stream = fixture.connector.connect(name, tcp).await.unwrap();
        let mut connection = Connection::new(stream, &fixture.capability);
        let is_ready = |event| matches!(event, ClientEvent::Ready).then_some(());
        connection.until(is_ready).await;
        assert!(connection.ends().await);
        assert!(connection.session.is_draining());
    };
    within(5, async { tokio::join!(drain, client) }).await;
}

/// A client that leaves a drained connection, and makes elsewhere what was not executed there.
struct Traveller {
    connector: TlsConnector,
    address: SocketAddr,
    capability: Capability,
    connection: Option<Connection>,
}

impl Traveller {
    fn new(fixture: &Fixture) -> Self {
        Self {
            connector: fixture.connector.clone(),
            address: fixture.gateway.address(),
            capability: fixture.capability.clone(),
            connection: None,
        }
    }

    /// A put whose every failure fails the test.
    async fn put(&mut self, body: &[u8]) {
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) if !connection.session.is_draining() => connection,
                _ => {
                    let stream = tls(&self.connector, self.address).await.unwrap();
                    Connection::new(stream, &self.capability)
                }
            };
            let put = Operation::StoragePut;
            let (tag, _) = connection.send(&put, body, MINUTE).await;
            let answer = connection
                .until(|event| match event {
                    ClientEvent::Reply { tag: of, code, .. } if of == tag => Some(Some(code)),
                    ClientEvent::NotExecuted { tag: of } if of == tag => Some(None),
                    _ => None,
                })
                .await;
            match answer {
                Some(code) => {
                    assert_eq!(code, 200);
                    self.connection = Some(connection);
                    return;
                }
                None => assert!(connection.session.is_draining()),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_over_many_successions_without_a_failure() {
    const TRAVELLERS: u64 = 8;
    const SUCCESSIONS: u64 = 10;
    let mut fixture = Fixture::start(counting()).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let travellers: Vec<_> = (0..TRAVELLERS)
        .map(|number| {
            let (mut traveller, is_over) = (Traveller::new(&fixture), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut puts = 0u64;
                while !is_over.load(Ordering::Relaxed) {
                    traveller
                        .put(&[number, puts].map(u64::to_be_bytes).concat())
                        .await;
                    puts += 1;
                }
                puts
            })
        })
        .collect();
    for _ in 0..SUCCESSIONS {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let before = succeed(&mut fixture);
        within(10, before.drain()).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut puts = 0;
    for traveller in travellers {
        puts += within(10, traveller).await.unwrap();
    }
    assert_eq!(fixture.gateway.ledger().unwrap().effects_total(), puts);
    let metrics = fixture.gateway.metrics();
    assert_eq!(metrics.calls("storage", "put", 200), puts);
    // Everybody has moved with every succession.
    let connections = metrics.connections_accepted();
    assert!(connections > TRAVELLERS * SUCCESSIONS, "{connections}");
}
