//! Calls through a proxy that is told where to go, and what comes of proxies that do not go there.

use crate::fixture::{told, with_each_client, Client, SLACK};
use crate::support::{TestGateway, Trust};
use ron_app_sdk::{AddrB3, ErrorKind, Executed, SdkConfig, SdkError};
use ron_fault_proxy::{Asked, ForwardProxy, Forwarding};
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::GatewayConfig;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// No resolver knows it (RFC 6761, section 6.4).
const NAME: &str = "gateway.invalid";
const SOON: Duration = Duration::from_millis(300);

/// A gateway that the proxy alone knows by its name.
pub(crate) struct Behind {
    pub(crate) gateway: TestGateway,
    pub(crate) proxy: ForwardProxy,
}

impl Behind {
    pub(crate) fn start() -> Self {
        let request = CertificateRequest {
            names: [NAME, "localhost", "127.0.0.1"].map(str::to_owned).to_vec(),
            ..CertificateRequest::localhost()
        };
        let gateway = TestGateway::start_with(GatewayConfig::default(), &request);
        let proxy = ForwardProxy::start(gateway.gateway.address()).unwrap();
        Self { gateway, proxy }
    }

    /// Settings that name the gateway so, and no proxy yet.
    pub(crate) fn config(&self, host: &str) -> SdkConfig {
        SdkConfig {
            gateway_addr: format!("https://{host}:{}", self.gateway.gateway.address().port()),
            ..self.gateway.config()
        }
    }

    /// The same through the proxy, spoken to in this way.
    fn through(&self, scheme: &str, host: &str) -> SdkConfig {
        let mut config = self.config(host);
        let place = self.proxy.address();
        config.set("proxy", &format!("{scheme}{place}")).unwrap();
        config
    }

    /// Connections that the gateway has taken.
    pub(crate) fn accepted(&self) -> u64 {
        self.gateway.gateway.metrics().connections_accepted()
    }
}

pub(crate) fn fails(config: &SdkConfig, face: crate::fixture::Face) -> SdkError {
    let client = Client::new(face, config.clone());
    let error = client.get(AddrB3::of(b"x")).unwrap_err();
    assert_eq!(error.executed(), Executed::No, "{error}");
    error
}

#[test]
fn a_call_goes_through_each_kind_of_proxy() {
    with_each_client(|face| {
        let behind = Behind::start();
        for (scheme, host, is_name) in [
            ("http://", NAME, true),
            ("socks5h://", NAME, true),
            ("socks5h://", "localhost", true),
            ("socks5://", "localhost", false),
            ("http://", "127.0.0.1", false),
            ("socks5h://", "127.0.0.1", false),
        ] {
            let before = behind.proxy.asked().len();
            let client = Client::new(face, behind.through(scheme, host));
            let address = told_put(&client);
            assert_eq!(client.get(address).unwrap().0, "through a proxy");
            let asked = &behind.proxy.asked()[before..];
            let Some(Asked { is_socks, port, .. }) = asked.last() else {
                panic!("{scheme}: nobody came");
            };
            assert_eq!(*is_socks, scheme.starts_with("socks"), "{scheme}");
            assert_eq!(*port, behind.gateway.gateway.address().port());
            // Where the resolver knows more than one address, more than one is tried.
            assert!(asked.len() == 1 || scheme == "socks5://", "{asked:?}");
            assert!(
                asked.iter().all(|asked| asked.is_name == is_name),
                "{asked:?}"
            );
            assert!(
                asked.iter().all(|asked| !is_name || asked.host == host),
                "{asked:?}"
            );
        }
    });
}

fn told_put(client: &Client) -> AddrB3 {
    let put = client.put(b"through a proxy");
    assert_eq!(told(&put), (1, false, Executed::Yes));
    put.unwrap().0
}

#[test]
fn a_proxy_is_told_its_user_and_password_and_nobody_else_is() {
    with_each_client(|face| {
        let behind = Behind::start();
        let known = ("canary".to_owned(), "can:ary@".to_owned());
        behind
            .proxy
            .set(Forwarding::Demand(known.0.clone(), known.1.clone()));
        for scheme in ["http://", "socks5h://"] {
            let user = format!("{scheme}canary:can%3Aary%40@");
            told_put(&Client::new(face, behind.through(&user, NAME)));
            let asked = behind.proxy.asked().pop().unwrap();
            assert_eq!(asked.credentials, Some(known.clone()));
            for (user, words) in [
                ("canary:another@", "does not accept the user"),
                ("", "wants a user and a password"),
            ] {
                let error = fails(&behind.through(&format!("{scheme}{user}"), NAME), face);
                assert_eq!(error.kind(), ErrorKind::Config, "{error}");
                assert_eq!(error.attempts(), 1);
                let text = format!("{error} {error:?}");
                assert!(text.contains("proxy: ") && text.contains(words), "{text}");
                assert!(
                    !text.contains("canary") && !text.contains("another"),
                    "{text}"
                );
            }
        }
        assert_eq!(behind.accepted(), 2);
    });
}

#[test]
fn a_name_that_is_to_be_looked_up_here_and_is_not_known_reaches_no_proxy() {
    with_each_client(|face| {
        let behind = Behind::start();
        let mut config = behind.through("socks5://", NAME);
        config.backoff.max_attempts = 1;
        assert_eq!(fails(&config, face).kind(), ErrorKind::Transport);
        assert_eq!(behind.proxy.asked(), []);
    });
}

#[test]
fn what_a_proxy_answers_is_said_and_retried_where_it_may_pass() {
    with_each_client(|face| {
        let behind = Behind::start();
        for (scheme, behaviour, kind, words) in [
            (
                "socks5h://",
                Forwarding::Refuse(1),
                ErrorKind::Transport,
                "answered 1, general",
            ),
            (
                "socks5h://",
                Forwarding::Refuse(5),
                ErrorKind::Transport,
                "connection refused",
            ),
            (
                "http://",
                Forwarding::Refuse(502),
                ErrorKind::Transport,
                "answered 502 Refused",
            ),
            (
                "socks5h://",
                Forwarding::HangUp,
                ErrorKind::Transport,
                "proxy at 127.0.0.1",
            ),
            (
                "http://",
                Forwarding::HangUpLate,
                ErrorKind::Transport,
                "before it had answered",
            ),
            (
                "socks5h://",
                Forwarding::Refuse(2),
                ErrorKind::Config,
                "does not allow",
            ),
            (
                "http://",
                Forwarding::Refuse(403),
                ErrorKind::Config,
                "does not allow",
            ),
            (
                "socks5h://",
                Forwarding::TakeNobody,
                ErrorKind::Config,
                "wants a user",
            ),
            (
                "http://",
                Forwarding::TakeNobody,
                ErrorKind::Config,
                "wants a user",
            ),
            (
                "socks5h://",
                Forwarding::Garbage,
                ErrorKind::Config,
                "does not speak SOCKS5",
            ),
            (
                "http://",
                Forwarding::Garbage,
                ErrorKind::Config,
                "does not speak HTTP/1.1",
            ),
        ] {
            behind.proxy.set(behaviour.clone());
            let mut config = behind.through(scheme, NAME);
            config.backoff.max_attempts = 2;
            config.backoff.base = Duration::from_millis(1);
            let error = fails(&config, face);
            assert_eq!(error.kind(), kind, "{scheme} {behaviour:?}: {error}");
            let attempts = if kind == ErrorKind::Transport { 2 } else { 1 };
            assert_eq!(error.attempts(), attempts, "{error}");
            assert!(error.to_string().contains(words), "{words}: {error}");
        }
        assert_eq!(behind.accepted(), 0);
        // One that can connect again is used again.
        behind.proxy.set(Forwarding::Serve);
        told_put(&Client::new(face, behind.through("http://", NAME)));
    });
}

/// What it says after its answer is not TLS's.
#[test]
fn a_proxy_that_says_more_than_its_answer_is_left() {
    with_each_client(|face| {
        let behind = Behind::start();
        behind.proxy.set(Forwarding::Chatter);
        for scheme in ["http://", "socks5h://"] {
            let error = fails(&behind.through(scheme, NAME), face);
            // Read with the answer, or after it as the beginning of TLS.
            assert!(
                matches!(error.kind(), ErrorKind::Config | ErrorKind::Tls),
                "{error}"
            );
        }
    });
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = listener.local_addr().unwrap();
    drop(listener);
    let trust = Trust::new();
    let mut config = trust.config(([127, 0, 0, 1], 1).into());
    config.set("proxy", &format!("http://{nowhere}")).unwrap();
    config.backoff.max_attempts = 1;
    with_each_client(|face| {
        let error = fails(&config, face);
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        let words = format!("the proxy at {nowhere} could not be reached: nothing listens");
        assert!(error.to_string().contains(&words), "{error}");
    });
}

#[test]
fn a_proxy_that_says_nothing_costs_the_connect_timeout_or_the_calls_limit() {
    with_each_client(|face| {
        let behind = Behind::start();
        for (scheme, behaviour) in [
            ("http://", Forwarding::Silent),
            ("socks5h://", Forwarding::Silent),
            ("socks5h://", Forwarding::SilentAfterMethod),
        ] {
            behind.proxy.set(behaviour);
            let mut config = behind.through(scheme, NAME);
            config.backoff.max_attempts = 1;
            let began = Instant::now();
            let short = Client::new(face, config.clone()).with_limit(SOON);
            let error = short.get(AddrB3::of(b"x")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
            config.timeouts.connect = SOON;
            let error = fails(&config, face);
            assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
            assert!(
                error.to_string().contains("did not answer within"),
                "{error}"
            );
            assert!(began.elapsed() < 2 * SOON + SLACK);
        }
    });
}
