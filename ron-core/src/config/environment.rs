//! Where settings come from when code does not say: the environment, before a file, before the defaults.

use super::keys::KEYS;
use super::SdkConfig;
use crate::error::SdkError;
use std::path::Path;
use zeroize::Zeroizing;

/// Names a file of settings.
const FILE_VARIABLE: &str = "RON_SDK_CONFIG";

impl SdkConfig {
    /// The defaults, with what the environment sets (`RON_SDK_GATEWAY_ADDR`, `RON_SDK_OVERALL_TIMEOUT_MS`, …; each
    /// field names its variable). Where `RON_SDK_CONFIG` names a file, what that sets counts where no variable does;
    /// see [`SdkConfig::from_file`].
    ///
    /// # Errors
    /// `Config`, naming the variable or the place in the file, the value and what is allowed, where a value cannot be
    /// read or is out of range; and where the file cannot be read.
    pub fn from_env() -> Result<Self, SdkError> {
        Self::load(None)
    }

    /// What the environment sets, before what a file sets, before the defaults. Without a path, the file is the one
    /// that `RON_SDK_CONFIG` names, if it is set.
    ///
    /// # Errors
    /// As of [`SdkConfig::from_env`].
    pub fn load(path: Option<&Path>) -> Result<Self, SdkError> {
        Self::from_variables(path, |name| {
            std::env::var_os(name).map(|v| v.to_string_lossy().into_owned())
        })
    }

    /// [`SdkConfig::load`] with another source of variables than the process's environment, such as that of a
    /// language with an environment of its own. One that is set to nothing counts as unset.
    ///
    /// # Errors
    /// As of [`SdkConfig::from_env`].
    pub fn from_variables(
        path: Option<&Path>,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SdkError> {
        // It may hold a password.
        let lookup = |name: &str| {
            let value = lookup(name).filter(|value| !value.is_empty());
            value.map(Zeroizing::new)
        };
        let mut config = Self::default();
        if let Some(path) = path {
            config.read_file(path, None)?;
        } else if let Some(path) = lookup(FILE_VARIABLE) {
            config.read_file(path.as_str().as_ref(), Some(FILE_VARIABLE))?;
        }
        for key in &KEYS {
            let variable = Self::variable(key.name);
            if let Some(value) = lookup(&variable) {
                key.set(&mut config, &value, &variable)?;
            }
        }
        config.validate()?;
        Ok(config)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{
        BackoffConfig, CacheConfig, IdempotencyConfig, PoolConfig, SpkiPin, Timeouts, TlsConfig,
        TorConfig, TracingConfig, Transport,
    };
    use crate::error::ErrorKind;
    use std::time::Duration;

    fn from(variables: &[(&str, &str)]) -> Result<SdkConfig, SdkError> {
        SdkConfig::from_variables(None, |name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_default_is_valid() {
        SdkConfig::default().validate().unwrap();
        assert_eq!(from(&[]).unwrap(), SdkConfig::default());
        assert_eq!(
            from(&[("RON_SDK_POOL_MAX", ""), ("RON_SDK_CONFIG", "")]).unwrap(),
            SdkConfig::default()
        );
    }

    #[test]
    fn every_variable_sets_its_field() {
        let pin = format!("sha256:{}", "ab".repeat(32));
        let config = from(&[
            ("RON_SDK_GATEWAY_ADDR", "https://gateway.example"),
            ("RON_SDK_FALLBACK_ADDRS", "https://b, https://c:1"),
            ("RON_SDK_OVERALL_TIMEOUT_MS", "1000"),
            ("RON_SDK_TIMEOUTS_CONNECT_MS", "100"),
            ("RON_SDK_TIMEOUTS_READ_MS", "200"),
            ("RON_SDK_TIMEOUTS_WRITE_MS", "300"),
            ("RON_SDK_TRANSPORT", "tls"),
            ("RON_SDK_TLS_PIN", &pin),
            ("RON_SDK_TLS_CLIENT_CERT", "/etc/client.pem"),
            ("RON_SDK_TLS_CLIENT_KEY", "/etc/client.key"),
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
            ("RON_SDK_TRACING_ENABLED", "false"),
        ])
        .unwrap();
        assert_eq!(
            config,
            SdkConfig {
                transport: Transport::Tls,
                gateway_addr: "https://gateway.example".into(),
                fallback_addrs: vec!["https://b".into(), "https://c:1".into()],
                overall_timeout: Duration::from_secs(1),
                timeouts: Timeouts {
                    connect: Duration::from_millis(100),
                    read: Duration::from_millis(200),
                    write: Duration::from_millis(300),
                },
                tls: TlsConfig {
                    ca: None,
                    pin: Some(SpkiPin([0xab; 32])),
                    client_cert: Some("/etc/client.pem".into()),
                    client_key: Some("/etc/client.key".into()),
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
                tracing: TracingConfig { enabled: false },
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
    fn a_wrong_variable_is_refused_by_its_own_name() {
        for (name, value, expected) in [
            (
                "RON_SDK_OVERALL_TIMEOUT_MS",
                "soon",
                r#"RON_SDK_OVERALL_TIMEOUT_MS: "soon" is not a whole number of milliseconds from 50 to 3600000"#,
            ),
            (
                "RON_SDK_TIMEOUTS_CONNECT_MS",
                "9",
                r#"RON_SDK_TIMEOUTS_CONNECT_MS: "9" is not a whole number of milliseconds from 10 to 600000"#,
            ),
            (
                "RON_SDK_POOL_MAX",
                "17",
                r#"RON_SDK_POOL_MAX: "17" is not a whole number from 1 to 16"#,
            ),
            (
                "RON_SDK_TRANSPORT",
                "tcp",
                r#"RON_SDK_TRANSPORT: "tcp" is not tls or tor"#,
            ),
            (
                "RON_SDK_TOR_SOCKS_ADDR",
                "192.0.2.1:9050",
                r#"RON_SDK_TOR_SOCKS_ADDR: "192.0.2.1:9050" is not an IP address and a port of this machine"#,
            ),
            (
                "RON_SDK_PROXY",
                "ftp://proxy.example:21",
                "RON_SDK_PROXY: the value, not shown here, is not a text that begins with http://",
            ),
            (
                "RON_SDK_BACKOFF_BASE_MS",
                "10001",
                "backoff.base: 10.001s is not from 1ms to backoff.cap, which is 10s",
            ),
        ] {
            let error = from(&[(name, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let text = error.to_string();
            assert!(text.contains(expected), "{text}");
        }
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
    fn a_field_out_of_its_range_is_refused_by_its_name_in_code() {
        let mut config = SdkConfig::default();
        config.timeouts.connect = Duration::from_millis(9);
        let text = config.validate().unwrap_err().to_string();
        assert!(
            text.contains("timeouts.connect: 9ms is not from 10ms to 600s"),
            "{text}"
        );
        let mut config = SdkConfig::default();
        config.backoff.factor = f32::NAN;
        let text = config.validate().unwrap_err().to_string();
        assert!(
            text.contains("backoff.factor: NaN is not from 1 to 10"),
            "{text}"
        );
    }

    #[test]
    fn a_pin_excludes_an_authority() {
        let pin = format!("sha256:{}", "ab".repeat(32));
        let error = from(&[("RON_SDK_TLS_CA", "ca.pem"), ("RON_SDK_TLS_PIN", &pin)]).unwrap_err();
        assert!(error.to_string().contains("tls.pin"));
    }

    #[test]
    fn a_variable_goes_before_the_file_and_the_file_before_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ron.toml");
        std::fs::write(&path, "[pool]\nmax = 2\n[timeouts]\nread_ms = 400\n").unwrap();
        let named = path.to_str().unwrap();
        let both = [("RON_SDK_CONFIG", named), ("RON_SDK_POOL_MAX", "3")];
        let config = from(&both).unwrap();
        assert_eq!(config.pool.max, 3);
        assert_eq!(config.timeouts.read, Duration::from_millis(400));
        assert_eq!(config.timeouts.write, SdkConfig::default().timeouts.write);
        let other = folder.path().join("other.toml");
        std::fs::write(&other, "").unwrap();
        let config = SdkConfig::from_variables(Some(&other), |name| {
            (name == "RON_SDK_CONFIG").then(|| named.to_owned())
        });
        assert_eq!(config.unwrap(), SdkConfig::default());
        let error = from(&[("RON_SDK_CONFIG", "/no/such.toml")]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("RON_SDK_CONFIG: /no/such.toml cannot be read"),
            "{text}"
        );
    }
}
