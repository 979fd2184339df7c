//! A client talks to its gateway, whatever that answers and whatever the environment says.

use crate::fixture::{always, into_puts, on_each_client, with_each_client, Client};
use crate::support::capability;
use crate::support::peer::{object_meta, Peer};
use ron_app_sdk::{blocking, AddrB3, ErrorKind, Executed};
use ron_gateway::faults::{Fault, FaultKind};
use std::net::TcpListener;
use std::process::Command;

const VARIABLES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

#[test]
fn a_status_of_no_meaning_ends_the_call() {
    on_each_client(|fixture| {
        let address = fixture.stored(b"x");
        for (round, code) in [302, 307, 101, 399, 799].into_iter().enumerate() {
            fixture.arm([always(Fault::Status { code })]);
            let client = fixture.client();
            let error = client.get(address).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unknown, "{code}: {error}");
            assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
            fixture.arm([into_puts(always(Fault::Status { code }))]);
            let error = client.put(&code.to_be_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unknown, "{code}: {error}");
            assert_eq!((error.attempts(), error.executed()), (1, Executed::Unknown));
            assert_eq!(fixture.fired(FaultKind::Status), 2 * (round as u64 + 1));
        }
    });
}

/// Whether somebody has come.
fn was_contacted(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener.accept().is_ok()
}

#[test]
fn another_place_is_not_gone_to() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", elsewhere.local_addr().unwrap());
    let place = format!(r#","location":"{url}","redirect":"{url}"}}"#);
    for code in [301, 302, 303, 307, 308, 503] {
        let meta = object_meta(b"x").replace('}', &place);
        let peer = Peer::after_hello(move |conversation, _| loop {
            let corr_id = conversation.request()?;
            conversation.reply(corr_id, code, &meta, url_body())?;
        });
        with_each_client(|face| {
            let mut config = peer.config();
            config.backoff.max_attempts = 2;
            let got = Client::new(face, config).get(AddrB3::of(b"x"));
            let kind = got.unwrap_err().kind();
            assert_ne!(kind, ErrorKind::Transport);
        });
        assert_eq!(peer.connections(), 2, "one for each client");
    }
    assert!(!was_contacted(&elsewhere));
}

fn url_body() -> &'static [u8] {
    b"https://localhost/"
}

/// Runs the test below again, in a process of its own, with proxies in its environment.
#[test]
fn proxies_of_the_environment_are_not_used() {
    if std::env::var_os(VARIABLES[0]).is_some() {
        return calls_go_to_the_gateway();
    }
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args([
        "--exact",
        "redirects::proxies_of_the_environment_are_not_used",
    ]);
    for variable in VARIABLES {
        again.env(variable, &url);
    }
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
    assert!(!was_contacted(&proxy));
}

fn calls_go_to_the_gateway() {
    on_each_client(|fixture| {
        let address = fixture.stored(b"x");
        assert_eq!(fixture.client().get(address).unwrap().0, "x");
        let port = fixture.gateway.gateway.address().port();
        let mut config = fixture.gateway.config();
        config.gateway_addr = format!("https://localhost:{port}");
        let sdk = blocking::RonAppSdk::new(config).unwrap();
        let limit = crate::fixture::DEFAULT;
        assert_eq!(sdk.storage_get(capability(), address, limit).unwrap(), "x");
    });
}
