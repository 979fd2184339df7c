//! What happens to whole connections.

use crate::support::{assert_quiet, eventually, read, read_to_end, within, write, Fixture, QUIET};
use ron_fault_proxy::{Connections, FaultProxy, Faults};
use std::io::ErrorKind;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const RESET: Option<ErrorKind> = Some(ErrorKind::ConnectionReset);

async fn assert_works(client: &mut TcpStream) {
    write(client, b"hello").await;
    assert_eq!(read(client, 5).await, b"hello");
}

#[tokio::test]
async fn refused_ones_are_reset_and_those_of_before_are_not() {
    let fixture = Fixture::start().await;
    let mut before = fixture.echo().await;
    fixture.proxy.set(Faults::connections(Connections::Refuse));
    let mut refused = fixture.client().await;
    assert_eq!(read_to_end(&mut refused).await.1, RESET);
    assert_works(&mut before).await;
    fixture.proxy.set(Faults::default());
    assert_works(&mut fixture.echo().await).await;
    let counters = fixture.proxy.counters();
    assert_eq!((counters.connections, counters.refusals), (3, 1));
}

#[tokio::test]
async fn silent_ones_are_left_alone_for_good() {
    let fixture = Fixture::start().await;
    let mut before = fixture.echo().await;
    fixture.proxy.set(Faults::connections(Connections::Silent));
    let mut silent = fixture.client().await;
    write(&mut silent, b"hello").await;
    assert_quiet(&mut silent).await;
    assert_works(&mut before).await;
    fixture.proxy.set(Faults::default());
    assert_quiet(&mut silent).await;
    let counters = fixture.proxy.counters();
    assert_eq!((counters.silences, counters.bytes_to_gateway), (1, 5));
}

#[tokio::test]
async fn a_black_hole_takes_everything_and_gives_nothing() {
    let fixture = Fixture::start().await;
    let (mut client, mut gateway) = fixture.pair().await;
    write(&mut client, b"hello").await;
    assert_eq!(read(&mut gateway, 5).await, b"hello");
    fixture
        .proxy
        .set(Faults::connections(Connections::BlackHole));
    let mut new = fixture.client().await;
    for stream in [&mut client, &mut gateway, &mut new] {
        write(stream, &vec![7; 10_000_000]).await;
        assert_quiet(stream).await;
    }
    // Not even an end passes.
    client.shutdown().await.unwrap();
    fixture.proxy.set(Faults::default());
    assert_quiet(&mut gateway).await;
    let counters = fixture.proxy.counters();
    assert_eq!((counters.black_holes, counters.bytes_to_gateway), (2, 5));
}

#[tokio::test]
async fn a_half_open_connection_stays_and_takes_nothing() {
    let fixture = Fixture::start().await;
    let (mut client, mut gateway) = fixture.pair().await;
    write(&mut client, b"hello").await;
    assert_eq!(read(&mut gateway, 5).await, b"hello");
    fixture
        .proxy
        .set(Faults::connections(Connections::HalfOpen));
    eventually(|| fixture.proxy.counters().half_opens == 1).await;
    fixture.proxy.set(Faults::default());
    for stream in [&mut client, &mut gateway] {
        // More than the buffers between two sockets hold.
        let bytes = vec![7; 32_000_000];
        let writing = timeout(QUIET, stream.write_all(&bytes)).await;
        assert!(writing.is_err(), "{writing:?}");
        assert_quiet(stream).await;
    }
    assert_eq!(fixture.proxy.counters().bytes_to_gateway, 5);
    assert_works(&mut fixture.echo().await).await;
}

#[tokio::test]
async fn a_port_that_is_down_refuses_and_is_the_same_when_it_is_up_again() {
    let fixture = Fixture::start().await;
    let mut before = fixture.echo().await;
    for round in 1..=3 {
        fixture.proxy.down().await.unwrap();
        fixture.proxy.down().await.unwrap();
        let error = TcpStream::connect(fixture.proxy.address())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_works(&mut before).await;
        fixture.proxy.up().await.unwrap();
        fixture.proxy.up().await.unwrap();
        assert_works(&mut fixture.echo().await).await;
        assert_eq!(fixture.proxy.counters().downs, round);
    }
}

#[tokio::test]
async fn killed_connections_are_reset_whatever_they_are_in() {
    let fixture = Fixture::start().await;
    let (mut client, mut gateway) = fixture.pair().await;
    fixture.proxy.set(Faults::connections(Connections::Silent));
    let mut silent = fixture.client().await;
    eventually(|| fixture.proxy.counters().silences == 1).await;
    fixture.proxy.kill_connections();
    for stream in [&mut client, &mut gateway, &mut silent] {
        assert_eq!(read_to_end(stream).await.1, RESET);
    }
    assert_eq!(fixture.proxy.counters().kills, 2);
    fixture.proxy.set(Faults::default());
    assert_works(&mut fixture.echo().await).await;
}

#[tokio::test]
async fn a_peers_reset_is_passed_on() {
    let fixture = Fixture::start().await;
    let (client, mut gateway) = fixture.pair().await;
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(read_to_end(&mut gateway).await.1, RESET);
    assert_eq!(fixture.proxy.counters().resets, 0);
}

#[tokio::test]
async fn a_gateway_that_cannot_be_reached_is_a_reset() {
    let Fixture { gateway, proxy } = Fixture::start().await;
    drop(gateway);
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(read_to_end(&mut client).await.1, RESET);
    assert_eq!(proxy.counters().unreachable, 1);
}

#[tokio::test]
async fn a_dropped_proxy_takes_its_connections_with_it() {
    let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(gateway.local_addr().unwrap())
        .await
        .unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut gateway, _) = within(gateway.accept()).await.unwrap();
    drop(proxy);
    for stream in [&mut client, &mut gateway] {
        assert_eq!(read_to_end(stream).await.1, RESET);
    }
}
