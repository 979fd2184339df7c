//! `ProxyAddr`: the proxy that connections go through, and what it knows its users by.

use http::uri::Authority;
use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest user or password that SOCKS5 can carry (RFC 1929, section 2).
const SOCKS_LONGEST: usize = 255;
/// The longest that is taken for HTTP: a line of it has to stay within what proxies read.
const HTTP_LONGEST: usize = 1024;

/// A proxy: how it is spoken to, where it is, and the user and password that it asks for.
///
/// Its text is `http://`, `socks5://` or `socks5h://`, then `user:password@` where the proxy asks for them, then
/// a host and a port. What would be misread in a user or a password is written as `%` and two hexadecimal digits.
/// Neither `Debug` nor `Display` shows them, and they are wiped when the last clone is dropped.
///
/// ```
/// use ron_app_sdk::{ProxyAddr, ProxyProtocol};
///
/// let proxy: ProxyAddr = "socks5h://user:p%40ss@proxy.example:1080".parse()?;
/// assert_eq!(proxy.protocol(), ProxyProtocol::Socks5h);
/// assert_eq!(proxy.to_string(), "socks5h://proxy.example:1080");
/// # Ok::<(), ron_app_sdk::ProxyAddrError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyAddr {
    protocol: ProxyProtocol,
    host: String,
    port: u16,
    credentials: Option<Arc<Credentials>>,
}

/// How a proxy is spoken to, and who looks the gateway's name up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyProtocol {
    /// HTTP with CONNECT (RFC 9110, section 9.3.6). The proxy looks the gateway's name up.
    Http,
    /// SOCKS5 (RFC 1928). The name is looked up here, and the proxy gets an address.
    Socks5,
    /// SOCKS5. The proxy looks the gateway's name up.
    Socks5h,
}

/// A user and a password, as bytes.
#[derive(PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Zeroizing<Vec<u8>>,
    pub(crate) password: Zeroizing<Vec<u8>>,
}

/// A text that is not a [`ProxyAddr`]. It says which rule was broken, and repeats nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is {0}")]
pub struct ProxyAddrError(&'static str);

impl ProxyAddrError {
    /// The rule that was broken, as what comes after "is not".
    pub(crate) const fn rule(self) -> &'static str {
        self.0
    }
}

impl ProxyAddr {
    /// A SOCKS5 proxy that looks names up and asks for nothing.
    pub(crate) fn local_socks(address: std::net::SocketAddr) -> Self {
        Self {
            protocol: ProxyProtocol::Socks5h,
            host: address.ip().to_string(),
            port: address.port(),
            credentials: None,
        }
    }

    /// How it is spoken to.
    pub fn protocol(&self) -> ProxyProtocol {
        self.protocol
    }

    /// Its host: a name, or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is told a user and a password.
    pub fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_deref()
    }

    /// Where it is, as `host:port`.
    pub(crate) fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for ProxyAddr {
    type Err = ProxyAddrError;

    fn from_str(text: &str) -> Result<Self, ProxyAddrError> {
        let broken = |rule| Err(ProxyAddrError(rule));
        let (protocol, rest) = match text.trim().split_once("://") {
            Some(("http", rest)) => (ProxyProtocol::Http, rest),
            Some(("socks5", rest)) => (ProxyProtocol::Socks5, rest),
            Some(("socks5h", rest)) => (ProxyProtocol::Socks5h, rest),
            _ => return broken("a text that begins with http://, socks5:// or socks5h://"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(Credentials::read(credentials, protocol)?), place),
            None => (None, rest),
        };
        let Ok(place) = place.parse::<Authority>() else {
            return broken("a host and a port, such as proxy.example:1080, and nothing after that");
        };
        let port = match place.port_u16() {
            Some(port) if port > 0 => port,
            _ => return broken("one with a port from 1 to 65535 after its host"),
        };
        let host = place.host().trim_start_matches('[').trim_end_matches(']');
        if ServerName::try_from(host).is_err() {
            return broken("one whose host is a DNS name or an IP address");
        }
        Ok(Self {
            protocol,
            host: host.to_owned(),
            port,
            credentials: credentials.map(Arc::new),
        })
    }
}

impl Credentials {
    fn read(text: &str, protocol: ProxyProtocol) -> Result<Self, ProxyAddrError> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let (user, password) = (decode(user), decode(password));
        let rule = match protocol {
            // RFC 7617, section 2.
            ProxyProtocol::Http if user.contains(&b':') => Some("one whose user has no colon"),
            ProxyProtocol::Http => (user.len().max(password.len()) > HTTP_LONGEST)
                .then_some("one with a user and a password of at most 1024 bytes each"),
            ProxyProtocol::Socks5 | ProxyProtocol::Socks5h => (user.len().max(password.len())
                > SOCKS_LONGEST)
                .then_some("one with a user and a password of at most 255 bytes each"),
        };
        let has_controls = user.iter().chain(&*password).any(u8::is_ascii_control);
        match rule {
            Some(rule) => Err(ProxyAddrError(rule)),
            None if user.is_empty() => Err(ProxyAddrError("one with a user before the @")),
            None if has_controls => Err(ProxyAddrError(
                "one with a user and a password without control characters",
            )),
            None => Ok(Self { user, password }),
        }
    }
}

/// The bytes of a text with percent signs, in memory that is not moved while it grows.
fn decode(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    bytes.extend(percent_decode_str(text));
    bytes
}

impl fmt::Display for ProxyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Http => "http",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        })
    }
}

/// Without the user and the password.
impl fmt::Display for ProxyAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.protocol, self.place())
    }
}

impl fmt::Debug for ProxyAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = match self.credentials {
            Some(_) => "redacted@",
            None => "",
        };
        write!(f, "{}://{credentials}{}", self.protocol, self.place())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_proxy_is_taken_apart() {
        for (text, protocol, host, port) in [
            (
                "http://proxy.example:3128",
                ProxyProtocol::Http,
                "proxy.example",
                3128,
            ),
            (
                " http://proxy.example:3128/ ",
                ProxyProtocol::Http,
                "proxy.example",
                3128,
            ),
            (
                "socks5://127.0.0.1:1080",
                ProxyProtocol::Socks5,
                "127.0.0.1",
                1080,
            ),
            ("socks5h://[::1]:1080", ProxyProtocol::Socks5h, "::1", 1080),
        ] {
            let proxy: ProxyAddr = text.parse().unwrap();
            assert_eq!(proxy.protocol(), protocol);
            assert_eq!((proxy.host(), proxy.port()), (host, port));
            assert!(!proxy.has_credentials());
            assert_eq!(proxy.to_string(), text.trim().trim_end_matches('/'));
            assert_eq!(proxy.to_string().parse(), Ok(proxy));
        }
    }

    #[test]
    fn a_user_and_a_password_are_decoded_and_not_shown() {
        let proxy: ProxyAddr = "http://canary:ca%3Anary%40@proxy:1".parse().unwrap();
        let credentials = proxy.credentials().unwrap();
        assert_eq!(*credentials.user, b"canary");
        assert_eq!(*credentials.password, b"ca:nary@");
        assert_eq!(
            format!("{proxy} {proxy:?}"),
            "http://proxy:1 http://redacted@proxy:1"
        );
        let alone: ProxyAddr = "socks5://user@proxy:1".parse().unwrap();
        assert!(alone.credentials().unwrap().password.is_empty());
        assert_ne!(alone, "socks5://proxy:1".parse().unwrap());
    }

    #[test]
    fn anything_else_is_refused_with_the_rule_and_not_repeated() {
        let long = format!("socks5://canary:{}@proxy:1", "c".repeat(256));
        let longer = format!("http://{}:canary@proxy:1", "c".repeat(1025));
        for (text, rule) in [
            ("", "begins with"),
            ("canary:1080", "begins with"),
            ("https://canary:1080", "begins with"),
            ("http://canary", "port"),
            ("http://canary:0", "port"),
            ("http://canary:65536", "port"),
            ("http://canary:1/path", "host and a port"),
            ("http://user:canary@", "host and a port"),
            ("http://user:canary@a_b..c:1", "DNS name"),
            ("http://:canary@proxy:1", "a user before"),
            ("http://user%3A:canary@proxy:1", "colon"),
            ("http://user:canary%0A@proxy:1", "control"),
            (&long, "255"),
            (&longer, "1024"),
        ] {
            let error = text.parse::<ProxyAddr>().unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(
                told.contains(rule) && !told.contains("canary"),
                "{text}: {told}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = text.parse::<ProxyAddr>();
            let _ = format!("http://{text}").parse::<ProxyAddr>();
        }

        #[test]
        fn every_user_and_password_can_be_written(
            user in "[ -~]{1,64}",
            password in "[ -~]{0,64}",
        ) {
            use percent_encoding::{utf8_percent_encode, NON_ALPHANUMERIC};
            let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let text = format!("socks5://{}:{}@[::1]:9", encode(&user), encode(&password));
            let proxy: ProxyAddr = text.parse().unwrap();
            let credentials = proxy.credentials().unwrap();
            prop_assert_eq!(&*credentials.user, user.as_bytes());
            prop_assert_eq!(&*credentials.password, password.as_bytes());
        }
    }
}
