//! Handshakes that fail: another attempt would end in the same way, so there is none.

use crate::fixture::{with_each_client, Client};
use crate::support::peer::{Peer, PeerTls};
use crate::support::{TestGateway, Trust};
use ron_app_sdk::{AddrB3, ErrorKind, Executed, GaveUp, SdkConfig};
use ron_gateway::certificates::{Authority, CertificateRequest, ServerIdentity};
use ron_gateway::GatewayConfig;
use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The call fails in its only attempt, at once, and says these words.
fn is_refused_once(config: &SdkConfig, words: &str) {
    with_each_client(|face| {
        let began = Instant::now();
        let got = Client::new(face, config.clone()).get(AddrB3::of(b"x"));
        let error = got.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
        assert_eq!(error.gave_up(), None::<GaveUp>);
        assert!(began.elapsed() < Duration::from_secs(1));
        // It names the reason and shows nothing of a key.
        let text = format!("{error} {error:?}");
        assert!(!text.contains("-----") && text.len() < 1500, "{text}");
    });
}

#[test]
fn an_alert_ends_the_call() {
    for (alert, words) in [
        (40, "HandshakeFailure"),
        (48, "UnknownCA"),
        (80, "InternalError"),
    ] {
        let peer = Peer::plain(move |mut stream, _| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, alert]);
            let _ = stream.read(&mut [0; 4096]);
        });
        is_refused_once(&peer.patient_config(), words);
        assert_eq!(peer.connections(), 2, "one for each client");
    }
}

fn valid(since_days: i32, for_days: u32, names: &[&str]) -> CertificateRequest {
    let now = SystemTime::now();
    let not_before = if since_days < 0 {
        now - DAY * since_days.unsigned_abs()
    } else {
        now + DAY * since_days.unsigned_abs()
    };
    CertificateRequest {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not_before,
        not_after: not_before + DAY * for_days,
    }
}

#[test]
fn a_certificate_that_must_not_be_accepted_ends_the_call() {
    for (request, words) in [
        (valid(-9, 8, &["127.0.0.1"]), "has expired"),
        (valid(1, 8, &["127.0.0.1"]), "not valid yet"),
        (valid(-9, 18, &["gateway.example"]), "another name"),
    ] {
        let gateway = TestGateway::start_with(GatewayConfig::default(), &request);
        is_refused_once(&gateway.config(), words);
        assert_eq!(gateway.gateway.metrics().connections_accepted(), 2);
    }
    let gateway = TestGateway::start();
    let stranger = Trust::new();
    let config = stranger.config(gateway.gateway.address());
    is_refused_once(&config, "authority that is not trusted");
    assert_eq!(gateway.gateway.metrics().connections_accepted(), 2);
}

#[test]
fn a_certificate_that_vouches_for_itself_ends_the_call() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("own.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let identity = ServerIdentity::from_pem_files(&certificate, &key).unwrap();
    let tls = PeerTls::default();
    let peer = Peer::identified(Trust::new(), identity, tls, |conversation, _| {
        conversation.linger()
    });
    is_refused_once(&peer.patient_config(), "authority that is not trusted");
    assert_eq!(peer.connections(), 2);
}

#[test]
fn a_peer_with_tls_1_2_only_ends_the_call() {
    let tls = PeerTls {
        version: &rustls::version::TLS12,
        ..PeerTls::default()
    };
    let peer = Peer::tls(tls, |conversation, _| conversation.linger());
    is_refused_once(&peer.patient_config(), "TLS 1.3");
    assert_eq!(peer.connections(), 2);
}

/// A gateway that takes only clients of this authority, and the settings of one with a certificate from `issuer`.
fn with_client_authority(
    authority: &Authority,
    issuer: Option<&Authority>,
    days: (i32, u32),
) -> (TestGateway, SdkConfig, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let config = GatewayConfig {
        client_ca: Some(file("clients.pem", &authority.certificate_pem())),
        ..GatewayConfig::default()
    };
    let gateway = TestGateway::start_with(config, &CertificateRequest::localhost());
    let mut config = gateway.config();
    if let Some(issuer) = issuer {
        let request = valid(days.0, days.1, &["client.example"]);
        let client = issuer.issue_client(&request).unwrap();
        config.tls.client_cert = Some(file("client.pem", &client.certificate_pem));
        config.tls.client_key = Some(file("client.key", &client.key_pem));
    }
    (gateway, config, folder)
}

#[test]
fn a_client_with_a_certificate_of_the_gateways_authority_is_taken() {
    let authority = Authority::new().unwrap();
    let (_gateway, config, _folder) = with_client_authority(&authority, Some(&authority), (-1, 9));
    with_each_client(|face| {
        let client = Client::new(face, config.clone());
        let address = client.put(b"known").unwrap().0;
        assert_eq!(client.get(address).unwrap().0, "known");
    });
    // The key of another certificate, no key, no file.
    let key = config.tls.client_key.clone().unwrap();
    let other = authority.issue_client(&valid(-1, 9, &["other"])).unwrap();
    for (text, words) in [
        (Some(other.key_pem.as_str()), "client.key"),
        (Some("no key"), "no private key"),
        (None, "client.key"),
    ] {
        match text {
            Some(text) => std::fs::write(&key, text).unwrap(),
            None => std::fs::remove_file(&key).unwrap(),
        }
        with_each_client(|face| {
            let error = Client::new(face, config.clone()).put(b"x").unwrap_err();
            assert_eq!((error.kind(), error.attempts()), (ErrorKind::Config, 1));
            let told = error.to_string();
            assert!(
                told.contains("tls.client_key: ") && told.contains(words),
                "{told}"
            );
        });
    }
}

#[test]
fn a_client_without_the_certificate_that_the_gateway_wants_is_refused() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let refused = "does not accept the client's certificate";
    for (issuer, days, words) in [
        (
            None,
            (0, 0),
            "the gateway wants a certificate of the client",
        ),
        (Some(&stranger), (-1, 9), refused),
        (Some(&authority), (-9, 8), refused),
    ] {
        let (_gateway, config, _folder) = with_client_authority(&authority, issuer, days);
        is_refused_once(&config, words);
        // A put may have left with the rest of the handshake.
        with_each_client(|face| {
            let error = Client::new(face, config.clone()).put(b"x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
            assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
        });
    }
}
