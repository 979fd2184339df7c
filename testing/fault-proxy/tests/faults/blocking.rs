//! The proxy without a runtime.

use ron_fault_proxy::{Direction, FaultProxy, Faults};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

fn connect(gateway: &TcpListener, proxy: std::net::SocketAddr) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(proxy).unwrap();
    let (gateway, _) = gateway.accept().unwrap();
    for stream in [&client, &gateway] {
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).unwrap();
    }
    (client, gateway)
}

#[test]
fn a_plain_thread_has_all_of_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = FaultProxy::start_blocking(listener.local_addr().unwrap()).unwrap();
    let (mut client, mut gateway) = connect(&listener, proxy.address());
    client.write_all(b"hello").unwrap();
    let mut bytes = [0; 5];
    gateway.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");

    proxy.set(Faults::to_gateway(Direction {
        close_after: Some(2),
        ..Direction::default()
    }));
    client.write_all(b"hello").unwrap();
    let mut rest = Vec::new();
    gateway.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"he");
    proxy.set(Faults::default());

    proxy.down().unwrap();
    let error = TcpStream::connect(proxy.address()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    proxy.up().unwrap();
    let (mut client, _gateway) = connect(&listener, proxy.address());
    proxy.kill_connections();
    let error = client.read(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let (mut client, _gateway) = connect(&listener, proxy.address());
    let counters = proxy.counters();
    assert_eq!((counters.connections, counters.bytes_to_gateway), (3, 7));
    assert_eq!((counters.closes, counters.downs), (1, 1));
    drop(proxy);
    let error = client.read(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}
