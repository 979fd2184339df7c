//! What is sent again, with what, and where to.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::{
    blocking, AddrB3, Capability, CapabilitySource, ErrorKind, Executed, GaveUp, RonAppSdk,
    SdkConfig,
};
use ron_gateway::capability::KeyRing;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::peer::{object_meta, Conversation, Peer, OK};
use support::{block_on, bytes, capability, within};

const LIMIT: Duration = Duration::from_secs(5);

/// The metas of the requests that a peer has seen.
type Seen = Arc<Mutex<Vec<serde_json::Value>>>;

/// A peer whose `answer` gets each request's number over all connections, from 0, and its id.
fn peer(
    answer: impl Fn(&mut Conversation, usize, u64) -> std::io::Result<()> + Send + Sync + 'static,
) -> (Peer, Seen) {
    let seen = Seen::default();
    let requests = Arc::clone(&seen);
    let peer = Peer::after_hello(move |conversation, _| loop {
        let frame = conversation.receive()?;
        // Control messages have no plane.
        if frame.header.app_proto_id == 0 {
            continue;
        }
        let len = u32::from_be_bytes(frame.payload[..4].try_into().unwrap()) as usize;
        let meta = serde_json::from_slice(&frame.payload[4..4 + len]).unwrap();
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(meta);
            requests.len() - 1
        };
        answer(conversation, number, frame.header.corr_id)?;
    });
    (peer, seen)
}

fn sdk(peer: &Peer) -> blocking::RonAppSdk {
    blocking::RonAppSdk::new(peer.patient_config()).unwrap()
}

fn receipt(body: &[u8]) -> String {
    let address = AddrB3::of(body);
    let size = body.len();
    format!(r#"{{"executed":"yes","replayed":true,"address":"{address}","size":{size}}}"#)
}

fn refusal(reason: &str, executed: &str) -> String {
    format!(r#"{{"reason":"{reason}","executed":"{executed}"}}"#)
}

fn hang_up() -> std::io::Result<()> {
    Err(std::io::ErrorKind::ConnectionAborted.into())
}

#[test]
fn every_attempt_of_a_mutation_carries_the_same_key_and_its_own_number() {
    let (peer, seen) = peer(|conversation, number, corr_id| match number {
        0 => hang_up(),
        1 => conversation.reply(corr_id, 500, &refusal("internal", "unknown"), b""),
        _ => conversation.reply(corr_id, OK, &receipt(b"x"), b""),
    });
    let sdk = sdk(&peer);
    let calls = sdk.with(capability()).with_report();
    let (_, report) = calls.storage_put(b"x").unwrap();
    assert_eq!((report.attempts, report.replayed), (3, true));
    let seen = seen.lock().unwrap();
    let keys: Vec<&str> = seen
        .iter()
        .map(|meta| meta["idem"].as_str().unwrap())
        .collect();
    assert_eq!(keys[0].len(), 32);
    assert!(keys.iter().all(|key| *key == keys[0]));
    let numbers: Vec<u64> = seen
        .iter()
        .map(|meta| meta["attempt"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn a_mutation_without_a_key_is_not_sent_again_once_it_may_have_been_executed() {
    let (peer, seen) = peer(|_, _, _| hang_up());
    let mut config = peer.patient_config();
    config.idempotency.enabled = false;
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    let error = sdk
        .storage_put(capability(), b"x", LIMIT, None)
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.executed()),
        (ErrorKind::Transport, Executed::Unknown)
    );
    assert_eq!((error.attempts(), error.gave_up()), (1, None));
    let metas = seen.lock().unwrap();
    assert_eq!(metas.len(), 1);
    assert!(metas[0].get("idem").is_none());
}

#[test]
fn wrong_bytes_are_fetched_again_once_over_another_connection() {
    let object = bytes(1000);
    let (right, meta) = (object.clone(), object_meta(&object));
    for (wrong_answers, is_ok) in [(1, true), (2, false)] {
        let (right, meta) = (right.clone(), meta.clone());
        let (peer, seen) = peer(move |conversation, number, corr_id| {
            let mut body = right.clone();
            body[500] ^= u8::from(number < wrong_answers);
            conversation.reply(corr_id, OK, &meta, &body)
        });
        let got = sdk(&peer).storage_get(capability(), AddrB3::of(&object), LIMIT);
        match got {
            Ok(bytes) => assert!(is_ok && bytes == object),
            Err(error) => {
                assert!(!is_ok);
                assert_eq!(error.kind(), ErrorKind::IntegrityMismatch);
            }
        }
        assert_eq!((seen.lock().unwrap().len(), peer.connections()), (2, 2));
    }
}

#[test]
fn a_hint_is_waited_for_and_a_long_one_is_handed_out_at_once() {
    let after = |millis: u64| {
        let refusal = refusal("rate_limited", "no");
        refusal.replace('}', &format!(r#","retry_after_ms":{millis}}}"#))
    };
    let (hinting, _) = peer(move |conversation, number, corr_id| match number {
        0 => conversation.reply(corr_id, 429, &after(300), b""),
        _ => conversation.reply(corr_id, OK, &object_meta(b"x"), b"x"),
    });
    let start = Instant::now();
    let got = sdk(&hinting).storage_get(capability(), AddrB3::of(b"x"), LIMIT);
    assert_eq!(got.unwrap(), "x");
    assert!(start.elapsed() >= Duration::from_millis(300));

    for hint in [4999, 31_000, u64::MAX] {
        let (patient, seen) = peer(move |conversation, _, corr_id| {
            conversation.reply(corr_id, 429, &after(hint), b"")
        });
        let error = within(Duration::from_millis(500), || {
            let sdk = sdk(&patient);
            sdk.storage_get(capability(), AddrB3::of(b"x"), LIMIT)
                .unwrap_err()
        });
        assert_eq!(error.gave_up(), Some(GaveUp::Deadline));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(hint)));
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[test]
fn a_conflict_and_a_denial_are_not_tried_again() {
    for (code, reason, kind) in [
        (409, "idempotency_mismatch", ErrorKind::Conflict),
        (403, "capability_denied", ErrorKind::CapabilityDenied),
        (501, "unknown_plane", ErrorKind::Server),
    ] {
        let (peer, seen) = peer(move |conversation, _, corr_id| {
            conversation.reply(corr_id, code, &refusal(reason, "no"), b"")
        });
        let error = sdk(&peer)
            .storage_put(capability(), b"x", LIMIT, None)
            .unwrap_err();
        assert_eq!((error.kind(), seen.lock().unwrap().len()), (kind, 1));
    }
}

/// A provider, and how often it was asked.
fn provider() -> (CapabilitySource, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let source = CapabilitySource::provider(move || {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        let minter = KeyRing::generate("test")?.minter(None).ok_or("no key")?;
        let fresh: Capability = minter.mint(&format!("subject-{number}"), &[])?;
        Ok(fresh)
    });
    (source, asked)
}

#[test]
fn an_expired_capability_is_replaced_once_and_the_key_stays() {
    let (expiring, seen) = peer(|conversation, number, corr_id| match number {
        0 => conversation.reply(corr_id, 401, &refusal("capability_expired", "no"), b""),
        _ => conversation.reply(corr_id, OK, &receipt(b"x"), b""),
    });
    let (source, asked) = provider();
    let sdk = sdk(&expiring);
    sdk.storage_put(&source, b"x", LIMIT, None).unwrap();
    sdk.storage_put(&source, b"x", LIMIT, None).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let metas = seen.lock().unwrap();
    assert_eq!(metas.len(), 3);
    assert_eq!(metas[0]["idem"], metas[1]["idem"]);
    assert_ne!(metas[1]["idem"], metas[2]["idem"]);
}

#[test]
fn a_capability_that_stays_expired_ends_the_call() {
    let (expired, seen) = peer(|conversation, _, corr_id| {
        conversation.reply(corr_id, 401, &refusal("capability_expired", "no"), b"")
    });
    let (source, asked) = provider();
    let address = AddrB3::of(b"x");
    let fixed = sdk(&expired)
        .storage_get(capability(), address, LIMIT)
        .unwrap_err();
    assert_eq!(
        (fixed.kind(), fixed.attempts()),
        (ErrorKind::CapabilityExpired, 1)
    );
    block_on(async {
        let sdk = RonAppSdk::new(expired.patient_config()).await.unwrap();
        let error = sdk.storage_get(&source, address, LIMIT).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::CapabilityExpired, 2)
        );
    });
    assert_eq!(
        (asked.load(Ordering::SeqCst), seen.lock().unwrap().len()),
        (2, 3)
    );
}

#[test]
fn a_provider_that_takes_too_long_or_fails_costs_no_request() {
    let limit = Duration::from_millis(300);
    let slow = CapabilitySource::provider(|| {
        std::thread::sleep(Duration::from_secs(5));
        Err("too late".into())
    });
    let failing = CapabilitySource::provider(|| Err("nobody signed in".into()));
    // Nothing listens there, and nothing is asked.
    let sdk = blocking::RonAppSdk::new(SdkConfig::default()).unwrap();
    let get = |source: &CapabilitySource| {
        sdk.storage_get(source, AddrB3::of(b"x"), limit)
            .unwrap_err()
    };
    let error = within(limit, || get(&slow));
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::DeadlineExceeded, 0)
    );
    let error = get(&failing);
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::CapabilityDenied, 0)
    );
    block_on(async {
        let sdk = RonAppSdk::new(SdkConfig::default()).await.unwrap();
        let error = sdk
            .storage_get(&slow, AddrB3::of(b"x"), limit)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    });
    assert_eq!(sdk.open_calls(), 0);
}
