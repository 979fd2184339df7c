//! Where a gateway is: the parts of `gateway_addr`.

use http::Uri;
use rustls::pki_types::ServerName;
use std::fmt;
use std::str::FromStr;

const DEFAULT_PORT: u16 = 443;

/// A host, a port, and the name that the certificate must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) server_name: ServerName<'static>,
}

impl Endpoint {
    /// What an address has to be.
    pub(crate) const RULE: &'static str = "https://host or https://host:port";
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text
            .parse()
            .map_err(|_| "is not an address of the form https://host:port")?;
        if uri.scheme_str() != Some("https") {
            return Err("does not start with https://");
        }
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("must not contain a user or password");
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("must not have a path or a query");
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() == authority.host() => DEFAULT_PORT,
            None => return Err("has no port from 1 to 65535 after the colon"),
        };
        if port == 0 {
            return Err("has port 0");
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let server_name = ServerName::try_from(host.to_owned())
            .map_err(|_| "names a host that is neither a DNS name nor an IP address")?;
        Ok(Self {
            host: host.to_owned(),
            port,
            server_name,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_taken_apart() {
        for (text, shown) in [
            ("https://127.0.0.1:8443", "127.0.0.1:8443"),
            ("https://gateway.example", "gateway.example:443"),
            ("https://gateway.example:1/", "gateway.example:1"),
            ("https://[::1]:8443", "[::1]:8443"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_rule() {
        for (text, rule) in [
            ("", "form"),
            ("gateway.example:8443", "https"),
            ("http://a", "https"),
            ("https://a/path", "path"),
            ("https://a?query", "path"),
            ("https://user:pass@a", "user"),
            ("https://a:0", "port 0"),
            ("https://a:99999", "65535"),
            ("https://a:", "65535"),
            ("https://a_b..c", "host"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.contains(rule), "{text}: {error}");
        }
    }
}
