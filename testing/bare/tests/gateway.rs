//! The bare clients against the real gateway: what they compare the SDK with has to be the same work.
#![allow(clippy::unwrap_used)]

use ron_app_sdk::{AddrB3, Topic, MAX_BODY};
use ron_bare::{
    client_config, pinned_config, Buffered, Client, Floor, OneTask, Request, Tasks, Wire,
};
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::{Gateway, GatewayConfig};
use rustls::ClientConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::Runtime;

const SIZES: [usize; 9] = [0, 1, 64, 4096, 65_535, 65_536, 131_072, 200_000, MAX_BODY];

fn body(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i % 251) as u8).collect()
}

struct World {
    runtime: Runtime,
    gateway: Gateway,
    tls: Arc<ClientConfig>,
    certificate: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let authority = Authority::new().unwrap();
        let identity = authority.issue(&CertificateRequest::localhost()).unwrap();
        let certificate = identity.certificate_der().to_vec();
        let started = Gateway::start(GatewayConfig::default(), identity);
        let gateway = runtime.block_on(started).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority.certificate_pem()).unwrap();
        Self {
            runtime,
            gateway,
            tls: client_config(&ca).unwrap(),
            certificate,
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
    for size in SIZES {
        let body = body(size);
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

#[test]
fn every_operation_works_over_an_asynchronous_stream() {
    let world = World::new();
    let capability = world.capability();
    world.runtime.block_on(async {
        let mut client = OneTask::connect(world.address(), &world.tls).await.unwrap();
        for size in SIZES {
            let body = body(size);
            let mut put = Request::put(&capability, &body);
            client.call(&mut put).await.unwrap();
            let mut get = Request::get(&capability, AddrB3::of(&body));
            client.call(&mut get).await.unwrap();
        }
        let mut absent = Request::get(&capability, AddrB3::of(b"absent"));
        let error = client.call(&mut absent).await.unwrap_err().to_string();
        assert!(error.contains("404"), "{error}");
    });
}

#[test]
fn many_callers_share_the_tasks_of_one_connection() {
    let world = World::new();
    let capability = world.capability();
    world.runtime.block_on(async {
        let client = Tasks::connect(world.address(), &world.tls).await.unwrap();
        let client = Arc::new(client);
        let callers: Vec<_> = (0..64)
            .map(|caller| {
                let (client, capability) = (Arc::clone(&client), capability.clone());
                tokio::spawn(async move {
                    for turn in 0..3 {
                        let body = body(SIZES[(caller + turn) % SIZES.len()]);
                        let put = Arc::new(Request::put(&capability, &body));
                        client.call(&put).await.unwrap();
                        let get = Arc::new(Request::get(&capability, AddrB3::of(&body)));
                        client.call(&get).await.unwrap();
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        let absent = Arc::new(Request::get(&capability, AddrB3::of(b"absent")));
        let error = client.call(&absent).await.unwrap_err().to_string();
        assert!(error.contains("404"), "{error}");
        world.gateway.shutdown().await;
        let error = client.call(&absent).await.unwrap_err().to_string();
        assert!(error.contains("ended"), "{error}");
    });
}

#[test]
fn a_pinned_certificate_is_the_only_one_that_is_trusted() {
    let (world, other) = (World::new(), World::new());
    let connect = |certificate: &[u8]| {
        let tls = pinned_config(certificate.to_vec().into()).unwrap();
        Client::<Floor>::connect(world.address(), &tls).map(|_| ())
    };
    connect(&world.certificate).unwrap();
    let error = connect(&other.certificate).unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}
