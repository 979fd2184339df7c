//! The bare clients against the real gateway: what they compare the SDK with has to be the same work.
#![allow(clippy::unwrap_used)]

use ron_app_sdk::{AddrB3, Topic, MAX_BODY};
use ron_bare::{client_config, Buffered, Client, Floor, Request, Wire};
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::{Gateway, GatewayConfig};
use rustls::ClientConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::Runtime;

struct World {
    _runtime: Runtime,
    gateway: Gateway,
    tls: Arc<ClientConfig>,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let authority = Authority::new().unwrap();
        let identity = authority.issue(&CertificateRequest::localhost()).unwrap();
        let started = Gateway::start(GatewayConfig::default(), identity);
        let gateway = runtime.block_on(started).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority.certificate_pem()).unwrap();
        Self {
            _runtime: runtime,
            gateway,
            tls: client_config(&ca).unwrap(),
        }
    }

    fn capability(&self) -> Vec<u8> {
        let capability = self.gateway.mint("tester", &[]).unwrap();
        capability.expose().to_vec()
    }

    fn address(&self) -> SocketAddr {
        self.gateway.address()
    }
}

fn works<W: Wire>() {
    let world = World::new();
    let capability = world.capability();
    let mut client = Client::<W>::connect(world.address(), &world.tls).unwrap();
    for size in [0, 1, 64, 4096, 65_535, 65_536, 131_072, 200_000, MAX_BODY] {
        let body: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let mut put = Request::put(&capability, &body);
        let mut get = Request::get(&capability, AddrB3::of(&body));
        for _ in 0..3 {
            client.call(&mut put).unwrap();
            client.call(&mut get).unwrap();
        }
    }
    let topic = Topic::new("topic").unwrap();
    let mut send = Request::mailbox_send(&capability, &topic, b"body");
    for _ in 0..3 {
        client.call(&mut send).unwrap();
    }
    let mut absent = Request::get(&capability, AddrB3::of(b"absent"));
    let error = client.call(&mut absent).unwrap_err().to_string();
    assert!(error.contains("404"), "{error}");
    let mut refused = Request::put(b"", b"body");
    let error = client.call(&mut refused).unwrap_err().to_string();
    assert!(error.contains("403"), "{error}");
}

#[test]
fn every_operation_works_over_the_unbuffered_interface() {
    works::<Floor>();
}

#[test]
fn every_operation_works_over_the_buffered_stream() {
    works::<Buffered>();
}
