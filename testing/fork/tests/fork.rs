//! After a fork, a parent's clients say so in the child, new ones work there, and the parent's go on.
//!
//! One test: it counts threads and files, and nothing else may run in its process.
#![allow(clippy::unwrap_used)]

use futures_executor::block_on;
use ron_app_sdk::{
    blocking, AddrB3, Capability, CapabilitySource, ClientStats, ErrorKind, Executed, RonAppSdk,
    SdkConfig, TlsConfig,
};
use ron_fork_test::{in_child, Child};
use ron_gateway::capability::KeyRing;
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::{Gateway, GatewayConfig};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

const ROUNDS: u8 = 100;
const LIMIT: Duration = Duration::from_secs(10);

/// What a parent has.
struct Clients {
    config: SdkConfig,
    capability: Capability,
    asynchronous: RonAppSdk,
    blocking: blocking::RonAppSdk,
    provided: CapabilitySource,
}

impl Clients {
    /// Uses each of them; with the SDK's own runtime, since there is none here.
    fn work(&self, number: u8) {
        let object = vec![number; 10_000];
        let put = self
            .blocking
            .storage_put(&self.capability, &object, LIMIT, None);
        let got = block_on(
            self.asynchronous
                .storage_get(&self.provided, put.unwrap(), LIMIT),
        );
        assert_eq!(got.unwrap(), object);
    }

    /// In a child: none of them can be used, and new ones can.
    fn are_inherited(&self, number: u8) {
        let address = AddrB3::of(b"x");
        let refused = [
            self.blocking
                .storage_get(&self.capability, address, LIMIT)
                .unwrap_err(),
            block_on(
                self.asynchronous
                    .storage_get(&self.capability, address, LIMIT),
            )
            .unwrap_err(),
            self.blocking
                .storage_put(&self.capability, b"x", LIMIT, None)
                .unwrap_err(),
        ];
        for error in refused {
            assert_eq!(
                (error.kind(), error.executed()),
                (ErrorKind::ForkDetected, Executed::No)
            );
        }
        assert_eq!(self.asynchronous.stats(), ClientStats::default());
        assert_eq!(block_on(self.asynchronous.close(LIMIT)), 0);
        assert_eq!(self.blocking.close(LIMIT), 0);
        drop((self.asynchronous.clone(), self.blocking.clone()));

        let asynchronous = block_on(RonAppSdk::new(self.config.clone())).unwrap();
        let error = block_on(asynchronous.storage_get(&self.provided, address, LIMIT));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::ForkDetected);
        let fresh = Self {
            config: self.config.clone(),
            capability: self.capability.clone(),
            asynchronous,
            blocking: blocking::RonAppSdk::new(self.config.clone()).unwrap(),
            provided: provider(&self.capability),
        };
        fresh.work(number);
    }
}

/// The sockets are its parent's too.
fn a_child_that_drops_clients_leaves_their_connections_alone(gateway: &Gateway, clients: &Clients) {
    let mut last = Some((
        block_on(RonAppSdk::new(clients.config.clone())).unwrap(),
        blocking::RonAppSdk::new(clients.config.clone()).unwrap(),
    ));
    let work = |(asynchronous, blocking): &(RonAppSdk, blocking::RonAppSdk)| {
        let put = blocking
            .storage_put(&clients.capability, b"x", LIMIT, None)
            .unwrap();
        let got = asynchronous.storage_get(&clients.capability, put, LIMIT);
        assert_eq!(block_on(got).unwrap(), "x");
    };
    work(last.as_ref().unwrap());
    let connections = gateway.metrics().connections_accepted();
    for _ in 0..10 {
        let dropped = in_child(LIMIT, || {
            last.take();
            0
        });
        assert_eq!(dropped, Child::Ended(0));
        work(last.as_ref().unwrap());
    }
    assert_eq!(gateway.metrics().connections_accepted(), connections);
}

/// The child cannot know what becomes of it; the parent does.
fn a_call_under_way_is_its_parents(clients: &Clients) {
    let (capability, sdk) = (&clients.capability, &clients.asynchronous);
    for _ in 0..10 {
        let mut call = Box::pin(sdk.storage_put(capability, "x".into(), LIMIT, None));
        let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
        if call.as_mut().poll(&mut context).is_ready() {
            continue;
        }
        let child = in_child(LIMIT, || match call.as_mut().poll(&mut context) {
            Poll::Ready(Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::ForkDetected);
                assert_eq!((error.executed(), error.attempts()), (Executed::Unknown, 1));
                0
            }
            _ => 1,
        });
        assert_eq!(child, Child::Ended(0));
        block_on(call).unwrap();
    }
}

fn provider(capability: &Capability) -> CapabilitySource {
    let capability = capability.clone();
    CapabilitySource::provider(move || Ok(capability.clone()))
}

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_forked_child_makes_clients_of_its_own() {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.certificate_pem()).unwrap();
    let mut root_keys = KeyRing::default();
    root_keys
        .add("test", b"a root key of the tests, 32 long")
        .unwrap();
    let capability = root_keys.minter(None).unwrap().mint("tester", &[]).unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut config = GatewayConfig {
        root_keys,
        ..GatewayConfig::default()
    };
    config.limits.max_connections_per_address = config.limits.max_connections;
    let identity = authority.issue(&CertificateRequest::localhost()).unwrap();
    let gateway = runtime.block_on(Gateway::start(config, identity)).unwrap();

    let config = SdkConfig {
        gateway_addr: format!("https://{}", gateway.address()),
        tls: TlsConfig {
            ca: Some(ca),
            ..TlsConfig::default()
        },
        ..SdkConfig::default()
    };
    let clients = Clients {
        asynchronous: block_on(RonAppSdk::new(config.clone())).unwrap(),
        blocking: blocking::RonAppSdk::new(config.clone()).unwrap(),
        provided: provider(&capability),
        capability,
        config,
    };
    clients.work(0);

    // Whatever locks the parent's threads hold, some fork comes while they do.
    let (is_over, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for number in 0..2 {
            let (clients, is_over, calls) = (&clients, &is_over, &calls);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    clients.work(number);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut settled = None;
        for round in 0..ROUNDS {
            let child = in_child(3 * LIMIT, || {
                clients.are_inherited(round);
                0
            });
            if child != Child::Ended(0) {
                is_over.store(true, Ordering::Relaxed);
            }
            assert_eq!(child, Child::Ended(0), "round {round}");
            clients.work(round);
            // The children's connections end with them.
            if round == 10 {
                settled = Some((count("/proc/self/task"), count("/proc/self/fd")));
            }
        }
        is_over.store(true, Ordering::Relaxed);
        let (threads, files) = settled.unwrap();
        let until = Instant::now() + Duration::from_secs(5);
        while count("/proc/self/task") > threads || count("/proc/self/fd") > files {
            assert!(Instant::now() < until, "threads or files have leaked");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert!(calls.load(Ordering::Relaxed) > u64::from(ROUNDS));
    a_child_that_drops_clients_leaves_their_connections_alone(&gateway, &clients);
    a_call_under_way_is_its_parents(&clients);
    let grandchild = in_child(2 * LIMIT, || {
        match in_child(LIMIT, || {
            clients.are_inherited(1);
            0
        }) {
            Child::Ended(0) => 0,
            _ => 1,
        }
    });
    assert_eq!(grandchild, Child::Ended(0));
    clients.work(1);
}
