//! Capabilities that have expired, are revoked, or never allowed the call; and providers that misbehave.

use crate::fixture::{first, told, with_each_client, Client, Face, Fixture, SLACK};
use crate::support::root_keys;
use ron_app_sdk::{AddrB3, Capability, CapabilitySource, ErrorKind, Executed, SdkConfig, SdkError};
use ron_gateway::capability::{Clock, Revocations};
use ron_gateway::faults::{Fault, FaultKind};
use ron_gateway::GatewayConfig;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The gateway's time of day when nothing has been set.
const NOON: u64 = 1_900_000_000;

fn mint(caveats: &[&str]) -> Capability {
    let minter = root_keys().minter(None).unwrap();
    minter.mint("tester", caveats).unwrap()
}

/// A gateway whose time of day is this one.
fn at_noon(face: Face) -> (Fixture, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(NOON));
    let shown = Arc::clone(&now);
    let config = GatewayConfig {
        clock: Clock::new(move || shown.load(Ordering::SeqCst)),
        ..GatewayConfig::default()
    };
    (Fixture::start_with(face, config), now)
}

/// A provider of tokens with this end, and how often it was asked.
fn provider(
    end: impl Fn(u64) -> u64 + Send + Sync + 'static,
) -> (CapabilitySource, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let source = CapabilitySource::provider(move || {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        Ok(mint(&[&format!("exp<{}", end(number))]))
    });
    (source, asked)
}

#[test]
fn an_expired_capability_is_refreshed_once_under_the_same_key() {
    with_each_client(|face| {
        let fixture = Fixture::start(face);
        fixture.arm([first(Fault::CapabilityExpired)]);
        let (source, asked) = provider(|_| u64::MAX);
        let client = fixture.client().with_capability(source);
        let put = client.put(b"x");
        assert_eq!(told(&put), (2, false, Executed::Yes));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert_eq!(fixture.effects(), (1, 1, 1));

        let fixed = fixture.client().put(b"y").unwrap_err();
        assert_eq!(fixed.kind(), ErrorKind::CapabilityExpired);
        assert_eq!((fixed.attempts(), fixed.executed()), (1, Executed::No));
        assert_eq!(fixture.fired(FaultKind::CapabilityExpired), 2);
    });
}

#[test]
fn clocks_may_differ_by_a_minute_and_not_by_ten() {
    with_each_client(|face| {
        let (fixture, now) = at_noon(face);
        let client = |caveat: String| fixture.client().with_capability(mint(&[&caveat]));
        for (caveat, kind) in [
            (format!("exp<{}", NOON - 30), None),
            (format!("nbf>{}", NOON + 30), None),
            (
                format!("exp<{}", NOON - 600),
                Some(ErrorKind::CapabilityExpired),
            ),
            (
                format!("nbf>{}", NOON + 600),
                Some(ErrorKind::CapabilityDenied),
            ),
        ] {
            let put = client(caveat.clone()).put(caveat.as_bytes());
            match kind {
                None => assert_eq!(told(&put).0, 1),
                Some(kind) => {
                    let error = put.unwrap_err();
                    assert_eq!((error.kind(), error.attempts()), (kind, 1), "{caveat}");
                    assert_eq!(error.executed(), Executed::No);
                }
            }
        }
        assert_eq!(fixture.effects(), (2, 2, 1));

        // One that had ended is good again for a clock that jumps back.
        let ended = client(format!("exp<{}", NOON - 600));
        now.store(NOON - 1200, Ordering::SeqCst);
        assert_eq!(told(&ended.put(b"back")).0, 1);
        now.store(NOON, Ordering::SeqCst);
        let error = ended.put(b"again").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CapabilityExpired);
    });
}

#[test]
fn a_refresh_that_brings_another_expired_one_is_the_last() {
    with_each_client(|face| {
        let (fixture, _now) = at_noon(face);
        for (fresh_end, attempts) in [(NOON + 600, Ok(2)), (NOON - 600, Err(2))] {
            let (source, asked) = provider(move |number| match number {
                0 => NOON - 600,
                _ => fresh_end,
            });
            let client = fixture.client().with_capability(source);
            match (client.put(b"x"), attempts) {
                (Ok((_, report)), Ok(attempts)) => assert_eq!(report.attempts, attempts),
                (Err(error), Err(attempts)) => {
                    assert_eq!(error.kind(), ErrorKind::CapabilityExpired);
                    assert_eq!(error.attempts(), attempts);
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(asked.load(Ordering::SeqCst), 2);
        }
        assert_eq!(fixture.effects(), (1, 1, 1));
        let metrics = fixture.gateway.gateway.metrics();
        let refused =
            metrics.calls("storage", "put", 401) + metrics.calls("storage", "unknown", 401);
        assert_eq!(refused, 3);
    });
}

/// A token that ends while calls are made: each call before and after it succeeds.
#[test]
fn a_capability_that_ends_between_calls_is_replaced() {
    with_each_client(|face| {
        let (fixture, now) = at_noon(face);
        let clock = Arc::clone(&now);
        let (source, asked) = provider(move |_| clock.load(Ordering::SeqCst) + 100);
        let client = fixture.client().with_capability(source);
        for call in 0..20u64 {
            let put = client.put(&call.to_be_bytes());
            assert!(told(&put).0 <= 2);
            now.fetch_add(50, Ordering::SeqCst);
        }
        // 100 s and the skew are four calls.
        assert_eq!(asked.load(Ordering::SeqCst), 5);
        assert_eq!(fixture.effects(), (20, 20, 1));
    });
}

#[test]
fn what_a_capability_does_not_allow_is_asked_for_once() {
    with_each_client(|face| {
        let minter = root_keys().minter(None).unwrap();
        let revoked = minter.mint_with_id("tester", "revoked", &[]).unwrap();
        let foreign = {
            let mut keys = ron_gateway::capability::KeyRing::default();
            keys.add("test", b"another root key of the tests, 32")
                .unwrap();
            keys.minter(None).unwrap().mint("tester", &[]).unwrap()
        };
        let fixture = Fixture::start_with(
            face,
            GatewayConfig {
                revocations: Revocations::of(["revoked"]).unwrap(),
                ..GatewayConfig::default()
            },
        );
        let tenants = [
            "tenant=00000000000000000000000000000001",
            "tenant=00000000000000000000000000000002",
        ];
        let denied = [
            revoked.clone(),
            revoked.attenuate("op=storage.put").unwrap(),
            foreign,
            mint(&tenants),
            mint(&["op=storage.get"]),
            mint(&["path^=/public/"]),
            mint(&["max_bytes<1"]),
            mint(&["idem_scope=invoices-"]),
            mint(&[]).attenuate("colour=blue").unwrap(),
            mint(&[]).attenuate("op=storage.put ").unwrap(),
        ];
        let count = denied.len() as u64;
        for capability in denied {
            let client = fixture.client().with_capability(capability);
            let error = client.put(b"x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CapabilityDenied, "{error}");
            assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
        }
        let metrics = fixture.gateway.gateway.metrics();
        // Some are refused before it is known what they want.
        let refused =
            metrics.calls("storage", "put", 403) + metrics.calls("storage", "unknown", 403);
        assert_eq!(refused, count);
        assert_eq!(fixture.effects().0, 0);
        let other = fixture
            .client()
            .with_capability(mint(&["op=storage.put", tenants[0]]));
        assert_eq!(told(&other.put(b"x")).0, 1);
    });
}

/// What a provider does in its own time must not end in a knot.
#[test]
fn a_provider_may_call_the_sdk() {
    with_each_client(|face| {
        let fixture = Fixture::start(face);
        let address = fixture.stored(b"the token is elsewhere");
        let sdk = fixture.gateway.blocking_sdk();
        let inner = sdk.clone();
        let source = CapabilitySource::provider(move || {
            let fixed = mint(&[]);
            inner.storage_get(&fixed, address, Duration::from_secs(2))?;
            Ok(fixed)
        });
        let client = fixture.client().with_capability(source);
        assert_eq!(told(&client.put(b"x")).0, 1);
    });
}

/// One that waits for itself waits for as long as its own call, and no longer.
#[test]
fn a_provider_that_waits_for_itself_is_not_waited_for() {
    with_each_client(|face| {
        let fixture = Fixture::start(face);
        let sdk = fixture.gateway.blocking_sdk();
        let own: Arc<OnceLock<CapabilitySource>> = Arc::default();
        let (inner, itself) = (sdk.clone(), Arc::clone(&own));
        let source = CapabilitySource::provider(move || {
            let source = itself.get().ok_or("not yet")?;
            let limit = Duration::from_millis(300);
            let error: SdkError = match inner.storage_get(source, AddrB3::of(b"x"), limit) {
                Err(error) => error,
                Ok(_) => return Ok(mint(&[])),
            };
            assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
            Err(error.into())
        });
        own.set(source.clone()).ok().unwrap();
        let limit = Duration::from_secs(1);
        let client = fixture.client().with_capability(source).with_limit(limit);
        let began = Instant::now();
        let error = client.put(b"x").unwrap_err();
        assert!(began.elapsed() < limit + SLACK);
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
        assert_eq!((error.attempts(), error.executed()), (0, Executed::No));
        assert_eq!((client.open_calls(), sdk.open_calls()), (0, 0));
    });
}

/// Slow, failing, panicking: within the call's limit, without a request, whoever is to blame.
#[test]
fn a_provider_that_misbehaves_costs_no_request() {
    type Provider = fn() -> Result<Capability, Box<dyn std::error::Error + Send + Sync>>;
    let slow: Provider = || {
        std::thread::sleep(Duration::from_secs(3));
        Err("too late".into())
    };
    let failing: Provider = || Err("nobody signed in".into());
    let panicking: Provider = || panic!("a bug of the application");
    with_each_client(|face| {
        // Nothing listens there, and nothing is asked.
        let limit = Duration::from_millis(400);
        for (provider, kind) in [
            (slow, ErrorKind::DeadlineExceeded),
            (failing, ErrorKind::CapabilityDenied),
            (panicking, ErrorKind::CapabilityDenied),
        ] {
            let client = Client::new(face, SdkConfig::default()).with_limit(limit);
            let client = client.with_capability(CapabilitySource::provider(provider));
            let began = Instant::now();
            let error = client.put(b"x").unwrap_err();
            assert!(began.elapsed() < limit + SLACK);
            assert_eq!((error.kind(), error.attempts()), (kind, 0));
            assert_eq!(error.executed(), Executed::No);
            assert_eq!(client.open_calls(), 0);
        }
    });
}
