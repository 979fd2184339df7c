//! Every operation in both clients, against the real gateway.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use ron_app_sdk::{AddrB3, ByteRange, ErrorKind, Executed, IdemKey, SdkError, MAX_BODY};
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::edge::{sample, SAMPLE_PATH, SAMPLE_SIZE};
use ron_gateway::GatewayConfig;
use support::{block_on, bytes, capability, TestGateway, LIMIT};

/// Sizes at which something changes: nothing, the copied body, a TLS record, a frame's chunk, the limit.
const SIZES: [usize; 12] = [
    0,
    1,
    64,
    4096,
    4097,
    16_384,
    65_535,
    65_536,
    65_537,
    200_000,
    MAX_BODY - 1,
    MAX_BODY,
];

fn range(first: u64, last: u64) -> ByteRange {
    ByteRange::new(first, last).unwrap()
}

#[test]
fn what_is_put_comes_back_at_every_size() {
    let gateway = TestGateway::start();
    let blocking = gateway.blocking_sdk();
    let capability = capability();
    block_on(async {
        let sdk = gateway.sdk().await;
        for size in SIZES {
            let body = Bytes::from(bytes(size));
            let put = sdk.storage_put(&capability, body.clone(), LIMIT, None);
            let address = put.await.unwrap();
            assert_eq!(address, AddrB3::of(&body), "{size} bytes");
            let got = sdk.storage_get(&capability, address, LIMIT).await.unwrap();
            assert_eq!(got, body, "{size} bytes");
            let info = sdk.storage_head(&capability, address, LIMIT).await.unwrap();
            assert_eq!((info.address, info.size), (address, size as u64));
        }
    });
    for size in SIZES {
        let body = bytes(size);
        let address = blocking
            .storage_put(&capability, &body, LIMIT, None)
            .unwrap();
        assert_eq!(address, AddrB3::of(&body), "{size} bytes");
        let got = blocking.storage_get(&capability, address, LIMIT).unwrap();
        assert_eq!(got, body, "{size} bytes");
        let info = blocking.storage_head(&capability, address, LIMIT).unwrap();
        assert_eq!((info.address, info.size), (address, size as u64));
    }
    assert_eq!(
        gateway.gateway.metrics().connections_accepted(),
        2,
        "one each"
    );
}

#[test]
fn ranges_are_inclusive_and_end_at_the_objects_end() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let capability = capability();
    let body = bytes(100_000);
    let address = sdk.storage_put(&capability, &body, LIMIT, None).unwrap();
    for (asked, given) in [
        (range(0, 0), 0..=0),
        (range(10, 99), 10..=99),
        (range(0, 99_999), 0..=99_999),
        (range(99_999, 500_000), 99_999..=99_999),
    ] {
        let part = sdk
            .storage_get_range(&capability, address, asked, LIMIT)
            .unwrap();
        assert_eq!(part.bytes, body[given]);
        assert_eq!(part.range.len() as usize, part.bytes.len());
        assert_eq!(part.size, 100_000);
        block_on(async {
            let sdk = gateway.sdk().await;
            let same = sdk
                .storage_get_range(&capability, address, asked, LIMIT)
                .await;
            assert_eq!(same.unwrap(), part);
        });
    }
    let error = sdk
        .storage_get_range(&capability, address, range(100_000, 100_000), LIMIT)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RangeNotSatisfiable);
    assert_eq!(error.status(), Some(416));
    assert!(error.to_string().contains("100000 bytes"), "{error}");
}

#[test]
fn edge_objects_come_whole_in_ranges_or_as_a_size() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "edge content").unwrap();
    std::fs::write(folder.path().join("long"), bytes(MAX_BODY + 1)).unwrap();
    let config = GatewayConfig {
        edge_root: Some(folder.path().to_owned()),
        ..GatewayConfig::default()
    };
    let gateway = TestGateway::start_with(config, &CertificateRequest::localhost());
    let sdk = gateway.blocking_sdk();
    let capability = capability();
    let get = |path: &str, range| sdk.edge_get(&capability, path, range, LIMIT);
    assert_eq!(get("/file", None).unwrap(), "edge content");
    assert_eq!(get("/file", Some(range(5, 99))).unwrap(), "content");
    let built_in = get(SAMPLE_PATH, None).unwrap();
    assert_eq!(built_in, sample());
    let info = sdk.edge_head(&capability, "/file", LIMIT).unwrap();
    assert_eq!((info.address, info.size), (AddrB3::of(b"edge content"), 12));

    let long = get("/long", None).unwrap_err();
    assert_eq!(
        (long.kind(), long.status()),
        (ErrorKind::TooLarge, Some(413))
    );
    assert!(long.to_string().contains("1015809"), "{long}");
    let rest = get("/long", Some(range(1, MAX_BODY as u64))).unwrap();
    assert_eq!(rest.len(), MAX_BODY);
    assert_eq!(
        get("/absent", None).unwrap_err().kind(),
        ErrorKind::NotFound
    );

    block_on(async {
        let sdk = gateway.sdk().await;
        let part = sdk.edge_get(&capability, "/file", Some(range(0, 3)), LIMIT);
        assert_eq!(part.await.unwrap(), "edge");
        let info = sdk.edge_head(&capability, "/file", LIMIT).await.unwrap();
        assert_eq!(info.size, 12);
    });
}

#[test]
fn the_short_form_carries_the_same_calls_and_reports() {
    let gateway = TestGateway::start();
    let capability = capability();
    let sdk = gateway.blocking_sdk();
    let calls = sdk.with(&capability).timeout(LIMIT);
    let key = IdemKey::new("a-logical-put").unwrap();
    let keyed = calls.clone().idempotency_key(key).with_report();
    let (address, report) = keyed.storage_put(b"short form").unwrap();
    assert_eq!((report.attempts, report.replayed), (1, false));
    assert_eq!(report.executed, Executed::Yes);
    assert!(!report.elapsed.is_zero() && report.elapsed < LIMIT);
    assert_eq!(calls.storage_get(address).unwrap(), "short form");
    let (part, report) = calls
        .with_report()
        .storage_get_range(address, range(0, 4))
        .unwrap();
    assert_eq!(
        (&part.bytes[..], report.executed),
        (&b"short"[..], Executed::No)
    );
    block_on(async {
        let sdk = gateway.sdk().await;
        let calls = sdk.with(&capability);
        let text = address.to_string();
        assert_eq!(calls.storage_get(&text).await.unwrap(), "short form");
        assert_eq!(calls.storage_head(&text).await.unwrap().size, 10);
        let edge = calls.edge_get(SAMPLE_PATH, None).await.unwrap();
        assert_eq!(edge.len(), SAMPLE_SIZE);
        assert_eq!(
            calls.edge_head(SAMPLE_PATH).await.unwrap().size,
            SAMPLE_SIZE as u64
        );
    });
}

/// Bad arguments: the field that each names, and that no connection was made for any of them.
#[test]
fn bad_arguments_are_refused_before_any_io() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let capability = capability();
    let calls = sdk.with(&capability);
    let good = AddrB3::of(b"x");
    let short = std::time::Duration::from_micros(999);
    let long = std::time::Duration::from_secs(3601);
    let check = |error: SdkError, kind: ErrorKind, words: &[&str]| {
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!((error.attempts(), error.executed()), (0, Executed::No));
        for word in words {
            assert!(error.to_string().contains(word), "{error} has no {word}");
        }
    };
    let schema = ErrorKind::SchemaViolation;
    let too_large = ErrorKind::TooLarge;
    check(
        calls.storage_put(&bytes(MAX_BODY + 1)).unwrap_err(),
        too_large,
        &["body", "1015809", "1015808"],
    );
    check(
        calls.storage_get("b3:12").unwrap_err(),
        schema,
        &["address", "64"],
    );
    check(
        calls.storage_get("sha:1").unwrap_err(),
        schema,
        &["address", "b3:"],
    );
    check(calls.storage_head("").unwrap_err(), schema, &["address"]);
    let wide = range(1, MAX_BODY as u64 + 1);
    check(
        calls.storage_get_range(good, wide).unwrap_err(),
        too_large,
        &["range", "1015809"],
    );
    check(
        calls.edge_get("no/slash", None).unwrap_err(),
        schema,
        &["path", "/"],
    );
    check(
        calls.edge_get("/a/../b", None).unwrap_err(),
        schema,
        &["path", ".."],
    );
    check(
        calls.edge_head("/a\0").unwrap_err(),
        schema,
        &["path", "NUL"],
    );
    check(
        calls.edge_get("/x", Some(wide)).unwrap_err(),
        too_large,
        &["range"],
    );
    for limit in [short, long] {
        let error = calls.clone().timeout(limit).storage_get(good).unwrap_err();
        check(error, ErrorKind::Config, &["timeout", "3600s"]);
    }
    block_on(async {
        let sdk = gateway.sdk().await;
        let big = Bytes::from(bytes(MAX_BODY + 1));
        let error = sdk
            .storage_put(&capability, big, LIMIT, None)
            .await
            .unwrap_err();
        check(error, too_large, &["body"]);
    });
    assert_eq!(gateway.gateway.metrics().connections_accepted(), 0);
}

#[test]
fn refusals_of_the_gateway_are_typed() {
    let config = GatewayConfig {
        storage_limit: 100,
        ..GatewayConfig::default()
    };
    let gateway = TestGateway::start_with(config, &CertificateRequest::localhost());
    let sdk = gateway.blocking_sdk();
    let capability = capability();
    let absent = sdk
        .storage_get(&capability, AddrB3::of(b"absent"), LIMIT)
        .unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    assert_eq!((absent.attempts(), absent.status()), (1, Some(404)));
    assert_eq!(absent.executed(), Executed::No);
    let full = sdk
        .storage_put(&capability, &bytes(101), LIMIT, None)
        .unwrap_err();
    assert_eq!((full.kind(), full.status()), (ErrorKind::Server, Some(507)));
    assert_eq!(full.executed(), Executed::No);
    assert!(full.to_string().contains("at most 100 bytes"), "{full}");
}
