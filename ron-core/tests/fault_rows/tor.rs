//! Calls over Tor: by name, as a user of the subject's own, and in no other way.

use crate::fixture::{told, with_each_client, Client, Face, SLACK};
use crate::proxies::{fails, Behind};
use crate::support::root_keys;
use ron_app_sdk::{AddrB3, Capability, ErrorKind, Executed, GaveUp, SdkConfig};
use ron_fault_proxy::Forwarding;
use std::net::TcpListener;
use std::time::{Duration, Instant};

const NAME: &str = "gateway.invalid";
const SOON: Duration = Duration::from_millis(300);

fn over_tor(behind: &Behind, host: &str) -> SdkConfig {
    let mut config = SdkConfig {
        gateway_addr: behind.config(host).gateway_addr,
        tls: behind.config(host).tls,
        ..SdkConfig::over_tor()
    };
    config.tor.socks_addr = behind.proxy.address();
    config
}

fn user_of(subject: &str) -> Option<(String, String)> {
    let hash = AddrB3::of(subject.as_bytes()).to_string();
    let digits = hash.trim_start_matches("b3:")[..32].to_owned();
    Some((digits, "ron-app-sdk".to_owned()))
}

fn capability_of(subject: &str) -> Capability {
    let minter = root_keys().minter(None).unwrap();
    minter.mint(subject, &[]).unwrap()
}

#[test]
fn a_call_goes_through_tor_by_name_and_as_its_subject() {
    with_each_client(|face| {
        let behind = Behind::start();
        for (host, is_name) in [(NAME, true), ("localhost", true), ("127.0.0.1", false)] {
            let client = Client::new(face, over_tor(&behind, host));
            assert_eq!(told(&client.put(b"over tor")), (1, false, Executed::Yes));
            let asked = behind.proxy.asked().pop().unwrap();
            assert_eq!((asked.host.as_str(), asked.is_name), (host, is_name));
            assert_eq!(asked.credentials, user_of("tester"));
            assert!(asked.is_socks);
        }
        assert_eq!(behind.proxy.asked().len(), 3);
    });
}

#[test]
fn calls_of_two_subjects_share_no_connection() {
    with_each_client(|face| {
        let behind = Behind::start();
        let client = Client::new(face, over_tor(&behind, NAME));
        let mut client = client.with_capability(capability_of("alice"));
        let narrowed = capability_of("alice").attenuate("op=storage.put").unwrap();
        for (capability, connections) in [
            (capability_of("alice"), 1),
            (narrowed, 1),
            (capability_of("bob"), 2),
            (capability_of("alice"), 2),
            (capability_of("bob"), 2),
        ] {
            client = client.with_capability(capability);
            client.put(b"whose").unwrap();
            assert_eq!(behind.proxy.asked().len(), connections);
        }
        let users: Vec<_> = behind
            .proxy
            .asked()
            .into_iter()
            .map(|a| a.credentials)
            .collect();
        assert_eq!(users, [user_of("alice"), user_of("bob")]);
        assert_eq!(behind.accepted(), 2);
    });
}

/// Of many subjects, those that have no call leave their connections.
#[test]
fn connections_of_subjects_are_bounded() {
    with_each_client(|face| {
        let behind = Behind::start();
        let mut config = over_tor(&behind, NAME);
        config.pool.max = 1;
        let mut client = Client::new(face, config);
        for subject in 0..10 {
            client = client.with_capability(capability_of(&format!("subject-{subject}")));
            client.put(b"one of many").unwrap();
            assert!(client.connections() <= 2, "{}", client.connections());
        }
        assert_eq!(behind.proxy.asked().len(), 10);
    });
}

/// One attempt, no retry, and nobody at the gateway.
fn is_tors(config: &SdkConfig, face: Face, words: &str) {
    let error = fails(config, face);
    assert_eq!(error.kind(), ErrorKind::TorUnavailable, "{words}: {error}");
    assert_eq!((error.attempts(), error.gave_up()), (1, None::<GaveUp>));
    let text = error.to_string();
    assert!(text.contains(words), "{words}: {text}");
    assert!(
        text.contains("Tor at ") && text.contains("tor.socks_addr"),
        "{text}"
    );
}

#[test]
fn whatever_tor_does_not_do_is_tor_unavailable_after_one_attempt() {
    with_each_client(|face| {
        let behind = Behind::start();
        let others = [
            (Forwarding::TakeNobody, "it may not be Tor"),
            (
                Forwarding::Demand("a".into(), "b".into()),
                "it may not be Tor",
            ),
            (Forwarding::Garbage, "does not speak SOCKS5"),
            (Forwarding::HangUp, "Tor at 127.0.0.1"),
            (Forwarding::HangUpLate, "before it had answered"),
            (Forwarding::Refuse(0xf0), "onion service not found"),
        ];
        let replies = (1..=8).map(|code| (Forwarding::Refuse(code), "answered "));
        for (number, (behaviour, words)) in replies.chain(others).enumerate() {
            // Its name is known here, and its address: nobody goes there all the same.
            let host = [NAME, "localhost", "127.0.0.1"][number % 3];
            behind.proxy.set(behaviour);
            is_tors(&over_tor(&behind, host), face, words);
        }
        assert_eq!(behind.accepted(), 0, "no call goes without Tor");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = over_tor(&behind, "127.0.0.1");
        config.tor.socks_addr = listener.local_addr().unwrap();
        drop(listener);
        is_tors(&config, face, "nothing listens there");
        assert_eq!(behind.accepted(), 0, "no call goes without Tor");
    });
}

#[test]
fn a_tor_that_says_nothing_is_unavailable_unless_the_calls_own_limit_ends_it() {
    with_each_client(|face| {
        let behind = Behind::start();
        for behaviour in [Forwarding::Silent, Forwarding::SilentAfterMethod] {
            behind.proxy.set(behaviour);
            let mut config = over_tor(&behind, NAME);
            let began = Instant::now();
            let short = Client::new(face, config.clone()).with_limit(SOON);
            let error = short.get(AddrB3::of(b"x")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
            config.timeouts.connect = SOON;
            is_tors(
                &config,
                face,
                "did not answer within timeouts.connect (300ms)",
            );
            assert!(began.elapsed() < 2 * SOON + SLACK);
        }
        assert_eq!(behind.accepted(), 0);
    });
}

#[test]
fn a_client_uses_tor_again_once_it_is_there() {
    with_each_client(|face| {
        let behind = Behind::start();
        let client = Client::new(face, over_tor(&behind, NAME));
        behind.proxy.set(Forwarding::Refuse(1));
        let error = client.put(b"once").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TorUnavailable);
        behind.proxy.set(Forwarding::Serve);
        client.put(b"again").unwrap();
        assert_eq!(behind.accepted(), 1);
    });
}

#[test]
fn what_goes_wrong_beyond_tor_is_not_tors() {
    with_each_client(|face| {
        let behind = Behind::start();
        let mut config = over_tor(&behind, NAME);
        config.tls.ca = None;
        let error = fails(&config, face);
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        let client = Client::new(face, over_tor(&behind, NAME));
        let error = client.get(AddrB3::of(b"absent")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    });
}
