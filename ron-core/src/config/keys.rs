//! The settings by their names, as the environment and other languages give them.

use super::{ProxyAddrError, SdkConfig, Transport};
use crate::error::{ErrorKind, SdkError};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;
use zeroize::Zeroizing;

/// A setting: its name, and what a text sets.
struct Key {
    name: &'static str,
    set: fn(&mut SdkConfig, &str) -> Result<(), &'static str>,
}

/// The transport comes first: it decides about defaults, which whatever is set afterwards replaces.
const KEYS: [Key; 21] = [
    Key {
        name: "transport",
        set: |config, text| {
            let transport = match text.trim() {
                "tls" => Transport::Tls,
                "tor" => Transport::Tor,
                _ => return Err("tls or tor"),
            };
            config.change_transport(transport);
            Ok(())
        },
    },
    Key {
        name: "gateway_addr",
        set: |config, text| {
            config.gateway_addr = text.to_owned();
            Ok(())
        },
    },
    Key {
        name: "overall_timeout_ms",
        set: |config, text| millis(text, &mut config.overall_timeout),
    },
    Key {
        name: "timeouts.connect_ms",
        set: |config, text| millis(text, &mut config.timeouts.connect),
    },
    Key {
        name: "timeouts.read_ms",
        set: |config, text| millis(text, &mut config.timeouts.read),
    },
    Key {
        name: "timeouts.write_ms",
        set: |config, text| millis(text, &mut config.timeouts.write),
    },
    Key {
        name: "tls.ca",
        set: |config, text| {
            config.tls.ca = Some(text.into());
            Ok(())
        },
    },
    Key {
        name: "tls.pin",
        set: |config, text| {
            const RULE: &str = "sha256: and 64 hexadecimal digits";
            config.tls.pin = Some(text.trim().parse().map_err(|_| RULE)?);
            Ok(())
        },
    },
    Key {
        name: "proxy",
        set: |config, text| {
            config.proxy = Some(text.parse().map_err(ProxyAddrError::rule)?);
            Ok(())
        },
    },
    Key {
        name: "tor.socks_addr",
        set: |config, text| {
            let rule = "an IP address and a port, such as 127.0.0.1:9050";
            parse(text, rule, &mut config.tor.socks_addr)
        },
    },
    Key {
        name: "pool.max",
        set: |config, text| number(text, &mut config.pool.max),
    },
    Key {
        name: "backoff.base_ms",
        set: |config, text| millis(text, &mut config.backoff.base),
    },
    Key {
        name: "backoff.factor",
        set: |config, text| number(text, &mut config.backoff.factor),
    },
    Key {
        name: "backoff.cap_ms",
        set: |config, text| millis(text, &mut config.backoff.cap),
    },
    Key {
        name: "backoff.max_attempts",
        set: |config, text| number(text, &mut config.backoff.max_attempts),
    },
    Key {
        name: "idempotency.enabled",
        set: |config, text| flag(text, &mut config.idempotency.enabled),
    },
    Key {
        name: "cache.enabled",
        set: |config, text| flag(text, &mut config.cache.enabled),
    },
    Key {
        name: "cache.max_entries",
        set: |config, text| number(text, &mut config.cache.max_entries),
    },
    Key {
        name: "cache.max_bytes",
        set: |config, text| number(text, &mut config.cache.max_bytes),
    },
    Key {
        name: "cache.ttl_ms",
        set: |config, text| millis(text, &mut config.cache.ttl),
    },
    Key {
        name: "cache.verify_puts",
        set: |config, text| flag(text, &mut config.cache.verify_puts),
    },
];

impl SdkConfig {
    /// The names of all settings, the same in every language. That of a duration ends with its unit.
    pub fn keys() -> impl ExactSizeIterator<Item = &'static str> {
        KEYS.iter().map(|key| key.name)
    }

    /// The variable of a setting: `RON_SDK_TIMEOUTS_CONNECT_MS` of `timeouts.connect_ms`.
    pub fn variable(key: &str) -> String {
        format!("RON_SDK_{}", key.to_uppercase().replace('.', "_"))
    }

    /// Sets one setting by its name from a text. Its range is checked by [`SdkConfig::validate`].
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
    /// # Ok::<(), ron_app_sdk::SdkError>(())
    /// ```
    ///
    /// # Errors
    /// `Config` where there is no such setting, and where it cannot have such a value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SdkError> {
        let Some(found) = KEYS.iter().find(|known| known.name == key) else {
            let known: Vec<&str> = Self::keys().collect();
            let known = known.join(", ");
            return Err(invalid(
                key,
                format_args!("no such setting; there are {known}"),
            ));
        };
        (found.set)(self, value).map_err(|rule| unusable(found.name, key, value, rule))
    }

    /// The defaults, with what the environment sets (`RON_SDK_GATEWAY_ADDR`,
    /// `RON_SDK_OVERALL_TIMEOUT_MS`, …; each field names its variable).
    ///
    /// # Errors
    /// `Config`, naming the variable and its rule, where a value cannot be read or is out of range.
    pub fn from_env() -> Result<Self, SdkError> {
        Self::from_variables(|name| {
            std::env::var_os(name).map(|v| v.to_string_lossy().into_owned())
        })
    }

    /// [`SdkConfig::from_env`] with another source of variables. One that is set to nothing counts as unset.
    pub(crate) fn from_variables(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SdkError> {
        let mut config = Self::default();
        for key in &KEYS {
            let variable = Self::variable(key.name);
            // It may hold a password.
            let value = lookup(&variable).map(Zeroizing::new);
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                (key.set)(&mut config, &value)
                    .map_err(|rule| unusable(key.name, &variable, &value, rule))?;
            }
        }
        config.validate()?;
        Ok(config)
    }
}

/// Says which rule a value breaks, and repeats the value unless it may hold a password.
fn unusable(name: &str, shown: &str, value: &str, rule: &str) -> SdkError {
    match name {
        "proxy" => invalid(
            shown,
            format_args!("the value, not shown here, is not {rule}"),
        ),
        _ => invalid(shown, format_args!("{value:?} is not {rule}")),
    }
}

fn invalid(key: &str, rule: impl Display) -> SdkError {
    SdkError::invalid(ErrorKind::Config, key, rule)
}

fn parse<T: FromStr>(text: &str, rule: &'static str, value: &mut T) -> Result<(), &'static str> {
    *value = text.trim().parse().map_err(|_| rule)?;
    Ok(())
}

fn number<T: FromStr>(text: &str, number: &mut T) -> Result<(), &'static str> {
    parse(text, "a number", number)
}

fn flag(text: &str, flag: &mut bool) -> Result<(), &'static str> {
    parse(text, "true or false", flag)
}

fn millis(text: &str, duration: &mut Duration) -> Result<(), &'static str> {
    let mut millis = 0;
    parse(text, "a whole number of milliseconds", &mut millis)?;
    *duration = Duration::from_millis(millis);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{
        BackoffConfig, CacheConfig, IdempotencyConfig, PoolConfig, SpkiPin, Timeouts, TlsConfig,
        TorConfig,
    };
    use std::time::Duration;

    fn from(variables: &[(&str, &str)]) -> Result<SdkConfig, SdkError> {
        SdkConfig::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_default_is_valid() {
        SdkConfig::default().validate().unwrap();
        assert_eq!(from(&[]).unwrap(), SdkConfig::default());
        assert_eq!(
            from(&[("RON_SDK_POOL_MAX", "")]).unwrap(),
            SdkConfig::default()
        );
    }

    #[test]
    fn a_setting_that_there_is_not_is_refused_with_those_that_there_are() {
        let error = SdkConfig::default().set("pool.min", "1").unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(text.contains("pool.min: no such setting"), "{text}");
        for key in SdkConfig::keys() {
            assert!(text.contains(key), "{key}: {text}");
        }
        let error = SdkConfig::default().set("pool.max", "many").unwrap_err();
        assert!(
            error
                .to_string()
                .contains(r#"pool.max: "many" is not a number"#),
            "{error}"
        );
    }

    #[test]
    fn every_variable_sets_its_field() {
        let pin = format!("sha256:{}", "ab".repeat(32));
        let config = from(&[
            ("RON_SDK_GATEWAY_ADDR", "https://gateway.example"),
            ("RON_SDK_OVERALL_TIMEOUT_MS", "1000"),
            ("RON_SDK_TIMEOUTS_CONNECT_MS", "100"),
            ("RON_SDK_TIMEOUTS_READ_MS", "200"),
            ("RON_SDK_TIMEOUTS_WRITE_MS", "300"),
            ("RON_SDK_TRANSPORT", "tls"),
            ("RON_SDK_TLS_PIN", &pin),
            (
                "RON_SDK_PROXY",
                "socks5h://user:password@proxy.example:1080",
            ),
            ("RON_SDK_TOR_SOCKS_ADDR", "[::1]:9150"),
            ("RON_SDK_POOL_MAX", "2"),
            ("RON_SDK_BACKOFF_BASE_MS", "20"),
            ("RON_SDK_BACKOFF_FACTOR", "1.5"),
            ("RON_SDK_BACKOFF_CAP_MS", "700"),
            ("RON_SDK_BACKOFF_MAX_ATTEMPTS", "3"),
            ("RON_SDK_IDEMPOTENCY_ENABLED", "false"),
            ("RON_SDK_CACHE_ENABLED", "true"),
            ("RON_SDK_CACHE_MAX_ENTRIES", "7"),
            ("RON_SDK_CACHE_MAX_BYTES", "1024"),
            ("RON_SDK_CACHE_TTL_MS", "5000"),
            ("RON_SDK_CACHE_VERIFY_PUTS", "false"),
        ])
        .unwrap();
        assert_eq!(
            config,
            SdkConfig {
                transport: Transport::Tls,
                gateway_addr: "https://gateway.example".into(),
                overall_timeout: Duration::from_secs(1),
                timeouts: Timeouts {
                    connect: Duration::from_millis(100),
                    read: Duration::from_millis(200),
                    write: Duration::from_millis(300),
                },
                tls: TlsConfig {
                    ca: None,
                    pin: Some(SpkiPin([0xab; 32])),
                },
                proxy: Some(
                    "socks5h://user:password@proxy.example:1080"
                        .parse()
                        .unwrap()
                ),
                tor: TorConfig {
                    socks_addr: "[::1]:9150".parse().unwrap(),
                },
                pool: PoolConfig { max: 2 },
                backoff: BackoffConfig {
                    base: Duration::from_millis(20),
                    factor: 1.5,
                    cap: Duration::from_millis(700),
                    max_attempts: 3,
                },
                idempotency: IdempotencyConfig { enabled: false },
                cache: CacheConfig {
                    enabled: true,
                    max_entries: 7,
                    max_bytes: 1024,
                    ttl: Duration::from_secs(5),
                    verify_puts: false,
                },
            }
        );
        assert_eq!(config.tls.pin.unwrap().to_string(), pin);
        let config = from(&[("RON_SDK_TLS_CA", "/etc/ca.pem")]).unwrap();
        assert_eq!(config.tls.ca, Some("/etc/ca.pem".into()));
    }

    #[test]
    fn a_bad_value_is_refused_with_its_name_value_and_range() {
        for (name, value, expected) in [
            (
                "RON_SDK_OVERALL_TIMEOUT_MS",
                "soon",
                "\"soon\" is not a whole number",
            ),
            (
                "RON_SDK_OVERALL_TIMEOUT_MS",
                "49",
                "overall_timeout: 49ms is not from 50ms to 3600s",
            ),
            (
                "RON_SDK_OVERALL_TIMEOUT_MS",
                "3600001",
                "overall_timeout: 3600.001s",
            ),
            ("RON_SDK_TIMEOUTS_CONNECT_MS", "9", "timeouts.connect: 9ms"),
            (
                "RON_SDK_TIMEOUTS_READ_MS",
                "600001",
                "timeouts.read: 600.001s",
            ),
            ("RON_SDK_TIMEOUTS_WRITE_MS", "0", "timeouts.write: 0ns"),
            ("RON_SDK_POOL_MAX", "0", "pool.max: 0 is not from 1 to 16"),
            ("RON_SDK_POOL_MAX", "17", "pool.max: 17"),
            (
                "RON_SDK_BACKOFF_BASE_MS",
                "10001",
                "backoff.base: 10.001s is not from 1ms to 10s",
            ),
            ("RON_SDK_BACKOFF_CAP_MS", "0", "backoff.cap: 0ns"),
            (
                "RON_SDK_BACKOFF_FACTOR",
                "NaN",
                "backoff.factor: NaN is not from 1 to 10",
            ),
            (
                "RON_SDK_BACKOFF_MAX_ATTEMPTS",
                "6",
                "backoff.max_attempts: 6 is not from 1 to 5",
            ),
            ("RON_SDK_CACHE_MAX_ENTRIES", "0", "cache.max_entries: 0"),
            ("RON_SDK_CACHE_MAX_BYTES", "1023", "cache.max_bytes: 1023"),
            ("RON_SDK_CACHE_TTL_MS", "3600001", "cache.ttl: 3600.001s"),
            (
                "RON_SDK_TLS_PIN",
                "sha256:12",
                "\"sha256:12\" is not sha256: and 64 hexadecimal digits",
            ),
            ("RON_SDK_TRANSPORT", "tcp", "\"tcp\" is not tls or tor"),
            (
                "RON_SDK_TOR_SOCKS_ADDR",
                "localhost:9050",
                "\"localhost:9050\" is not an IP address and a port",
            ),
            (
                "RON_SDK_TOR_SOCKS_ADDR",
                "192.0.2.1:9050",
                "tor.socks_addr: 192.0.2.1:9050 is not a port of a loopback address",
            ),
            (
                "RON_SDK_TOR_SOCKS_ADDR",
                "127.0.0.1:0",
                "tor.socks_addr: 127.0.0.1:0 is not",
            ),
            (
                "RON_SDK_PROXY",
                "ftp://proxy.example:21",
                "RON_SDK_PROXY: the value, not shown here, is not a text that begins with http://",
            ),
            (
                "RON_SDK_IDEMPOTENCY_ENABLED",
                "yes",
                "\"yes\" is not true or false",
            ),
            (
                "RON_SDK_GATEWAY_ADDR",
                "http://a",
                "gateway_addr: \"http://a\" does not start",
            ),
        ] {
            let error = from(&[(name, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let text = error.to_string();
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_password_in_the_address_is_not_repeated() {
        for address in ["https://user:canary@a", "http://user:canary@a"] {
            let error = from(&[("RON_SDK_GATEWAY_ADDR", address)]).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_password_of_a_proxy_is_not_repeated() {
        for proxy in [
            "http://user:canary@proxy",
            "canary",
            "socks5://user:canary@:1",
        ] {
            let error = from(&[("RON_SDK_PROXY", proxy)]).unwrap_err();
            let again = SdkConfig::default().set("proxy", proxy).unwrap_err();
            for told in [format!("{error} {error:?}"), format!("{again} {again:?}")] {
                assert!(!told.contains("canary"), "{told}");
            }
        }
        let config = from(&[("RON_SDK_PROXY", "http://user:canary@proxy:1")]).unwrap();
        assert!(!format!("{config:?}").contains("canary"), "{config:?}");
    }

    #[test]
    fn with_tor_the_limits_are_longer_unless_they_are_set() {
        let limits = |config: &SdkConfig| {
            let (overall, connect) = (config.overall_timeout, config.timeouts.connect);
            (overall.as_secs(), connect.as_secs())
        };
        let tor = ("RON_SDK_TRANSPORT", "tor");
        assert_eq!(from(&[tor]).unwrap(), SdkConfig::over_tor());
        assert_eq!(limits(&SdkConfig::over_tor()), (30, 20));
        let overall = ("RON_SDK_OVERALL_TIMEOUT_MS", "5000");
        assert_eq!(limits(&from(&[overall, tor]).unwrap()), (5, 20));
        let connect = ("RON_SDK_TIMEOUTS_CONNECT_MS", "2000");
        assert_eq!(limits(&from(&[tor, connect]).unwrap()), (30, 2));
        let mut config = SdkConfig::over_tor();
        config.set("transport", "tls").unwrap();
        assert_eq!(config, SdkConfig::default());
    }

    #[test]
    fn tor_excludes_another_proxy() {
        let error = from(&[
            ("RON_SDK_TRANSPORT", "tor"),
            ("RON_SDK_PROXY", "http://a:1"),
        ]);
        assert!(error.unwrap_err().to_string().contains("proxy: Tor is"));
    }

    #[test]
    fn a_pin_excludes_an_authority() {
        let pin = format!("sha256:{}", "ab".repeat(32));
        let error = from(&[("RON_SDK_TLS_CA", "ca.pem"), ("RON_SDK_TLS_PIN", &pin)]).unwrap_err();
        assert!(error.to_string().contains("tls.pin"));
    }
}
