//! The cache, against a real gateway.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::{blocking, CacheConfig, CapabilitySource, ErrorKind};
use std::time::Duration;
use support::{block_on, bytes, capability, TestGateway, LIMIT};

const TTL: Duration = Duration::from_millis(300);

#[test]
fn an_object_is_fetched_once_by_each_capability() {
    let gateway = TestGateway::start();
    let mut config = gateway.config();
    config.cache = CacheConfig {
        enabled: true,
        ttl: TTL,
        ..CacheConfig::default()
    };
    let sdk = blocking::RonAppSdk::new(config.clone()).unwrap();
    let (holder, object) = (capability(), bytes(10_000));
    let address = sdk.storage_put(&holder, &object, LIMIT, None).unwrap();
    let attempts = |sdk: &blocking::RonAppSdk, source: &CapabilitySource| {
        let calls = sdk.with(source).with_report();
        let (got, report) = calls.storage_get(address).unwrap();
        assert_eq!(got, object);
        report.attempts
    };
    let source = CapabilitySource::from(&holder);
    assert_eq!(attempts(&sdk, &source), 1, "a put is not a fetch");
    assert_eq!(attempts(&sdk, &source), 0);
    assert_eq!(
        (sdk.stats().cached_objects, sdk.stats().cached_bytes),
        (1, 10_000)
    );

    // A provider's token is known by its bytes too, and whoever has another one fetches for himself.
    let same = holder.clone();
    let provided = CapabilitySource::provider(move || Ok(same.clone()));
    assert_eq!(attempts(&sdk, &provided), 0);
    let other = capability();
    assert_eq!(attempts(&sdk, &CapabilitySource::from(&other)), 1);

    // One that may not fetch it does not get it, though it is there.
    let denied = holder.attenuate("op=storage.put").unwrap();
    let error = sdk.storage_get(&denied, address, LIMIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CapabilityDenied);

    std::thread::sleep(TTL);
    assert_eq!(attempts(&sdk, &source), 1);
    sdk.close(LIMIT);
    assert_eq!(sdk.stats().cached_objects, 0);

    block_on(async {
        let sdk = ron_app_sdk::RonAppSdk::new(config).await.unwrap();
        for attempts in [1, 0] {
            let calls = sdk.with(&holder).with_report();
            assert_eq!(
                calls.storage_get(address).await.unwrap().1.attempts,
                attempts
            );
        }
        let plain = gateway.sdk().await;
        for _ in 0..2 {
            let calls = plain.with(&holder).with_report();
            assert_eq!(calls.storage_get(address).await.unwrap().1.attempts, 1);
        }
    });
}
