//! Every kind of the error table comes out of a call against the real gateway.
//!
//! `ForkDetected` needs a fork and is shown by `testing/fork`; `Internal` needs a process that can make no threads and
//! is shown by `no_threads.rs`.
#![allow(clippy::unwrap_used)]

mod support;

use futures_util::FutureExt;
use ron_app_sdk::{
    blocking, AddrB3, ByteRange, ErrorKind, Executed, Expected, IdemKey, IndexKey, Mail, Receive,
    SdkError, SpkiPin, Topic, MAX_BODY,
};
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::faults::FaultPlan;
use ron_gateway::GatewayConfig;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;
use support::{block_on, bytes, capability, root_keys, TestGateway, LIMIT};

const SHORT: Duration = Duration::from_millis(300);

/// A gateway and a client that tries once.
struct Fixture {
    gateway: TestGateway,
    sdk: blocking::RonAppSdk,
    address: AddrB3,
}

impl Fixture {
    fn new() -> Self {
        let gateway = TestGateway::start();
        let mut config = gateway.config();
        config.backoff.max_attempts = 1;
        config.timeouts.read = SHORT;
        let sdk = blocking::RonAppSdk::new(config).unwrap();
        let address = sdk
            .storage_put(capability(), &bytes(1000), LIMIT, None)
            .unwrap();
        Self {
            gateway,
            sdk,
            address,
        }
    }

    /// A get that meets a fault.
    fn get_with(&self, fault: &str) -> SdkError {
        let plan = format!(r#"{{"rules":[{{"fault":{fault},"operation":"storage.get"}}]}}"#);
        let plan: FaultPlan = serde_json::from_str(&plan).unwrap();
        self.gateway.gateway.faults().arm(plan).unwrap();
        let get = self.sdk.storage_get(capability(), self.address, LIMIT);
        let error = get.unwrap_err();
        self.gateway.gateway.faults().disarm();
        error
    }
}

fn stale_lease(fixture: &Fixture) -> SdkError {
    let (sdk, topic) = (&fixture.sdk, Topic::new("orders").unwrap());
    let mail = Mail::new(topic.clone(), "x");
    sdk.mailbox_send(capability(), mail, LIMIT, None).unwrap();
    let messages = sdk
        .mailbox_receive(capability(), &Receive::new(topic), LIMIT)
        .unwrap();
    let lease = &messages[0].lease;
    sdk.mailbox_nack(capability(), lease, Duration::ZERO, LIMIT)
        .unwrap();
    sdk.mailbox_ack(capability(), lease, LIMIT).unwrap_err()
}

fn conflict(fixture: &Fixture) -> SdkError {
    let key = IdemKey::new("the-same").unwrap();
    let put = |body: &[u8]| {
        fixture
            .sdk
            .storage_put(capability(), body, LIMIT, Some(key.clone()))
    };
    put(b"one").unwrap();
    let mismatch = put(b"two").unwrap_err();
    let name = IndexKey::new("name").unwrap();
    let publish = || {
        let calls = fixture.sdk.with(capability());
        calls.index_publish(&name, fixture.address, Some(Expected::Absent))
    };
    publish().unwrap();
    assert_eq!(publish().unwrap_err().kind(), mismatch.kind());
    mismatch
}

/// More calls than a client takes, of a gateway that does not answer.
fn busy(fixture: &Fixture) -> SdkError {
    let plan: FaultPlan = serde_json::from_str(r#"{"rules":[{"fault":"black_hole"}]}"#).unwrap();
    fixture.gateway.gateway.faults().arm(plan).unwrap();
    let error = block_on(async {
        let sdk = fixture.gateway.sdk().await;
        let (capability, address) = (capability(), fixture.address);
        let get = || sdk.storage_get(&capability, address, LIMIT);
        let mut open: Vec<_> = (0..1024 + 16_384).map(|_| Box::pin(get())).collect();
        for call in &mut open {
            assert!(call.now_or_never().is_none());
        }
        let refused = get().await.unwrap_err();
        drop(open);
        assert_eq!(sdk.open_calls(), 0);
        refused
    });
    fixture.gateway.gateway.faults().disarm();
    error
}

/// More calls a second than the subject may make.
fn rate_limited() -> SdkError {
    let mut config = GatewayConfig::default();
    config.limits.calls_per_second_per_subject = NonZeroU32::new(1);
    let gateway = TestGateway::start_with(config, &CertificateRequest::localhost());
    let mut config = gateway.config();
    config.backoff.max_attempts = 1;
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    let puts = (0..10).map(|_| sdk.storage_put(capability(), b"x", LIMIT, None));
    puts.filter_map(Result::err).next().unwrap()
}

fn tls(fixture: &Fixture) -> SdkError {
    let mut config = fixture.gateway.config();
    config.tls.ca = None;
    config.tls.pin = Some(SpkiPin([7; 32]));
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    sdk.storage_head(capability(), fixture.address, LIMIT)
        .unwrap_err()
}

/// The gateway is there, and Tor is not.
fn tor_unavailable(fixture: &Fixture) -> SdkError {
    let mut config = fixture.gateway.config();
    config.transport = ron_app_sdk::Transport::Tor;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    config.tor.socks_addr = listener.local_addr().unwrap();
    drop(listener);
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    sdk.storage_head(capability(), fixture.address, LIMIT)
        .unwrap_err()
}

fn closed(fixture: &Fixture) -> SdkError {
    let sdk = fixture.gateway.blocking_sdk();
    sdk.storage_head(capability(), fixture.address, LIMIT)
        .unwrap();
    sdk.close(LIMIT);
    sdk.storage_head(capability(), fixture.address, LIMIT)
        .unwrap_err()
}

fn expired() -> ron_app_sdk::Capability {
    let minter = root_keys().minter(None).unwrap();
    minter.mint("tester", &["exp<1000000000"]).unwrap()
}

fn config_error(fixture: &Fixture) -> SdkError {
    let too_long = Duration::from_secs(3601);
    fixture
        .sdk
        .storage_head(capability(), fixture.address, too_long)
        .unwrap_err()
}

#[test]
fn every_kind_is_produced() {
    let fixture = Fixture::new();
    let sdk = &fixture.sdk;
    let long = vec![0; MAX_BODY + 1];
    let absent = AddrB3::of(b"absent");
    let beyond = ByteRange::new(1000, 1001).unwrap();
    let denied = capability().attenuate("op=storage.put").unwrap();
    let gets = |capability: &ron_app_sdk::Capability| {
        sdk.storage_get(capability, fixture.address, LIMIT)
            .unwrap_err()
    };
    let errors = [
        (
            ErrorKind::TooLarge,
            sdk.storage_put(capability(), &long, LIMIT, None)
                .unwrap_err(),
        ),
        (
            ErrorKind::NotFound,
            sdk.storage_get(capability(), absent, LIMIT).unwrap_err(),
        ),
        (
            ErrorKind::RangeNotSatisfiable,
            sdk.storage_get_range(capability(), fixture.address, beyond, LIMIT)
                .unwrap_err(),
        ),
        (ErrorKind::CapabilityDenied, gets(&denied)),
        (ErrorKind::CapabilityExpired, gets(&expired())),
        (ErrorKind::Config, config_error(&fixture)),
        (ErrorKind::Conflict, conflict(&fixture)),
        (ErrorKind::StaleLease, stale_lease(&fixture)),
        (ErrorKind::Tls, tls(&fixture)),
        (ErrorKind::TorUnavailable, tor_unavailable(&fixture)),
        (ErrorKind::Closed, closed(&fixture)),
        (
            ErrorKind::Server,
            fixture.get_with(r#"{"error_before":{}}"#),
        ),
        (
            ErrorKind::SchemaViolation,
            fixture.get_with(r#""unknown_field""#),
        ),
        (
            ErrorKind::IntegrityMismatch,
            fixture.get_with(r#""corrupt_body""#),
        ),
        (
            ErrorKind::Unknown,
            fixture.get_with(r#"{"status":{"code":302}}"#),
        ),
        (
            ErrorKind::Cancelled,
            fixture.get_with(r#"{"cancel_all":{}}"#),
        ),
        (
            ErrorKind::OapViolation,
            fixture.get_with(r#"{"bad_version":{}}"#),
        ),
        (ErrorKind::Transport, fixture.get_with(r#""reset""#)),
        (ErrorKind::RateLimited, rate_limited()),
        (ErrorKind::Busy, busy(&fixture)),
        (ErrorKind::Stalled, stalled(&fixture)),
        (ErrorKind::DeadlineExceeded, deadline_exceeded(&fixture)),
    ];
    let mut produced = BTreeMap::new();
    for (kind, error) in errors {
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with(kind.name()), "{error}");
        if !matches!(kind, ErrorKind::Transport | ErrorKind::OapViolation) {
            assert_ne!(error.executed(), Executed::Yes, "{error}");
        }
        produced.insert(kind.number(), error);
    }
    let elsewhere = [ErrorKind::ForkDetected, ErrorKind::Internal];
    for kind in ErrorKind::all().filter(|kind| !elsewhere.contains(kind)) {
        assert!(produced.contains_key(&kind.number()), "{kind:?}");
    }
}

/// An answer that stops halfway.
fn stalled(fixture: &Fixture) -> SdkError {
    use ron_fault_proxy::{Direction, FaultProxy, Faults};
    let proxy = FaultProxy::start_blocking(fixture.gateway.gateway.address()).unwrap();
    let mut config = fixture.gateway.trust.config(proxy.address());
    config.backoff.max_attempts = 1;
    config.timeouts.read = SHORT;
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    let object = bytes(MAX_BODY);
    let address = sdk.storage_put(capability(), &object, LIMIT, None).unwrap();
    // Slow enough that the answer has begun and not ended when nothing comes any more.
    let slow = |bandwidth| {
        Faults::from_gateway(Direction {
            bandwidth: std::num::NonZeroU64::new(bandwidth),
            ..Direction::default()
        })
    };
    proxy.set(slow(500_000));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| sdk.storage_get(capability(), address, LIMIT).unwrap_err());
        std::thread::sleep(Duration::from_millis(500));
        proxy.set(Faults::connections(ron_fault_proxy::Connections::HalfOpen));
        call.join().unwrap()
    })
}

fn deadline_exceeded(fixture: &Fixture) -> SdkError {
    let plan: FaultPlan = serde_json::from_str(r#"{"rules":[{"fault":"black_hole"}]}"#).unwrap();
    fixture.gateway.gateway.faults().arm(plan).unwrap();
    let sdk = fixture.gateway.blocking_sdk();
    // Shorter than the shortest attempt timeout.
    let limit = Duration::from_millis(200);
    let error = sdk.storage_get(capability(), fixture.address, limit);
    let error = error.unwrap_err();
    fixture.gateway.gateway.faults().disarm();
    error
}
