//! Gateways that lie, stall and vanish: each costs its connection and a typed error, never more.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::oap::control::Control;
use ron_app_sdk::oap::Flags;
use ron_app_sdk::{AddrB3, ByteRange, ErrorKind, Executed, RonAppSdk, MAX_BODY};
use std::time::Duration;
use support::peer::{forever, frame, object_meta, Peer, PeerTls, OK, STORAGE};
use support::{block_on, bytes, capability, within, TestGateway, LIMIT};

const START: Flags = Flags::START;
const RESP: Flags = Flags::RESP;

/// A peer that answers its first request on each connection like this.
fn answering(code: u16, meta: String, body: Vec<u8>) -> Peer {
    Peer::after_hello(move |conversation, _| {
        let corr_id = conversation.request()?;
        conversation.reply(corr_id, code, &meta, &body)?;
        conversation.linger()
    })
}

fn get_error(peer: &Peer, object: &[u8]) -> ron_app_sdk::SdkError {
    let (sdk, address) = (peer.sdk(), AddrB3::of(object));
    let error = sdk.storage_get(capability(), address, LIMIT).unwrap_err();
    assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
    error
}

#[test]
fn a_corrupted_object_is_never_returned() {
    let object = bytes(5000);
    for at in [0, 2500, 4999] {
        let mut corrupted = object.clone();
        corrupted[at] ^= 1;
        let peer = answering(OK, object_meta(&object), corrupted);
        let error = get_error(&peer, &object);
        assert_eq!(error.kind(), ErrorKind::IntegrityMismatch, "{error}");
    }
    let peer = answering(OK, object_meta(&object), object[1..].to_vec());
    assert_eq!(
        get_error(&peer, &object).kind(),
        ErrorKind::IntegrityMismatch
    );
    let other = bytes(10);
    let peer = answering(OK, object_meta(&other), other);
    assert_eq!(
        get_error(&peer, &object).kind(),
        ErrorKind::IntegrityMismatch
    );
}

#[test]
fn a_wrong_receipt_is_an_integrity_error_of_an_executed_call() {
    let receipt = |object: &[u8]| {
        let (address, size) = (AddrB3::of(object), object.len());
        format!(r#"{{"executed":"yes","replayed":false,"address":"{address}","size":{size}}}"#)
    };
    let peer = answering(OK, receipt(b"other"), vec![]);
    let put = peer.sdk().storage_put(capability(), b"right", LIMIT, None);
    let error = put.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IntegrityMismatch);
    assert_eq!(error.executed(), Executed::Yes);

    let mut config = peer.config();
    config.cache.verify_puts = false;
    let trusting = ron_app_sdk::blocking::RonAppSdk::new(config).unwrap();
    let put = trusting.storage_put(capability(), b"right", LIMIT, None);
    assert_eq!(put.unwrap(), AddrB3::of(b"other"), "as it was asked to");
}

#[test]
fn replies_that_are_not_the_operations_are_schema_violations() {
    let object = bytes(10);
    let good = object_meta(&object);
    for meta in [
        good.replace('}', r#","unknown":1}"#),
        good.replace("b3:", "sha256:"),
        "{}".to_owned(),
        "not json".to_owned(),
        "[".repeat(16_000),
    ] {
        let error = get_error(&answering(OK, meta, object.clone()), &object);
        assert_eq!(error.kind(), ErrorKind::SchemaViolation, "{error}");
    }
    let ranged = good.replace('}', r#","range":{"first":0,"last":4}}"#);
    let peer = answering(206, ranged, object[..5].to_vec());
    let range = ByteRange::new(5, 9).unwrap();
    let sdk = peer.sdk();
    let call = sdk.storage_get_range(capability(), AddrB3::of(&object), range, LIMIT);
    assert_eq!(call.unwrap_err().kind(), ErrorKind::IntegrityMismatch);
}

#[test]
fn status_codes_decide_the_kind() {
    let refusal = |reason: &str| format!(r#"{{"reason":"{reason}","executed":"no"}}"#);
    for (code, meta, kind) in [
        (
            401,
            refusal("capability_expired"),
            ErrorKind::CapabilityExpired,
        ),
        (
            403,
            refusal("capability_denied"),
            ErrorKind::CapabilityDenied,
        ),
        (
            408,
            refusal("deadline_exceeded"),
            ErrorKind::DeadlineExceeded,
        ),
        (409, refusal("idempotency_mismatch"), ErrorKind::Conflict),
        (429, refusal("rate_limited"), ErrorKind::RateLimited),
        (499, refusal("cancelled"), ErrorKind::Cancelled),
        (503, refusal("unavailable"), ErrorKind::Server),
        (500, "unreadable".into(), ErrorKind::Server),
        (302, "{}".into(), ErrorKind::Unknown),
    ] {
        let error = get_error(&answering(code, meta, vec![]), b"");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.status().is_none_or(|status| status == code));
    }
    let meta = r#"{"reason":"rate_limited","executed":"no","retry_after_ms":1500}"#;
    let error = get_error(&answering(429, meta.into(), vec![]), b"");
    assert_eq!(error.retry_after(), Some(Duration::from_millis(1500)));
}

#[test]
fn hello_refused_or_of_another_version_is_a_violation() {
    for (code, text) in [
        (400, r#"{"reason":"unsupported_version","executed":"no"}"#),
        (
            OK,
            r#"{"max_frame":1048576,"max_inflight":64,"flags_supported":255,"versions":[2],"transports":[]}"#,
        ),
        (OK, "{}"),
    ] {
        let peer = Peer::tls(PeerTls::default(), move |conversation, _| {
            conversation.hello_with(code, text.as_bytes())?;
            conversation.linger()
        });
        let put = peer.sdk().storage_put(capability(), b"x", LIMIT, None);
        let error = put.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OapViolation, "{error}");
        assert!(error.to_string().contains("HELLO"), "{error}");
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn broken_frames_are_violations() {
    let whole = RESP.with(START).with(Flags::END);
    let mut bad_version = frame(whole, OK, STORAGE, 1, Some("{}"), b"");
    bad_version[5] = 2;
    let mut bad_flags = frame(whole, OK, STORAGE, 1, Some("{}"), b"");
    bad_flags[6] = 1;
    for bytes in [
        vec![0, 0x10, 0, 1],
        vec![0xff; 4],
        vec![0, 0, 0, 37],
        bad_version,
        bad_flags,
        frame(whole, OK, STORAGE, 2, Some("{}"), b""),
        frame(whole, OK, STORAGE, 1, None, b"\xff\xff\xff\xff"),
        frame(RESP, OK, STORAGE, 1, None, b"no start"),
        frame(Flags::REQ.with(START), 0, STORAGE, 1, Some("{}"), b""),
    ] {
        let peer = Peer::after_hello(move |conversation, _| {
            conversation.request()?;
            conversation.send_bytes(&bytes)?;
            conversation.linger()
        });
        let error = get_error(&peer, b"x");
        assert_eq!(error.kind(), ErrorKind::OapViolation, "{error}");
    }
}

#[test]
fn a_lost_connection_says_whether_the_call_may_have_been_executed() {
    let peer = Peer::after_hello(|conversation, _| {
        conversation.request()?;
        Ok(())
    });
    let error = get_error(&peer, b"x");
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    let put = peer.sdk().storage_put(capability(), b"x", LIMIT, None);
    let error = put.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    assert_eq!(error.executed(), Executed::Unknown);
}

#[test]
fn a_reply_cut_off_halfway_is_never_a_success() {
    let object = bytes(50_000);
    let whole = RESP.with(START).with(Flags::END);
    let reply = frame(whole, OK, STORAGE, 1, Some(&object_meta(&object)), &object);
    for cut in [1, 4, 37, 38, 39, 100, 20_000, reply.len() - 1] {
        let part = reply[..cut].to_vec();
        let peer = Peer::after_hello(move |conversation, _| {
            conversation.request()?;
            conversation.send_bytes(&part)
        });
        let error = get_error(&peer, &object);
        assert_eq!(error.kind(), ErrorKind::Transport, "cut at {cut}: {error}");
    }
}

#[test]
fn every_call_open_on_a_lost_connection_gets_its_own_error() {
    let peer = Peer::after_hello(|conversation, _| {
        for _ in 0..40 {
            conversation.request()?;
        }
        Ok(())
    });
    let config = peer.config();
    block_on(async {
        let sdk = RonAppSdk::new(config).await.unwrap();
        let capability = capability();
        let calls = (0..40).map(|_| sdk.storage_put(&capability, "x".into(), LIMIT, None));
        for result in futures_util::future::join_all(calls).await {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Transport);
            assert_eq!(error.executed(), Executed::Unknown);
        }
    });
    let sdk = peer.sdk();
    std::thread::scope(|scope| {
        let call = || {
            sdk.storage_put(capability(), b"x", LIMIT, None)
                .unwrap_err()
        };
        let calls: Vec<_> = (0..40).map(|_| scope.spawn(call)).collect();
        for call in calls {
            let error = call.join().unwrap();
            assert_eq!(error.kind(), ErrorKind::Transport);
            assert_eq!(error.executed(), Executed::Unknown);
        }
    });
}

/// Answers that begin and never end: the SDK's memory does not grow with what is announced or sent.
#[test]
fn an_endless_answer_is_cut_off_at_the_limit() {
    let peer = Peer::after_hello(|conversation, _| {
        let corr_id = conversation.request()?;
        let chunk = vec![0; 65_536];
        conversation.send(RESP.with(START), OK, STORAGE, corr_id, Some("{}"), b"")?;
        loop {
            conversation.send(RESP, OK, STORAGE, corr_id, None, &chunk)?;
        }
    });
    let sdk = peer.sdk();
    let before = resident_bytes();
    for _ in 0..20 {
        let error = sdk
            .storage_get(capability(), AddrB3::of(b"x"), LIMIT)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OapViolation, "{error}");
    }
    let growth = resident_bytes().saturating_sub(before);
    assert!(growth < 16 << 20, "resident memory grew by {growth} bytes");
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn an_answer_that_stops_halfway_is_stalled() {
    let peer = Peer::after_hello(|conversation, _| {
        let corr_id = conversation.request()?;
        let meta = object_meta(&bytes(100));
        conversation.send(RESP.with(START), OK, STORAGE, corr_id, Some(&meta), b"part")?;
        conversation.linger()
    });
    let mut config = peer.config();
    config.timeouts.read = Duration::from_millis(300);
    let sdk = ron_app_sdk::blocking::RonAppSdk::new(config.clone()).unwrap();
    let call = || sdk.storage_get(capability(), AddrB3::of(b"x"), LIMIT);
    let error = within(Duration::from_millis(300), call).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stalled, "{error}");
    assert!(error.to_string().contains("timeouts.read"), "{error}");
    let error = block_on(async {
        let sdk = RonAppSdk::new(config).await.unwrap();
        sdk.storage_get(capability(), AddrB3::of(b"x"), LIMIT).await
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Stalled);
}

/// The application is slow, not the gateway: what arrived meanwhile counts.
#[test]
fn an_answer_that_nobody_looked_for_is_not_stalled() {
    let object = bytes(100);
    let body = object.clone();
    let peer = Peer::after_hello(move |conversation, _| {
        let corr_id = conversation.request()?;
        let meta = object_meta(&body);
        conversation.send(
            RESP.with(START),
            OK,
            STORAGE,
            corr_id,
            Some(&meta),
            &body[..50],
        )?;
        std::thread::sleep(Duration::from_millis(200));
        conversation.send(
            RESP.with(Flags::END),
            OK,
            STORAGE,
            corr_id,
            None,
            &body[50..],
        )?;
        conversation.linger()
    });
    let mut config = peer.config();
    config.timeouts.read = Duration::from_millis(300);
    block_on(async {
        let sdk = RonAppSdk::new(config).await.unwrap();
        let call = sdk.storage_get(capability(), AddrB3::of(&object), LIMIT);
        let mut call = std::pin::pin!(call);
        let half = tokio::time::timeout(Duration::from_millis(100), call.as_mut()).await;
        assert!(half.is_err(), "only half of it can be there");
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(call.await.unwrap(), object);
    });
}

#[test]
fn a_gateway_that_stops_reading_stalls_its_writers() {
    let peer = Peer::after_hello(|_, _| {
        forever();
        Ok(())
    });
    let mut config = peer.config();
    config.timeouts.write = Duration::from_millis(300);
    config.pool.max = 1;
    let sdk = ron_app_sdk::blocking::RonAppSdk::new(config).unwrap();
    let body = bytes(MAX_BODY);
    let limit = Duration::from_secs(3);
    let kinds: Vec<ErrorKind> = within(limit, || {
        std::thread::scope(|scope| {
            let call = || {
                sdk.storage_put(capability(), &body, limit, None)
                    .unwrap_err()
            };
            let calls: Vec<_> = (0..16).map(|_| scope.spawn(call)).collect();
            calls
                .into_iter()
                .map(|call| call.join().unwrap().kind())
                .collect()
        })
    });
    assert!(kinds.contains(&ErrorKind::Stalled), "{kinds:?}");
}

#[test]
fn a_call_that_the_draining_gateway_did_not_take_moves_to_another_connection() {
    let object = b"content";
    let peer = Peer::after_hello(|conversation, number| {
        let corr_id = conversation.request()?;
        if number == 0 {
            let mut drain = Vec::new();
            let (last_corr, reason) = (0, "stopping".to_owned());
            Control::Drain { last_corr, reason }.append_frame(&mut drain);
            conversation.send_bytes(&drain)?;
        } else {
            conversation.reply(corr_id, OK, &object_meta(object), object)?;
        }
        conversation.linger()
    });
    let sdk = peer.sdk();
    let calls = sdk.with(capability()).with_report();
    let (bytes, report) = calls.storage_get(AddrB3::of(object)).unwrap();
    assert_eq!((bytes.as_ref(), report.attempts), (&object[..], 1));
    assert_eq!(peer.connections(), 2);
}

#[test]
fn a_connection_that_ended_while_idle_costs_no_call() {
    let object = b"content";
    let peer = Peer::after_hello(|conversation, _| {
        let corr_id = conversation.request()?;
        conversation.reply(corr_id, OK, &object_meta(object), object)
    });
    let (sdk, capability, address) = (peer.sdk(), capability(), AddrB3::of(object));
    sdk.storage_get(&capability, address, LIMIT).unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    sdk.storage_get(&capability, address, LIMIT).unwrap();
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        sdk.storage_get(&capability, address, LIMIT).await.unwrap();
        // Blocks the runtime too, so that it cannot have noticed the end of the connection.
        std::thread::sleep(Duration::from_millis(1200));
        sdk.storage_get(&capability, address, LIMIT).await.unwrap();
    });
    assert_eq!(peer.connections(), 4);
}

#[test]
fn a_gateway_killed_in_mid_call_fails_the_call_and_its_successor_serves_the_next() {
    let peer = Peer::after_hello(|conversation, number| {
        let corr_id = conversation.request()?;
        if number == 0 {
            return Ok(());
        }
        conversation.reply(corr_id, OK, &object_meta(b"x"), b"x")?;
        conversation.linger()
    });
    let sdk = peer.sdk();
    let call = || sdk.storage_get(capability(), AddrB3::of(b"x"), LIMIT);
    assert_eq!(call().unwrap_err().kind(), ErrorKind::Transport);
    assert_eq!(call().unwrap(), "x");

    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    sdk.storage_put(capability(), b"x", LIMIT, None).unwrap();
    gateway.kill();
    let put = sdk.storage_put(capability(), b"x", LIMIT, None);
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Transport);
}

#[test]
fn shutting_a_gateway_down_lets_the_open_call_finish() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let object = bytes(MAX_BODY);
    let address = sdk.storage_put(capability(), &object, LIMIT, None).unwrap();
    std::thread::scope(|scope| {
        let get = scope.spawn(|| {
            let mut served = 0;
            while let Ok(bytes) = sdk.storage_get(capability(), address, LIMIT) {
                assert_eq!(bytes, object);
                served += 1;
            }
            served
        });
        std::thread::sleep(Duration::from_millis(100));
        within(Duration::from_secs(1), || gateway.shut_down());
        assert!(get.join().unwrap() > 0);
    });
}
