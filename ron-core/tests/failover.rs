//! Several gateways: a call reaches one of them, whichever of the others is gone.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use ron_app_sdk::{
    blocking, AddrB3, Capability, ErrorKind, Executed, GaveUp, RonAppSdk, SdkConfig, SdkError,
};
use ron_fault_proxy::ForwardProxy;
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::{Backends, Gateway, GatewayConfig, Limits};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};
use support::silent::Silent;
use support::{capability, root_keys, Trust, LIMIT};
use tokio::runtime::{Builder, Runtime};

/// Gateways with one state and an authority, each on a runtime of its own, so that each can be killed.
struct Gateways {
    trust: Trust,
    gateways: Vec<Option<(Gateway, Runtime)>>,
    backends: Backends,
}

impl Gateways {
    fn start(count: usize) -> Self {
        let config = GatewayConfig {
            root_keys: root_keys(),
            ledger: true,
            ..GatewayConfig::default()
        };
        let mut gateways = Self {
            trust: Trust::new(),
            gateways: Vec::new(),
            backends: Backends::in_memory(&config).unwrap(),
        };
        for _ in 0..count {
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            let started = gateways.start_one(address, &gateways.trust.authority);
            gateways.gateways.push(Some(started));
        }
        gateways
    }

    fn start_one(&self, listen: SocketAddr, authority: &Authority) -> (Gateway, Runtime) {
        let mut config = GatewayConfig {
            listen,
            root_keys: root_keys(),
            ledger: true,
            ..GatewayConfig::default()
        };
        config.limits.max_connections_per_address = Limits::default().max_connections;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let identity = authority.issue(&CertificateRequest::localhost()).unwrap();
        let start = Gateway::start_with(config, identity, self.backends.clone());
        (runtime.block_on(start).unwrap(), runtime)
    }

    fn address(&self, at: usize) -> SocketAddr {
        self.gateways[at].as_ref().unwrap().0.address()
    }

    fn config(&self) -> SdkConfig {
        let addresses: Vec<_> = (0..self.gateways.len())
            .map(|at| self.address(at))
            .collect();
        several(&self.trust, &addresses)
    }

    /// As a crash would.
    fn kill(&mut self, at: usize) {
        let (gateway, runtime) = self.gateways[at].take().unwrap();
        drop(gateway);
        runtime.shutdown_background();
    }

    /// Connections that a gateway has taken since it started.
    fn taken(&self, at: usize) -> u64 {
        let (gateway, _) = self.gateways[at].as_ref().unwrap();
        gateway.metrics().connections_accepted()
    }
}

fn several(trust: &Trust, addresses: &[SocketAddr]) -> SdkConfig {
    let mut config = trust.config(addresses[0]);
    let others = addresses[1..].iter();
    config.fallback_addrs = others.map(|address| format!("https://{address}")).collect();
    config
}

/// An address at which nothing listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Objects that are put under fresh keys and got, and one that is got again and again.
fn round(
    sdk: &blocking::RonAppSdk,
    capability: &Capability,
    known: AddrB3,
    number: u64,
) -> Result<(), SdkError> {
    let object = number.to_be_bytes().repeat(100);
    let address = sdk.storage_put(capability, &object, LIMIT, None)?;
    assert_eq!(sdk.storage_get(capability, address, LIMIT)?, object);
    assert_eq!(sdk.storage_get(capability, known, LIMIT)?, "known");
    Ok(())
}

async fn round_of_a_task(
    sdk: &RonAppSdk,
    capability: &Capability,
    known: AddrB3,
    number: u64,
) -> Result<(), SdkError> {
    let object = Bytes::from(number.to_be_bytes().repeat(100));
    let address = sdk
        .storage_put(capability, object.clone(), LIMIT, None)
        .await?;
    assert_eq!(sdk.storage_get(capability, address, LIMIT).await?, object);
    assert_eq!(sdk.storage_get(capability, known, LIMIT).await?, "known");
    Ok(())
}

#[test]
fn one_of_three_gateways_is_killed_under_load_and_no_call_fails() {
    const CALLERS: u64 = 6;
    const FOR: Duration = Duration::from_millis(2400);
    let mut gateways = Gateways::start(3);
    let config = gateways.config();
    let capability = capability();
    let threads = blocking::RonAppSdk::new(config.clone()).unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let tasks = runtime.block_on(RonAppSdk::new(config)).unwrap();
    let known = threads
        .storage_put(&capability, b"known", LIMIT, None)
        .unwrap();
    let start = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (sdk, capability) = (threads.clone(), capability.clone());
            thread::spawn(move || {
                let mut rounds = 0;
                while start.elapsed() < FOR {
                    round(&sdk, &capability, known, caller + 1000 * rounds)?;
                    rounds += 1;
                }
                Ok::<u64, SdkError>(rounds)
            })
        })
        .collect();
    let others: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (sdk, capability) = (tasks.clone(), capability.clone());
            runtime.spawn(async move {
                let mut rounds = 0;
                while start.elapsed() < FOR {
                    let number = 500 + caller + 1000 * rounds;
                    round_of_a_task(&sdk, &capability, known, number).await?;
                    rounds += 1;
                }
                Ok::<u64, SdkError>(rounds)
            })
        })
        .collect();
    thread::sleep(FOR / 3);
    gateways.kill(0);
    thread::sleep(FOR / 3);
    let second = gateways.taken(1);
    gateways.kill(1);
    let rounds: u64 = callers
        .into_iter()
        .map(|caller| caller.join().unwrap().unwrap())
        .sum();
    let other_rounds = others
        .into_iter()
        .map(|caller| runtime.block_on(caller).unwrap().unwrap());
    let other_rounds: u64 = other_rounds.sum();
    assert!(
        rounds > 100 && other_rounds > 100,
        "{rounds} and {other_rounds} rounds"
    );
    assert!(
        second > 0 && gateways.taken(2) > 0,
        "both of the others have served"
    );
    let (last, _) = gateways.gateways[2].as_ref().unwrap();
    assert_eq!(last.ledger().unwrap().most_effects_of_one_key(), 1);
}

#[test]
fn a_client_whose_preferred_gateway_is_gone_uses_the_next_one_and_stays_there() {
    let gateways = Gateways::start(2);
    let addresses = [nobody(), gateways.address(0), gateways.address(1)];
    let sdk = blocking::RonAppSdk::new(several(&gateways.trust, &addresses)).unwrap();
    let calls = sdk.with(capability()).with_report();
    let (address, report) = calls.storage_put(b"x").unwrap();
    assert_eq!(report.attempts, 1, "within one attempt");
    for _ in 0..20 {
        calls.storage_get(address).unwrap();
    }
    assert_eq!((gateways.taken(0), gateways.taken(1)), (1, 0));
}

#[test]
fn a_gateway_that_is_back_serves_again_when_the_others_are_gone() {
    let mut gateways = Gateways::start(2);
    let sdk = blocking::RonAppSdk::new(gateways.config()).unwrap();
    let (capability, first) = (capability(), gateways.address(0));
    let address = sdk.storage_put(&capability, b"x", LIMIT, None).unwrap();
    gateways.kill(0);
    assert_eq!(sdk.storage_get(&capability, address, LIMIT).unwrap(), "x");
    gateways.kill(1);
    let back = gateways.start_one(first, &gateways.trust.authority);
    assert_eq!(sdk.storage_get(&capability, address, LIMIT).unwrap(), "x");
    drop(back);
}

#[test]
fn the_error_names_every_gateway_that_could_not_be_reached() {
    let trust = Trust::new();
    let addresses = [nobody(), nobody(), nobody()];
    let config = several(&trust, &addresses);
    let limit = Duration::from_millis(300);
    let sdk = blocking::RonAppSdk::new(config.clone()).unwrap();
    let error = sdk
        .storage_put(capability(), b"x", limit, None)
        .unwrap_err();
    let other = support::block_on(async {
        let sdk = RonAppSdk::new(config).await.unwrap();
        sdk.storage_put(capability(), "x".into(), limit, None)
            .await
            .unwrap_err()
    });
    for error in [error, other] {
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert_eq!(
            (error.executed(), error.gave_up()),
            (Executed::No, Some(GaveUp::Deadline))
        );
        for address in addresses {
            let said = format!("{address}: nothing listens there");
            assert!(error.to_string().contains(&said), "{error}");
        }
    }
}

#[test]
fn a_gateway_that_says_nothing_takes_its_share_of_the_time_to_connect() {
    let (gateways, silent) = (Gateways::start(1), Silent::new());
    let config = several(&gateways.trust, &[silent.address, gateways.address(0)]);
    let blocking = blocking::RonAppSdk::new(config.clone()).unwrap();
    let start = Instant::now();
    blocking
        .storage_put(capability(), b"x", LIMIT, None)
        .unwrap();
    let took = start.elapsed();
    let other = support::block_on(async {
        let sdk = RonAppSdk::new(config).await.unwrap();
        let start = Instant::now();
        sdk.storage_put(capability(), "x".into(), LIMIT, None)
            .await
            .unwrap();
        start.elapsed()
    });
    for took in [took, other] {
        // Half of two seconds.
        let (least, most) = (Duration::from_millis(900), Duration::from_millis(1700));
        assert!((least..most).contains(&took), "{took:?}");
    }
}

/// As a gateway does that is just going, or whatever stands before one that is gone.
#[test]
fn a_gateway_that_takes_connections_and_drops_them_is_left() {
    let (gateways, listener) = (
        Gateways::start(1),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    let config = several(&gateways.trust, &[address, gateways.address(0)]);
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    let calls = sdk.with(capability()).timeout(LIMIT).with_report();
    let (stored, report) = calls.storage_put(b"x").unwrap();
    assert_eq!(report.attempts, 2);
    assert_eq!(calls.storage_get(stored).unwrap().1.attempts, 1);
}

/// Who is there and not whom it should be is somebody's mistake or worse: nobody goes on as if nothing was.
#[test]
fn a_gateway_with_another_certificate_is_not_passed_over() {
    let gateways = Gateways::start(1);
    let stranger = Authority::new().unwrap();
    let stranger = gateways.start_one(SocketAddr::from(([127, 0, 0, 1], 0)), &stranger);
    let address = stranger.0.address();
    let config = several(&gateways.trust, &[address, gateways.address(0)]);
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    for _ in 0..2 {
        let error = sdk
            .storage_put(capability(), b"x", LIMIT, None)
            .unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Tls, 1));
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
    assert_eq!(gateways.taken(0), 0);
}

#[test]
fn a_capability_that_one_gateway_denies_is_not_tried_at_another() {
    let gateways = Gateways::start(2);
    let sdk = blocking::RonAppSdk::new(gateways.config()).unwrap();
    let narrow = capability().attenuate("op=index.resolve");
    let error = sdk
        .storage_put(narrow.unwrap(), b"x", LIMIT, None)
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::CapabilityDenied, 1)
    );
    assert_eq!(gateways.taken(1), 0);
}

#[test]
fn a_gateway_that_a_proxy_cannot_connect_to_is_passed_over() {
    let gateways = Gateways::start(1);
    let proxy = ForwardProxy::start(gateways.address(0)).unwrap();
    for (scheme, taken) in [("http", 1), ("socks5", 2), ("socks5h", 3)] {
        let mut config = several(&gateways.trust, &[nobody(), gateways.address(0)]);
        let place = proxy.address();
        config.set("proxy", &format!("{scheme}://{place}")).unwrap();
        let sdk = blocking::RonAppSdk::new(config).unwrap();
        let calls = sdk.with(capability()).with_report();
        let (_, report) = calls.storage_put(b"x").unwrap();
        assert_eq!(report.attempts, 1, "within one attempt");
        assert_eq!(gateways.taken(0), taken);
    }
    assert_eq!(proxy.asked().len(), 6, "each was asked for both");
}
