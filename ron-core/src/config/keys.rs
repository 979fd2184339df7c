//! The settings by their names, as the environment, TOML and other languages give them.
//!
//! This table is the one source: what validates, what every language takes and docs/CONFIGURATION.md come from it.

use super::value::{field, is_not, Other, SettingKind, Value};
use super::{
    ProxyAddrError, SdkConfig, Transport, BACKOFF, BACKOFF_FACTOR, CACHE_BYTES, CACHE_ENTRIES,
    CACHE_TTL, MAX_ATTEMPTS, OVERALL_TIMEOUT, POOL_MAX, TIMEOUT,
};
use crate::error::{ErrorKind, SdkError};
use crate::transport::endpoint::Endpoint;
use std::fmt::{self, Display};
use std::net::SocketAddr;

/// The setting that decides about defaults of others.
pub(super) const TRANSPORT: &str = "transport";

/// What `tor.socks_addr` has to be.
pub(super) const SOCKS_RULE: &str =
    "an IP address and a port of this machine, such as 127.0.0.1:9050";

const PROXY_RULE: &str =
    "http://, socks5:// or socks5h://, user:password@ where they are asked for, a host and a port";

/// Gateways beside the first one, at most.
const FALLBACK_ADDRS: usize = 8;
const FALLBACK_RULE: &str =
    "at most 8 addresses with commas between them, each https://host or https://host:port";

/// A setting: its name, its value, and what it is for.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) value: Value,
    description: &'static str,
}

/// The transport comes first: it decides about defaults, which whatever is set afterwards replaces.
pub(super) static KEYS: [Key; 25] = [
    Key {
        name: TRANSPORT,
        value: Value::Other(Other {
            kind: SettingKind::Choice,
            rule: "tls or tor",
            get: |config| match config.transport {
                Transport::Tor => "tor".to_owned(),
                _ => "tls".to_owned(),
            },
            set: |config, text| {
                let transport = match text {
                    "tls" => Transport::Tls,
                    "tor" => Transport::Tor,
                    _ => return Err(is_not(text, "tls or tor")),
                };
                config.change_transport(transport);
                Ok(())
            },
        }),
        description: "How the gateway is reached. With `tor`, `overall_timeout_ms` is 30000 and `timeouts.connect_ms` 20000 unless set.",
    },
    Key {
        name: "gateway_addr",
        value: Value::Other(Other {
            kind: SettingKind::Text,
            rule: Endpoint::RULE,
            get: |config| config.gateway_addr.clone(),
            set: |config, text| {
                endpoint(text, Endpoint::RULE)?;
                config.gateway_addr = text.to_owned();
                Ok(())
            },
        }),
        description: "The gateway: `https://` and a host, with a port where it is not 443.",
    },
    Key {
        name: "fallback_addrs",
        value: Value::Other(Other {
            kind: SettingKind::List,
            rule: FALLBACK_RULE,
            get: |config| config.fallback_addrs.join(","),
            set: |config, text| {
                let addresses = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                let addresses: Vec<String> = addresses.map(str::to_owned).collect();
                fallbacks(&addresses)?;
                config.fallback_addrs = addresses;
                Ok(())
            },
        }),
        description: "Further gateways of the same kind, in the order in which they are tried where the one in use cannot be reached.",
    },
    Key {
        name: "overall_timeout_ms",
        value: Value::Duration(field!(overall_timeout), OVERALL_TIMEOUT),
        description: "The limit of a call that sets none of its own.",
    },
    Key {
        name: "timeouts.connect_ms",
        value: Value::Duration(field!(timeouts.connect), TIMEOUT),
        description: "For TCP, TLS and HELLO together.",
    },
    Key {
        name: "timeouts.read_ms",
        value: Value::Duration(field!(timeouts.read), TIMEOUT),
        description: "Without one byte of an answer that has begun.",
    },
    Key {
        name: "timeouts.write_ms",
        value: Value::Duration(field!(timeouts.write), TIMEOUT),
        description: "Without one byte of a request that has begun being accepted.",
    },
    Key {
        name: "tls.ca",
        value: Value::Path(field!(tls.ca)),
        description: "A PEM file of authorities that are trusted in addition to the system's. Not together with `tls.pin`.",
    },
    Key {
        name: "tls.pin",
        value: Value::Other(Other {
            kind: SettingKind::Text,
            rule: "sha256: and 64 hexadecimal digits",
            get: |config| config.tls.pin.map_or_else(String::new, |pin| pin.to_string()),
            set: |config, text| {
                let pin = text.parse();
                let pin = pin.map_err(|_| is_not(text, "sha256: and 64 hexadecimal digits"))?;
                config.tls.pin = Some(pin);
                Ok(())
            },
        }),
        description: "The gateway's public key. It replaces every authority: only that the peer holds this key counts.",
    },
    Key {
        name: "tls.client_cert",
        value: Value::Path(field!(tls.client_cert)),
        description: "A PEM file with the certificate that is shown to a gateway that asks for one, and with those that lead to its authority. Together with `tls.client_key`.",
    },
    Key {
        name: "tls.client_key",
        value: Value::Path(field!(tls.client_key)),
        description: "A PEM file with the private key of `tls.client_cert`.",
    },
    Key {
        name: "proxy",
        value: Value::Other(Other {
            kind: SettingKind::Secret,
            rule: PROXY_RULE,
            get: |config| config.proxy.as_ref().map_or_else(String::new, ToString::to_string),
            set: |config, text| {
                let proxy = text.parse().map_err(|error: ProxyAddrError| {
                    let wrong = error.rule();
                    format!("the value, not shown here, is not {wrong}; it has to be {PROXY_RULE}")
                })?;
                config.proxy = Some(proxy);
                Ok(())
            },
        }),
        description: "The proxy that connections go through. With `socks5` the gateway's name is looked up here, else by the proxy. Not together with Tor.",
    },
    Key {
        name: "tor.socks_addr",
        value: Value::Other(Other {
            kind: SettingKind::Text,
            rule: SOCKS_RULE,
            get: |config| config.tor.socks_addr.to_string(),
            set: |config, text| {
                let address = text.parse().ok().filter(is_local);
                config.tor.socks_addr = address.ok_or_else(|| is_not(text, SOCKS_RULE))?;
                Ok(())
            },
        }),
        description: "Where Tor listens for SOCKS connections, on this machine.",
    },
    Key {
        name: "pool.max",
        value: Value::Size(field!(pool.max), POOL_MAX),
        description: "Connections at most. Another one is opened when three quarters of the open ones' calls are in use.",
    },
    Key {
        name: "backoff.base_ms",
        value: Value::Duration(field!(backoff.base), BACKOFF),
        description: "The longest wait after the first attempt; no longer than `backoff.cap_ms`.",
    },
    Key {
        name: "backoff.factor",
        value: Value::Number(field!(backoff.factor), BACKOFF_FACTOR),
        description: "How much longer the longest wait is after each attempt.",
    },
    Key {
        name: "backoff.cap_ms",
        value: Value::Duration(field!(backoff.cap), BACKOFF),
        description: "The longest wait between attempts.",
    },
    Key {
        name: "backoff.max_attempts",
        value: Value::Count(field!(backoff.max_attempts), MAX_ATTEMPTS),
        description: "Attempts of one call, the first one included.",
    },
    Key {
        name: "idempotency.enabled",
        value: Value::Flag(field!(idempotency.enabled)),
        description: "Whether a put, send or publish without a key gets a fresh one, so that it can be repeated safely.",
    },
    Key {
        name: "cache.enabled",
        value: Value::Flag(field!(cache.enabled)),
        description: "Whether objects that `storage_get` has fetched are kept, for the capability that fetched them.",
    },
    Key {
        name: "cache.max_entries",
        value: Value::Size(field!(cache.max_entries), CACHE_ENTRIES),
        description: "Objects in the cache at most.",
    },
    Key {
        name: "cache.max_bytes",
        value: Value::Size(field!(cache.max_bytes), CACHE_BYTES),
        description: "Bytes of them at most, 1 KiB to 64 GiB; 64 MiB unless set.",
    },
    Key {
        name: "cache.ttl_ms",
        value: Value::Duration(field!(cache.ttl), CACHE_TTL),
        description: "How long an object is kept.",
    },
    Key {
        name: "cache.verify_puts",
        value: Value::Flag(field!(cache.verify_puts)),
        description: "Whether a put is hashed locally and compared with the gateway's receipt.",
    },
    Key {
        name: "tracing.enabled",
        value: Value::Flag(field!(tracing.enabled)),
        description: "Whether calls and connections have spans and events, and calls say which trace they are part of.",
    },
];

impl Key {
    /// The name in code, where a duration has no unit: `timeouts.connect`.
    pub(super) fn field(&self) -> &'static str {
        match self.value.kind() {
            SettingKind::Duration => self.name.strip_suffix("_ms").unwrap_or(self.name),
            _ => self.name,
        }
    }

    /// Sets what a text says; the error calls the setting by the name that it was `written` with.
    pub(super) fn set(
        &self,
        config: &mut SdkConfig,
        text: &str,
        written: &str,
    ) -> Result<(), SdkError> {
        let set = self.value.set(config, text);
        set.map_err(|wrong| invalid(written, wrong))
    }
}

/// A setting, as every language has it.
///
/// ```
/// use ron_app_sdk::SdkConfig;
///
/// let setting = SdkConfig::settings().find(|setting| setting.name() == "pool.max").unwrap();
/// assert_eq!(setting.variable(), "RON_SDK_POOL_MAX");
/// assert_eq!((setting.default(), setting.range()), ("4".to_owned(), "1 to 16".to_owned()));
/// ```
#[derive(Clone, Copy)]
pub struct Setting(&'static Key);

impl Setting {
    /// Its name, the same in every language. That of a duration ends with its unit.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Its environment variable.
    pub fn variable(self) -> String {
        SdkConfig::variable(self.0.name)
    }

    /// What kind of value it has.
    pub fn kind(self) -> SettingKind {
        self.0.value.kind()
    }

    /// The text that would set its default; empty where it is not set by default.
    pub fn default(self) -> String {
        self.0.value.text(&SdkConfig::default())
    }

    /// What is allowed: "10 to 600000", "true or false", or the form of a text.
    pub fn range(self) -> String {
        self.0.value.range()
    }

    /// What it is for, in a line.
    pub fn description(self) -> &'static str {
        self.0.description
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Setting").field(&self.0.name).finish()
    }
}

impl SdkConfig {
    /// Every setting, in the order of the documentation.
    pub fn settings() -> impl ExactSizeIterator<Item = Setting> {
        KEYS.iter().map(Setting)
    }

    /// The names of all settings, the same in every language. That of a duration ends with its unit.
    pub fn keys() -> impl ExactSizeIterator<Item = &'static str> {
        KEYS.iter().map(|key| key.name)
    }

    /// The variable of a setting: `RON_SDK_TIMEOUTS_CONNECT_MS` of `timeouts.connect_ms`.
    pub fn variable(key: &str) -> String {
        format!("RON_SDK_{}", key.to_uppercase().replace('.', "_"))
    }

    /// Sets one setting by its name from a text.
    ///
    /// `transport` also changes `overall_timeout` and `timeouts.connect` to its own defaults where they have those
    /// of the transport before: set it first.
    ///
    /// ```
    /// use ron_app_sdk::SdkConfig;
    ///
    /// let mut config = SdkConfig::default();
    /// config.set("timeouts.connect_ms", "500")?;
    /// assert_eq!(config.timeouts.connect.as_millis(), 500);
    /// let error = config.set("timeouts.connect_ms", "5").unwrap_err();
    /// assert!(error.to_string().contains("from 10 to 600000"));
    /// # Ok::<(), ron_app_sdk::SdkError>(())
    /// ```
    ///
    /// # Errors
    /// `Config` where there is no such setting, and where it cannot have such a value: with its name, the value and
    /// what is allowed. It has the value from before then.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SdkError> {
        self.set_as(key, value, key)
    }

    /// [`SdkConfig::set`] for a language in which the setting has another name, by which the error calls it.
    ///
    /// # Errors
    /// As there.
    pub fn set_as(&mut self, key: &str, value: &str, written: &str) -> Result<(), SdkError> {
        find(key, written)?.set(self, value, written)
    }

    /// The text that sets what a setting is at the moment; empty where it is not set. `None` where there is no such
    /// setting.
    pub fn get(&self, key: &str) -> Option<String> {
        let key = KEYS.iter().find(|known| known.name == key)?;
        Some(key.value.text(self))
    }
}

/// A setting by its name.
pub(super) fn find(name: &str, written: &str) -> Result<&'static Key, SdkError> {
    let found = KEYS.iter().find(|known| known.name == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = SdkConfig::keys().collect();
        let known = known.join(", ");
        let meant = match nearest(name) {
            Some(nearest) => format!("did you mean {nearest}? "),
            None => String::new(),
        };
        invalid(
            written,
            format_args!("no such setting; {meant}there are {known}"),
        )
    })
}

pub(super) fn invalid(field: &str, rule: impl Display) -> SdkError {
    SdkError::invalid(ErrorKind::Config, field, rule)
}

/// Whether a port is one of this machine.
pub(super) fn is_local(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback() && address.port() != 0
}

/// An address of a gateway. The error says what is wrong with it, and what is allowed.
pub(super) fn endpoint(text: &str, rule: &str) -> Result<Endpoint, String> {
    text.parse().map_err(|wrong| {
        if text.contains('@') {
            // What stands before it may be a password.
            return format!("the address, not shown here, {wrong}; it has to be {rule}");
        }
        format!("{text:?} {wrong}; it has to be {rule}")
    })
}

/// The gateways beside the first one.
pub(super) fn fallbacks(addresses: &[String]) -> Result<Vec<Endpoint>, String> {
    if addresses.len() > FALLBACK_ADDRS {
        let count = addresses.len();
        return Err(format!("{count} addresses are not {FALLBACK_RULE}"));
    }
    let addresses = addresses.iter();
    addresses
        .map(|text| endpoint(text, FALLBACK_RULE))
        .collect()
}

/// The setting that somebody meant who mistyped its name, within a few letters.
fn nearest(name: &str) -> Option<&'static str> {
    const FAR: usize = 3;
    if name.len() > 64 {
        return None;
    }
    let distances = SdkConfig::keys().map(|known| (distance(name, known), known));
    let (distance, nearest) = distances.min()?;
    (distance <= FAR).then_some(nearest)
}

/// Letters to add, to take away or to change (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, known) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(letter != known);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn a_setting_that_there_is_not_is_refused_with_those_that_there_are() {
        let error = SdkConfig::default().set("pool.min", "1").unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            text.contains("pool.min: no such setting; did you mean pool.max?"),
            "{text}"
        );
        for key in SdkConfig::keys() {
            assert!(text.contains(key), "{key}: {text}");
        }
        let error = SdkConfig::default().set("entirely.different", "1");
        assert!(!error.unwrap_err().to_string().contains("did you mean"));
    }

    /// For each setting: a value that is not the default, and values that it cannot have. A setting that is missing
    /// here fails the test.
    pub(in crate::config) const VALUES: [(&str, &str, &[&str]); KEYS.len()] = [
        ("transport", "tor", &["tcp", "", "TLS"]),
        (
            "gateway_addr",
            "https://gateway.example",
            &["http://a", "a:1", "https://a:0", ""],
        ),
        (
            "fallback_addrs",
            "https://b,https://c:8443",
            &["http://b", "https://b,c"],
        ),
        (
            "overall_timeout_ms",
            "1000",
            &["49", "3600001", "soon", "1.5", "", "-1"],
        ),
        ("timeouts.connect_ms", "100", &["9", "600001", "1s"]),
        ("timeouts.read_ms", "200", &["9", "600001", "NaN"]),
        ("timeouts.write_ms", "300", &["0", "600001"]),
        ("tls.ca", "/etc/ca.pem", &[""]),
        (
            "tls.pin",
            "sha256:abababababababababababababababababababababababababababababababab",
            &["sha256:12", "none"],
        ),
        ("tls.client_cert", "/etc/client.pem", &[""]),
        ("tls.client_key", "/etc/client.key", &[""]),
        (
            "proxy",
            "socks5h://proxy.example:1080",
            &[
                "proxy.example:1080",
                "ftp://a:1",
                "http://a",
                "http://:b@a:1",
            ],
        ),
        (
            "tor.socks_addr",
            "[::1]:9150",
            &["192.0.2.1:9050", "127.0.0.1:0", "localhost:9050"],
        ),
        ("pool.max", "2", &["0", "17", "many"]),
        ("backoff.base_ms", "20", &["0", "600001"]),
        ("backoff.factor", "1.5", &["0.9", "11", "NaN", "inf", "two"]),
        ("backoff.cap_ms", "700", &["0", "600001"]),
        ("backoff.max_attempts", "3", &["0", "6", "-1"]),
        ("idempotency.enabled", "false", &["yes", "1"]),
        ("cache.enabled", "true", &["yes"]),
        ("cache.max_entries", "7", &["0", "1000001"]),
        ("cache.max_bytes", "1024", &["1023", "68719476737"]),
        ("cache.ttl_ms", "5000", &["0", "3600001"]),
        ("cache.verify_puts", "false", &["no"]),
        ("tracing.enabled", "false", &["no"]),
    ];

    #[test]
    fn every_setting_takes_a_text_and_gives_it_back() {
        for ((key, value, _), setting) in VALUES.into_iter().zip(SdkConfig::settings()) {
            assert_eq!(key, setting.name());
            let mut config = SdkConfig::default();
            assert_eq!(config.get(key).unwrap(), setting.default(), "{key}");
            assert_ne!(value, setting.default(), "{key}");
            config.set(key, &format!(" {value} ")).unwrap();
            assert_eq!(config.get(key).unwrap(), value);
            // A certificate alone is refused.
            assert_eq!(config.validate().is_ok(), !key.starts_with("tls.client"));
            assert_ne!(config, SdkConfig::default(), "{key}");
            if !setting.default().is_empty() {
                config.set(key, &setting.default()).unwrap();
                assert_eq!(config, SdkConfig::default(), "{key}");
            }
            assert!(setting.description().ends_with('.'), "{key}");
        }
        assert_eq!(SdkConfig::default().get("pool.min"), None);
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_name_the_value_and_what_is_allowed() {
        for ((key, _, wrong), setting) in VALUES.into_iter().zip(SdkConfig::settings()) {
            for value in wrong {
                let mut config = SdkConfig::default();
                let error = config.set_as(key, value, "WRITTEN").unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Config);
                let text = error.to_string();
                let named = text.starts_with("Config: WRITTEN: ");
                let allowed = text.contains(&setting.range());
                let repeated = value
                    .split(',')
                    .any(|part| text.contains(&format!("{part:?}")));
                let may_be = setting.kind() != SettingKind::Secret;
                assert!(named && allowed, "{key} {value}: {text}");
                assert_eq!(repeated, may_be, "{key} {value}: {text}");
                assert_eq!(config, SdkConfig::default());
            }
        }
    }

    #[test]
    fn there_are_at_most_eight_more_gateways() {
        let many = |count: usize| vec!["https://b"; count].join(", ");
        let mut config = SdkConfig::default();
        config.set("fallback_addrs", &many(8)).unwrap();
        assert_eq!(config.fallback_addrs.len(), 8);
        assert!(config.set("fallback_addrs", &many(9)).is_err());
        config.set("fallback_addrs", "").unwrap();
        assert!(config.fallback_addrs.is_empty());
        config.fallback_addrs = vec!["https://b".to_owned(); 9];
        let error = config.validate().unwrap_err().to_string();
        assert!(
            error.contains("fallback_addrs: 9 addresses are not at most 8"),
            "{error}"
        );
        config.fallback_addrs = vec!["https://b".to_owned(), "b".to_owned()];
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(r#"fallback_addrs: "b" "#), "{error}");
    }

    #[test]
    fn a_password_of_a_proxy_is_not_repeated() {
        for proxy in [
            "http://user:canary@proxy",
            "canary",
            "socks5://user:canary@:1",
        ] {
            let error = SdkConfig::default().set("proxy", proxy).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(!told.contains("canary"), "{told}");
            assert!(
                told.contains("proxy: the value, not shown here, is not"),
                "{told}"
            );
        }
        let mut config = SdkConfig::default();
        config.set("proxy", "http://user:canary@proxy:1").unwrap();
        let told = format!("{config:?} {:?}", config.get("proxy"));
        assert!(!told.contains("canary"), "{told}");
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        for key in ["gateway_addr", "fallback_addrs"] {
            for address in ["https://user:canary@a", "http://user:canary@a"] {
                let error = SdkConfig::default().set(key, address).unwrap_err();
                assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
            }
        }
    }
}
