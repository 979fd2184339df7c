//! Which proxy a client's connections go through, and what it is told about each of them.

use super::{Handshake, Refusal};
use crate::capability;
use crate::config::{Credentials, ProxyAddr, ProxyProtocol, SdkConfig, Transport};
use crate::error::{ErrorKind, SdkError};
use crate::transport::endpoint::Endpoint;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use zeroize::Zeroizing;

/// What Tor keeps streams apart by is the pair of user and password; the user alone differs.
const TOR_PASSWORD: &[u8] = b"ron-app-sdk";
/// Of a subject's hash. As digits it never begins with `<torS0X>`, which Tor reserves for users of another
/// meaning (Tor's SOCKS extensions, "Extended authentication").
const SUBJECT_HASH: usize = 16;

/// The proxy of a client.
pub(in crate::transport) struct Proxy {
    address: ProxyAddr,
    is_tor: bool,
}

/// Where a proxy is to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Target {
    Address(SocketAddr),
    Name(String, u16),
}

/// Whose calls may share a connection: everybody's or, with Tor, those of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::transport) struct Isolation(Option<Box<[u8; SUBJECT_HASH]>>);

impl Proxy {
    pub(in crate::transport) fn of(config: &SdkConfig) -> Option<Self> {
        match (config.transport, &config.proxy) {
            (Transport::Tor, _) => Some(Self {
                address: ProxyAddr::local_socks(config.tor.socks_addr),
                is_tor: true,
            }),
            (_, Some(address)) => Some(Self::new(address.clone())),
            (_, None) => None,
        }
    }

    pub(super) fn new(address: ProxyAddr) -> Self {
        Self {
            address,
            is_tor: false,
        }
    }

    /// Its own host and port.
    pub(in crate::transport) fn place(&self) -> (&str, u16) {
        (self.address.host(), self.address.port())
    }

    /// Whether it gets an address where the gateway has a name.
    pub(in crate::transport) fn gets_addresses(&self) -> bool {
        self.address.protocol() == ProxyProtocol::Socks5
    }

    /// Whose calls may share a connection with those of this capability.
    pub(in crate::transport) fn isolation(&self, token: &[u8]) -> Isolation {
        match self.is_tor {
            true => Isolation::of_subject(&capability::subject(token)),
            false => Isolation::default(),
        }
    }

    pub(in crate::transport) fn handshake(
        &self,
        target: &Target,
        isolation: &Isolation,
    ) -> Handshake {
        let credentials = self.address.credentials();
        match (self.address.protocol(), &isolation.0) {
            (ProxyProtocol::Http, _) => Handshake::http(target, credentials),
            (_, None) => Handshake::socks(target, credentials, false),
            (_, Some(subject)) => {
                let digits = subject.iter().flat_map(|byte| {
                    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
                    [digit(byte >> 4), digit(byte & 15)]
                });
                let credentials = Credentials {
                    user: Zeroizing::new(digits.collect()),
                    password: Zeroizing::new(TOR_PASSWORD.to_vec()),
                };
                Handshake::socks(target, Some(&credentials), true)
            }
        }
    }

    pub(in crate::transport) fn is_tor(&self) -> bool {
        self.is_tor
    }

    /// It has answered, and does not connect to the gateway: why, where it may connect to another one.
    pub(in crate::transport) fn refused(
        &self,
        gateway: &Endpoint,
        refusal: &Refusal,
    ) -> Result<String, SdkError> {
        let what = match refusal {
            Refusal::Stranger(how) => format!("{how}: another service may listen there"),
            Refusal::Credentials if self.is_tor => {
                "takes no user and password, by which Tor keeps subjects apart: it may not be Tor"
                    .to_owned()
            }
            Refusal::Credentials if self.address.has_credentials() => {
                "does not accept the user and the password".to_owned()
            }
            Refusal::Credentials => {
                "wants a user and a password, before the @ of the setting".to_owned()
            }
            Refusal::Forbidden(said) => format!("{said}: it does not allow connections to there"),
            Refusal::Failed(said) => said.clone(),
        };
        match refusal {
            Refusal::Failed(_) => self.not_connected(gateway, &what),
            _ if self.is_tor => self.not_connected(gateway, &what),
            _ => Err(SdkError::new(
                ErrorKind::Config,
                format!("proxy: the one at {} {what}", self.address.place()),
            )),
        }
    }

    /// It could not be reached, or was lost before it had answered: why, where it is not Tor. The limit is for timeouts.
    pub(in crate::transport) fn lost(
        &self,
        gateway: &Endpoint,
        error: &io::Error,
        is_connected: bool,
        limit: &str,
    ) -> Result<String, SdkError> {
        let what = match (error.kind(), is_connected) {
            (io::ErrorKind::TimedOut, false) => {
                format!("could not be reached {limit}")
            }
            (io::ErrorKind::TimedOut, true) => {
                format!("did not answer {limit}")
            }
            (io::ErrorKind::ConnectionRefused, false) => {
                "could not be reached: nothing listens there".to_owned()
            }
            (_, false) => format!("could not be reached: {error}"),
            (io::ErrorKind::UnexpectedEof, true) => {
                "closed the connection before it had answered".to_owned()
            }
            (_, true) => format!("was lost before it had answered: {error}"),
        };
        self.not_connected(gateway, &what)
    }

    fn not_connected(&self, gateway: &Endpoint, what: &str) -> Result<String, SdkError> {
        let place = self.address.place();
        if self.is_tor {
            let message =
                format!("no connection to the gateway at {gateway}: Tor at {place} {what}");
            return Err(SdkError::new(ErrorKind::TorUnavailable, message));
        }
        Ok(format!("the proxy at {place} {what}"))
    }
}

impl Isolation {
    /// Of the calls of one subject.
    pub(in crate::transport) fn of_subject(subject: &[u8]) -> Self {
        let hash = blake3::hash(subject);
        let mut part = Box::new([0; SUBJECT_HASH]);
        part.copy_from_slice(&hash.as_bytes()[..SUBJECT_HASH]);
        Self(Some(part))
    }
}

impl Target {
    /// The gateway as it is named.
    pub(in crate::transport) fn of(gateway: &Endpoint) -> Self {
        match gateway.host.parse::<IpAddr>() {
            Ok(ip) => Self::Address(SocketAddr::new(ip, gateway.port)),
            Err(_) => Self::Name(gateway.host.clone(), gateway.port),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::capability::Macaroon;

    fn token(identifier: &str) -> Vec<u8> {
        Macaroon::mint(b"root key", "ron", identifier.as_bytes()).encode()
    }

    fn tor() -> Proxy {
        Proxy::of(&SdkConfig::over_tor()).unwrap()
    }

    #[test]
    fn with_tor_the_subject_decides_who_shares_a_connection() {
        let of = |identifier: &str| tor().isolation(&token(identifier));
        assert_eq!(of("v1:key:alice:1"), of("v1:other:alice:2"));
        assert_ne!(of("v1:key:alice:1"), of("v1:key:bob:1"));
        assert_ne!(of("alice"), of("bob"));
        assert_ne!(of("v1:key:alice:1"), Isolation::default());
        let alice = Macaroon::parse(&token("v1:key:alice:1")).unwrap();
        let narrowed = alice.attenuate(b"op=storage.get").unwrap().encode();
        assert_eq!(tor().isolation(&narrowed), of("v1:key:alice:1"));
        let plain = Proxy::new("socks5h://proxy:1".parse().unwrap());
        assert_eq!(plain.isolation(&token("alice")), Isolation::default());
    }

    #[test]
    fn the_user_is_the_beginning_of_the_subjects_hash() {
        let isolation = tor().isolation(&token("v1:key:alice:1"));
        let target = Target::Name("a".into(), 1);
        let mut talk = tor().handshake(&target, &isolation);
        super::super::tests::turn(&mut talk, b"\x05\x02").unwrap();
        let hash = blake3::hash(b"alice").to_hex();
        let expected = format!("\x01\x20{}\x0bron-app-sdk", &hash[..32]);
        assert_eq!(talk.unsent(), expected.as_bytes());
    }

    #[test]
    fn every_failure_of_tor_is_tors() {
        let gateway: Endpoint = "https://gateway.example".parse().unwrap();
        let said = || "answered 1, general failure".to_owned();
        for refusal in [
            Refusal::Stranger("says nothing"),
            Refusal::Credentials,
            Refusal::Forbidden(said()),
            Refusal::Failed(said()),
        ] {
            let error = tor().refused(&gateway, &refusal).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TorUnavailable, "{error}");
            assert!(error.to_string().contains("Tor at 127.0.0.1:9050 "));
        }
        for kind in [io::ErrorKind::TimedOut, io::ErrorKind::ConnectionRefused] {
            for is_connected in [false, true] {
                let lost = tor().lost(&gateway, &kind.into(), is_connected, "in time");
                let error = lost.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TorUnavailable, "{error}");
            }
        }
    }
}
