//! `SdkConfig`: every setting, its default, its environment variable and its range.

use crate::error::{ErrorKind, SdkError};
use crate::transport::endpoint::Endpoint;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The settings of a client. `SdkConfig::default()` is valid.
///
/// ```
/// use ron_app_sdk::SdkConfig;
/// use std::time::Duration;
///
/// let config = SdkConfig {
///     gateway_addr: "https://gateway.example:8443".into(),
///     overall_timeout: Duration::from_secs(2),
///     ..SdkConfig::default()
/// };
/// config.validate()?;
/// # Ok::<(), ron_app_sdk::SdkError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SdkConfig {
    /// How the gateway is reached. Default: TLS.
    pub transport: Transport,
    /// The gateway: `https://` and a host, with a port where it is not 443.
    /// `RON_SDK_GATEWAY_ADDR`. Default: `https://127.0.0.1:8443`.
    pub gateway_addr: String,
    /// The limit of a call that sets none of its own, 50 ms to 1 h.
    /// `RON_SDK_OVERALL_TIMEOUT_MS`. Default: 5 s.
    pub overall_timeout: Duration,
    /// Limits within a call.
    pub timeouts: Timeouts,
    /// Whom to trust.
    pub tls: TlsConfig,
    /// Connections.
    pub pool: PoolConfig,
    /// Waits between attempts, and how many there are.
    pub backoff: BackoffConfig,
    /// Keys of mutations.
    pub idempotency: IdempotencyConfig,
    /// What is kept and checked locally.
    pub cache: CacheConfig,
}

/// How the gateway is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// TCP with TLS 1.3.
    #[default]
    Tls,
}

/// Limits within a call, each 10 ms to 10 min; the call's own limit bounds them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For TCP, TLS and HELLO together. `RON_SDK_TIMEOUTS_CONNECT_MS`. Default: 2 s.
    pub connect: Duration,
    /// Without one byte of an answer that has begun. `RON_SDK_TIMEOUTS_READ_MS`. Default: 5 s.
    pub read: Duration,
    /// Without one byte of a request that has begun being accepted.
    /// `RON_SDK_TIMEOUTS_WRITE_MS`. Default: 5 s.
    pub write: Duration,
}

/// Whom to trust. With neither set: the system's roots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// A PEM file of authorities that are trusted in addition to the system's. `RON_SDK_TLS_CA`.
    pub ca: Option<PathBuf>,
    /// The gateway's public key. It replaces every root: the certificate's name, dates and issuer no
    /// longer count, only that the peer holds this key. `RON_SDK_TLS_PIN`.
    pub pin: Option<SpkiPin>,
}

/// The SHA-256 of a certificate's public key (its DER `SubjectPublicKeyInfo`), written `sha256:` and 64
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpkiPin(pub [u8; 32]);

/// Connections to the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// At most this many, 1 to 16; one is opened first, another when three quarters of the open ones'
    /// calls are in use. `RON_SDK_POOL_MAX`. Default: 4.
    pub max: usize,
}

/// Waits between attempts: after the attempt with number `n`, from 1, a random time from zero to
/// `min(cap, base · factor^(n−1))`, or longer where the gateway asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct BackoffConfig {
    /// The longest wait after the first attempt, 1 ms to `cap`. `RON_SDK_BACKOFF_BASE_MS`.
    /// Default: 100 ms.
    pub base: Duration,
    /// How much longer the longest wait is after each attempt, 1 to 10. `RON_SDK_BACKOFF_FACTOR`.
    /// Default: 2.
    pub factor: f32,
    /// The longest wait, 1 ms to 10 min. `RON_SDK_BACKOFF_CAP_MS`. Default: 10 s.
    pub cap: Duration,
    /// Attempts of one call, the first one included, 1 to 5. `RON_SDK_BACKOFF_MAX_ATTEMPTS`. Default: 5.
    pub max_attempts: u32,
}

/// Keys of mutations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyConfig {
    /// Whether a mutation without a key gets a fresh one, so that it can be repeated safely.
    /// `RON_SDK_IDEMPOTENCY_ENABLED`. Default: true.
    pub enabled: bool,
}

/// What is kept and checked locally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Whether a put is hashed locally and compared with the gateway's receipt.
    /// `RON_SDK_CACHE_VERIFY_PUTS`. Default: true.
    pub verify_puts: bool,
}

impl Default for SdkConfig {
    fn default() -> Self {
        Self {
            transport: Transport::default(),
            gateway_addr: "https://127.0.0.1:8443".to_owned(),
            overall_timeout: Duration::from_secs(5),
            timeouts: Timeouts::default(),
            tls: TlsConfig::default(),
            pool: PoolConfig { max: 4 },
            backoff: BackoffConfig::default(),
            idempotency: IdempotencyConfig { enabled: true },
            cache: CacheConfig { verify_puts: true },
        }
    }
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(100),
            factor: 2.0,
            cap: Duration::from_secs(10),
            max_attempts: 5,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            read: Duration::from_secs(5),
            write: Duration::from_secs(5),
        }
    }
}

/// The range of a call's limit, in code and in `overall_timeout`.
pub(crate) const CALL_LIMIT: (Duration, Duration) =
    (Duration::from_millis(1), Duration::from_secs(3600));
const OVERALL_TIMEOUT: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_secs(3600));
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(600));
const POOL_MAX: (usize, usize) = (1, 16);
const BACKOFF: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(600));
const BACKOFF_FACTOR: (f32, f32) = (1.0, 10.0);
const MAX_ATTEMPTS: (u32, u32) = (1, 5);

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
        if let Some(on) = variables.parsed("RON_SDK_IDEMPOTENCY_ENABLED", "true or false")? {
            config.idempotency.enabled = on;
        }
        if let Some(on) = variables.parsed("RON_SDK_CACHE_VERIFY_PUTS", "true or false")? {
            config.cache.verify_puts = on;
        }
        config.validate()?;
        Ok(config)
    }

    /// Checks every setting, without I/O.
    ///
    /// # Errors
    /// `Config` with the setting's name, its value and the allowed range.
    pub fn validate(&self) -> Result<(), SdkError> {
        self.endpoint()?;
        check_duration("overall_timeout", self.overall_timeout, OVERALL_TIMEOUT)?;
        check_duration("timeouts.connect", self.timeouts.connect, TIMEOUT)?;
        check_duration("timeouts.read", self.timeouts.read, TIMEOUT)?;
        check_duration("timeouts.write", self.timeouts.write, TIMEOUT)?;
        check_number("pool.max", self.pool.max, POOL_MAX)?;
        check_duration("backoff.cap", self.backoff.cap, BACKOFF)?;
        check_duration(
            "backoff.base",
            self.backoff.base,
            (BACKOFF.0, self.backoff.cap),
        )?;
        check_number("backoff.factor", self.backoff.factor, BACKOFF_FACTOR)?;
        check_number(
            "backoff.max_attempts",
            self.backoff.max_attempts,
            MAX_ATTEMPTS,
        )?;
        if let (Some(_), Some(_)) = (&self.tls.ca, &self.tls.pin) {
            return Err(SdkError::invalid(
                ErrorKind::Config,
                "tls.pin",
                "a pin replaces the authorities: set tls.ca or tls.pin, not both",
            ));
        }
        Ok(())
    }

    pub(crate) fn endpoint(&self) -> Result<Endpoint, SdkError> {
        self.gateway_addr.parse().map_err(|rule| {
            SdkError::invalid(
                ErrorKind::Config,
                "gateway_addr",
                format_args!("{:?} {rule}", self.gateway_addr),
            )
        })
    }
}

/// Checks a duration against its range.
pub(crate) fn check_duration(
    field: &str,
    value: Duration,
    (least, most): (Duration, Duration),
) -> Result<(), SdkError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(SdkError::invalid(
            ErrorKind::Config,
            field,
            format_args!("{value:?} is not from {least:?} to {most:?}"),
        ))
    }
}

fn check_number<T: PartialOrd + fmt::Display>(
    field: &str,
    value: T,
    (least, most): (T, T),
) -> Result<(), SdkError> {
    if value >= least && value <= most {
        Ok(())
    } else {
        Err(SdkError::invalid(
            ErrorKind::Config,
            field,
            format_args!("{value} is not from {least} to {most}"),
        ))
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
        if let Some(value) = self.parsed(name, "a number")? {
            *number = value;
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

impl FromStr for SpkiPin {
    type Err = SpkiPinError;

    fn from_str(text: &str) -> Result<Self, SpkiPinError> {
        let hex = text.strip_prefix("sha256:").ok_or(SpkiPinError)?;
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(SpkiPinError);
        }
        let mut pin = [0; 32];
        for (byte, at) in pin.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| SpkiPinError)?;
        }
        Ok(Self(pin))
    }
}

impl fmt::Display for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not an [`SpkiPin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pin is sha256: and 64 hexadecimal digits")]
pub struct SpkiPinError;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
                cache: CacheConfig { verify_puts: false },
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
    fn a_pin_excludes_an_authority() {
        let pin = format!("sha256:{}", "ab".repeat(32));
        let error = from(&[("RON_SDK_TLS_CA", "ca.pem"), ("RON_SDK_TLS_PIN", &pin)]).unwrap_err();
        assert!(error.to_string().contains("tls.pin"));
    }
}
