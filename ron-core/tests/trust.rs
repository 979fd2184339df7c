//! Whom a client trusts, and what it says when it does not.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::{blocking, AddrB3, ErrorKind, Executed, SdkConfig, SdkError, SpkiPin, TlsConfig};
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::GatewayConfig;
use std::io::Read;
use std::time::{Duration, SystemTime};
use support::peer::{Peer, PeerTls};
use support::{block_on, capability, root_keys, within, TestGateway, Trust, LIMIT};

/// The error of one attempt in both clients, which must say the same, in time.
fn failure(config: &SdkConfig) -> SdkError {
    let mut config = config.clone();
    config.backoff.max_attempts = 1;
    let (capability, address) = (capability(), AddrB3::of(b"x"));
    let sdk = blocking::RonAppSdk::new(config.clone()).unwrap();
    let error = within(Duration::from_secs(2), || {
        sdk.storage_get(&capability, address, LIMIT).unwrap_err()
    });
    let same = block_on(async {
        let sdk = ron_app_sdk::RonAppSdk::new(config.clone()).await.unwrap();
        sdk.storage_get(&capability, address, LIMIT)
            .await
            .unwrap_err()
    });
    assert_eq!(error.kind(), same.kind(), "{error} / {same}");
    assert_eq!(error.to_string(), same.to_string());
    assert_eq!(error.executed(), Executed::No);
    error
}

fn assert_says(error: &SdkError, kind: ErrorKind, words: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn another_authority_is_not_trusted() {
    let gateway = TestGateway::start();
    let other = Trust::new();
    let error = failure(&other.config(gateway.gateway.address()));
    assert_says(&error, ErrorKind::Tls, "authority that is not trusted");
    assert!(error.to_string().contains("RON_SDK_TLS_CA"), "{error}");
}

#[test]
fn without_a_ca_file_only_the_systems_roots_count() {
    let gateway = TestGateway::start();
    let config = SdkConfig {
        tls: TlsConfig::default(),
        ..gateway.config()
    };
    let error = failure(&config);
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
}

#[test]
fn an_unusable_ca_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authorities.pem");
    let config = SdkConfig {
        tls: TlsConfig {
            ca: Some(path.clone()),
            ..TlsConfig::default()
        },
        ..SdkConfig::default()
    };
    assert_says(&failure(&config), ErrorKind::Config, "authorities.pem");
    std::fs::write(&path, "no certificate").unwrap();
    assert_says(&failure(&config), ErrorKind::Config, "no certificate");
}

fn certificate(days: std::ops::Range<i64>, names: &[&str]) -> CertificateRequest {
    let at = |days: i64| {
        let span = Duration::from_secs(24 * 3600 * days.unsigned_abs());
        let now = SystemTime::now();
        if days < 0 {
            now - span
        } else {
            now + span
        }
    };
    CertificateRequest {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not_before: at(days.start),
        not_after: at(days.end),
    }
}

#[test]
fn expired_future_and_misnamed_certificates_are_told_apart() {
    for (request, words) in [
        (certificate(-9..-1, &["127.0.0.1"]), "has expired"),
        (certificate(1..9, &["127.0.0.1"]), "not valid yet"),
        (certificate(-9..9, &["gateway.example"]), "another name"),
    ] {
        let gateway = TestGateway::start_with(GatewayConfig::default(), &request);
        assert_says(&failure(&gateway.config()), ErrorKind::Tls, words);
    }
}

#[test]
fn a_pin_replaces_every_authority() {
    let request = certificate(-9..-1, &["gateway.example"]);
    let trust = Trust::new();
    let identity = trust.authority.issue(&request).unwrap();
    let certificate = rustls::pki_types::CertificateDer::from(identity.certificate_der());
    let spki = webpki::EndEntityCert::try_from(&certificate)
        .unwrap()
        .subject_public_key_info();
    let pin = SpkiPin(<sha2::Sha256 as sha2::Digest>::digest(&spki).into());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = GatewayConfig {
        root_keys: root_keys(),
        ..GatewayConfig::default()
    };
    let started = ron_gateway::Gateway::start(config, identity);
    let gateway = runtime.block_on(started).unwrap();
    let pinned = |pin| SdkConfig {
        tls: TlsConfig {
            pin: Some(pin),
            ..TlsConfig::default()
        },
        ..trust.config(gateway.address())
    };
    let sdk = blocking::RonAppSdk::new(pinned(pin)).unwrap();
    assert!(sdk
        .storage_put(capability(), b"pinned", LIMIT, None)
        .is_ok());
    let error = failure(&pinned(SpkiPin([1; 32])));
    assert_says(&error, ErrorKind::Tls, "tls.pin");
}

#[test]
fn a_peer_that_offers_tls_1_2_only_is_refused() {
    let tls = PeerTls {
        version: &rustls::version::TLS12,
        ..PeerTls::default()
    };
    let peer = Peer::tls(tls, |conversation, _| conversation.linger());
    assert_says(&failure(&peer.config()), ErrorKind::Tls, "TLS 1.3");
}

#[test]
fn a_peer_that_does_not_select_ron_1_is_refused() {
    for alpn in [vec![], vec![b"http/1.1".to_vec()]] {
        let tls = PeerTls {
            alpn,
            ..PeerTls::default()
        };
        let peer = Peer::tls(tls, |conversation, _| conversation.linger());
        assert_says(&failure(&peer.config()), ErrorKind::Tls, "ron/1");
    }
}

#[test]
fn a_peer_that_speaks_plain_text_is_refused() {
    let peer = Peer::plain(|mut stream, _| {
        use std::io::{Read, Write};
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    assert_says(
        &failure(&peer.config()),
        ErrorKind::Tls,
        "does not speak TLS",
    );
}

/// The beginning of a handshake message, and another record before its end.
#[test]
fn a_peer_that_garbles_its_handshake_is_refused() {
    let peer = Peer::plain(|mut stream, _| {
        use std::io::{Read, Write};
        let _ = stream.read(&mut [0; 4096]);
        let part = b"\x16\x03\x03\x00\x06\x02\x00\x00\x64\x03\x03";
        let alert = b"\x15\x03\x03\x00\x02\x02\x28";
        let _ = stream.write_all(&[&part[..], alert].concat());
        let _ = stream.read(&mut [0; 4096]);
    });
    assert_eq!(failure(&peer.config()).kind(), ErrorKind::Tls);
}

#[test]
fn a_peer_that_hangs_up_during_tls_is_a_transport_error() {
    // It has read before it closes, so that the end is one and not a reset.
    let peer = Peer::plain(|mut stream, _| drop(stream.read(&mut [0; 4096])));
    let error = failure(&peer.config());
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
}

#[test]
fn no_listener_is_a_transport_error_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = failure(&Trust::new().config(address));
    assert_says(&error, ErrorKind::Transport, "nothing listens there");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn a_listener_that_never_answers_costs_the_connect_timeout() {
    let peer = Peer::plain(|_stream, _| support::peer::forever());
    let mut config = peer.config();
    config.timeouts.connect = Duration::from_millis(300);
    let error = failure(&config);
    assert_says(
        &error,
        ErrorKind::Transport,
        "TLS within timeouts.connect (300ms)",
    );

    let peer = Peer::tls(PeerTls::default(), |conversation, _| conversation.linger());
    let mut config = peer.config();
    config.timeouts.connect = Duration::from_millis(300);
    let error = failure(&config);
    assert_says(
        &error,
        ErrorKind::Transport,
        "HELLO within timeouts.connect",
    );
}

#[test]
fn the_calls_own_limit_bounds_connecting_too() {
    let peer = Peer::plain(|_stream, _| support::peer::forever());
    let limit = Duration::from_millis(200);
    let sdk = peer.sdk();
    let error = within(limit, || {
        let call = sdk.storage_get(capability(), AddrB3::of(b"x"), limit);
        call.unwrap_err()
    });
    assert_says(&error, ErrorKind::DeadlineExceeded, "while connecting");
    let error = block_on(async {
        let sdk = ron_app_sdk::RonAppSdk::new(peer.config()).await.unwrap();
        sdk.storage_get(capability(), AddrB3::of(b"x"), limit).await
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
}

#[test]
fn host_names_are_looked_up() {
    let gateway = TestGateway::start();
    let port = gateway.gateway.address().port();
    let config = SdkConfig {
        gateway_addr: format!("https://localhost:{port}"),
        ..gateway.config()
    };
    let sdk = blocking::RonAppSdk::new(config.clone()).unwrap();
    sdk.storage_put(capability(), b"x", LIMIT, None).unwrap();
    block_on(async {
        let sdk = ron_app_sdk::RonAppSdk::new(config).await.unwrap();
        let put = sdk.storage_put(capability(), "x".into(), LIMIT, None).await;
        put.unwrap();
    });
}
