//! The settings that the environment gives.

use super::SdkConfig;
use crate::error::{ErrorKind, SdkError};
use std::str::FromStr;
use std::time::Duration;

impl SdkConfig {
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

    /// [`SdkConfig::from_env`] with another source of variables.
    pub(crate) fn from_variables(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SdkError> {
        let mut config = Self::default();
        let variables = Variables(lookup);
        variables.text("RON_SDK_GATEWAY_ADDR", |v| config.gateway_addr = v);
        variables.millis("RON_SDK_OVERALL_TIMEOUT_MS", &mut config.overall_timeout)?;
        variables.millis("RON_SDK_TIMEOUTS_CONNECT_MS", &mut config.timeouts.connect)?;
        variables.millis("RON_SDK_TIMEOUTS_READ_MS", &mut config.timeouts.read)?;
        variables.millis("RON_SDK_TIMEOUTS_WRITE_MS", &mut config.timeouts.write)?;
        variables.text("RON_SDK_TLS_CA", |v| config.tls.ca = Some(v.into()));
        if let Some(pin) =
            variables.parsed("RON_SDK_TLS_PIN", "sha256: and 64 hexadecimal digits")?
        {
            config.tls.pin = Some(pin);
        }
        variables.number("RON_SDK_POOL_MAX", &mut config.pool.max)?;
        variables.millis("RON_SDK_BACKOFF_BASE_MS", &mut config.backoff.base)?;
        variables.number("RON_SDK_BACKOFF_FACTOR", &mut config.backoff.factor)?;
        variables.millis("RON_SDK_BACKOFF_CAP_MS", &mut config.backoff.cap)?;
        variables.number(
            "RON_SDK_BACKOFF_MAX_ATTEMPTS",
            &mut config.backoff.max_attempts,
        )?;
        variables.flag(
            "RON_SDK_IDEMPOTENCY_ENABLED",
            &mut config.idempotency.enabled,
        )?;
        variables.flag("RON_SDK_CACHE_ENABLED", &mut config.cache.enabled)?;
        variables.number("RON_SDK_CACHE_MAX_ENTRIES", &mut config.cache.max_entries)?;
        variables.number("RON_SDK_CACHE_MAX_BYTES", &mut config.cache.max_bytes)?;
        variables.millis("RON_SDK_CACHE_TTL_MS", &mut config.cache.ttl)?;
        variables.flag("RON_SDK_CACHE_VERIFY_PUTS", &mut config.cache.verify_puts)?;
        config.validate()?;
        Ok(config)
    }
}

/// Environment variables; one that is set to nothing counts as unset.
struct Variables<F>(F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str, set: impl FnOnce(String)) {
        if let Some(value) = self.get(name) {
            set(value);
        }
    }

    fn parsed<T: FromStr>(&self, name: &str, rule: &str) -> Result<Option<T>, SdkError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let parsed = value.trim().parse().map_err(|_| {
            SdkError::invalid(
                ErrorKind::Config,
                name,
                format_args!("{value:?} is not {rule}"),
            )
        })?;
        Ok(Some(parsed))
    }

    fn number<T: FromStr>(&self, name: &str, number: &mut T) -> Result<(), SdkError> {
        self.value(name, "a number", number)
    }

    fn flag(&self, name: &str, flag: &mut bool) -> Result<(), SdkError> {
        self.value(name, "true or false", flag)
    }

    fn value<T: FromStr>(&self, name: &str, rule: &str, value: &mut T) -> Result<(), SdkError> {
        if let Some(parsed) = self.parsed(name, rule)? {
            *value = parsed;
        }
        Ok(())
    }

    fn millis(&self, name: &str, duration: &mut Duration) -> Result<(), SdkError> {
        if let Some(millis) = self.parsed(name, "a whole number of milliseconds")? {
            *duration = Duration::from_millis(millis);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{
        BackoffConfig, CacheConfig, IdempotencyConfig, PoolConfig, SpkiPin, Timeouts, TlsConfig,
        Transport,
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
    fn every_variable_sets_its_field() {
        let pin = format!("sha256:{}", "ab".repeat(32));
        let config = from(&[
            ("RON_SDK_GATEWAY_ADDR", "https://gateway.example"),
            ("RON_SDK_OVERALL_TIMEOUT_MS", "1000"),
            ("RON_SDK_TIMEOUTS_CONNECT_MS", "100"),
            ("RON_SDK_TIMEOUTS_READ_MS", "200"),
            ("RON_SDK_TIMEOUTS_WRITE_MS", "300"),
            ("RON_SDK_TLS_PIN", &pin),
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
    fn a_pin_excludes_an_authority() {
        let pin = format!("sha256:{}", "ab".repeat(32));
        let error = from(&[("RON_SDK_TLS_CA", "ca.pem"), ("RON_SDK_TLS_PIN", &pin)]).unwrap_err();
        assert!(error.to_string().contains("tls.pin"));
    }
}
