//! `SdkConfig`: every setting, its default, its environment variable and its range.

mod environment;
mod file;
mod keys;
mod pin;
mod proxy;
mod value;

pub use keys::Setting;
pub use pin::{SpkiPin, SpkiPinError};
pub(crate) use proxy::Credentials;
pub use proxy::{ProxyAddr, ProxyAddrError, ProxyProtocol};
pub use value::SettingKind;

use crate::error::{ErrorKind, SdkError};
use crate::transport::endpoint::Endpoint;
use keys::KEYS;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
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
    /// How the gateway is reached. `RON_SDK_TRANSPORT`: `tls` or `tor`. Default: TLS. For Tor begin with
    /// [`SdkConfig::over_tor`], whose limits are longer.
    pub transport: Transport,
    /// The gateway: `https://` and a host, with a port where it is not 443.
    /// `RON_SDK_GATEWAY_ADDR`. Default: `https://127.0.0.1:8443`.
    pub gateway_addr: String,
    /// Further gateways, 8 at most, each as in `gateway_addr`. Where the one in use cannot be reached, the next
    /// connection goes to another one of them. `RON_SDK_FALLBACK_ADDRS`, with commas between them. Default: none.
    pub fallback_addrs: Vec<String>,
    /// The limit of a call that sets none of its own, 50 ms to 1 h.
    /// `RON_SDK_OVERALL_TIMEOUT_MS`. Default: 5 s; with Tor 30 s.
    pub overall_timeout: Duration,
    /// Limits within a call.
    pub timeouts: Timeouts,
    /// Whom to trust.
    pub tls: TlsConfig,
    /// The proxy that connections go through. `RON_SDK_PROXY`: `http://`, `socks5://` (the gateway's name is
    /// looked up here) or `socks5h://` (by the proxy), `user:password@` where it asks for them, a host and a
    /// port. Default: none, whatever proxies the environment names for others. Not together with Tor.
    pub proxy: Option<ProxyAddr>,
    /// Where Tor is.
    pub tor: TorConfig,
    /// Connections.
    pub pool: PoolConfig,
    /// What the client tells of itself while it is at work.
    pub tracing: TracingConfig,
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
    /// The same through Tor, and in no other way: names are looked up by Tor alone, calls of different subjects
    /// share no connection and no circuit, and where Tor cannot be used a call fails as `TorUnavailable`.
    Tor,
    /// Not at all: calls are answered within the process, for the benches of this project.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    Echo,
}

/// Limits within a call, each 10 ms to 10 min; the call's own limit bounds them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For TCP, a proxy, TLS and HELLO together. `RON_SDK_TIMEOUTS_CONNECT_MS`. Default: 2 s; with Tor 20 s.
    pub connect: Duration,
    /// Without one byte of an answer that has begun. `RON_SDK_TIMEOUTS_READ_MS`. Default: 5 s.
    pub read: Duration,
    /// Without one byte of a request that has begun being accepted.
    /// `RON_SDK_TIMEOUTS_WRITE_MS`. Default: 5 s.
    pub write: Duration,
}

/// Whom to trust, without `ca` and `pin` the system's roots; and what a gateway trusts the client by. Files are read at
/// the first connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// A PEM file of authorities that are trusted in addition to the system's. `RON_SDK_TLS_CA`.
    pub ca: Option<PathBuf>,
    /// The gateway's public key. It replaces every root: the certificate's name, dates and issuer no
    /// longer count, only that the peer holds this key. `RON_SDK_TLS_PIN`.
    pub pin: Option<SpkiPin>,
    /// A PEM file with the client's own certificate, and the certificates between it and its authority, for a gateway
    /// that asks for one. Together with `client_key`. `RON_SDK_TLS_CLIENT_CERT`.
    pub client_cert: Option<PathBuf>,
    /// A PEM file with that certificate's private key. `RON_SDK_TLS_CLIENT_KEY`.
    pub client_key: Option<PathBuf>,
}

/// Where Tor is. It counts with [`Transport::Tor`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TorConfig {
    /// Tor's SOCKS5 port, on this machine: a loopback address. `RON_SDK_TOR_SOCKS_ADDR`.
    /// Default: `127.0.0.1:9050`.
    pub socks_addr: SocketAddr,
}

/// What a client tells of itself while it is at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracingConfig {
    /// Whether calls and connections have spans and events, and calls say which trace they are part of.
    /// `RON_SDK_TRACING_ENABLED`. Default: true.
    pub enabled: bool,
}

/// Connections to the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// At most this many, with Tor for each subject, 1 to 16; one is opened first, another when three quarters of the open ones'
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
///
/// The cache keeps objects that `storage_get` has fetched. An object serves the capability alone that fetched
/// it; one that has expired or was revoked since is still served from here until `ttl` is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Whether fetched objects are kept. `RON_SDK_CACHE_ENABLED`. Default: false.
    pub enabled: bool,
    /// At most so many, 1 to 1,000,000. `RON_SDK_CACHE_MAX_ENTRIES`. Default: 256.
    pub max_entries: usize,
    /// At most so many bytes of them, 1 KiB to 64 GiB. `RON_SDK_CACHE_MAX_BYTES`. Default: 64 MiB.
    pub max_bytes: usize,
    /// For so long after they were fetched, 1 ms to 1 h. `RON_SDK_CACHE_TTL_MS`. Default: 30 s.
    pub ttl: Duration,
    /// Whether a put is hashed locally and compared with the gateway's receipt.
    /// `RON_SDK_CACHE_VERIFY_PUTS`. Default: true.
    pub verify_puts: bool,
}

impl Default for SdkConfig {
    fn default() -> Self {
        Self {
            transport: Transport::default(),
            gateway_addr: "https://127.0.0.1:8443".to_owned(),
            fallback_addrs: Vec::new(),
            overall_timeout: OVERALL_DEFAULT,
            timeouts: Timeouts::default(),
            tls: TlsConfig::default(),
            proxy: None,
            tor: TorConfig::default(),
            pool: PoolConfig { max: 4 },
            tracing: TracingConfig { enabled: true },
            backoff: BackoffConfig::default(),
            idempotency: IdempotencyConfig { enabled: true },
            cache: CacheConfig::default(),
        }
    }
}

impl Default for TorConfig {
    fn default() -> Self {
        Self {
            socks_addr: (Ipv4Addr::LOCALHOST, 9050).into(),
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            max_entries: 256,
            max_bytes: 64 << 20,
            ttl: Duration::from_secs(30),
            verify_puts: true,
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
            connect: CONNECT_DEFAULT,
            read: Duration::from_secs(5),
            write: Duration::from_secs(5),
        }
    }
}

const OVERALL_DEFAULT: Duration = Duration::from_secs(5);
const CONNECT_DEFAULT: Duration = Duration::from_secs(2);
/// Building a circuit takes its time.
const TOR_OVERALL_DEFAULT: Duration = Duration::from_secs(30);
const TOR_CONNECT_DEFAULT: Duration = Duration::from_secs(20);

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
const CACHE_ENTRIES: (usize, usize) = (1, 1_000_000);
const CACHE_BYTES: (usize, usize) = (
    1024,
    // 64 GiB, where there can be as much.
    match 64usize.checked_mul(1 << 30) {
        Some(bytes) => bytes,
        None => usize::MAX,
    },
);
const CACHE_TTL: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(3600));

impl SdkConfig {
    /// The defaults with [`Transport::Tor`]: calls have 30 s, of which connecting may take 20 s.
    ///
    /// ```
    /// use ron_app_sdk::SdkConfig;
    ///
    /// let config = SdkConfig {
    ///     gateway_addr: "https://gateway.example:8443".into(),
    ///     ..SdkConfig::over_tor()
    /// };
    /// config.validate()?;
    /// # Ok::<(), ron_app_sdk::SdkError>(())
    /// ```
    pub fn over_tor() -> Self {
        let mut config = Self::default();
        config.change_transport(Transport::Tor);
        config
    }

    /// Changes the transport, and the limits that still have their defaults to those of the new one.
    pub(crate) fn change_transport(&mut self, transport: Transport) {
        let defaults = |transport| match transport {
            Transport::Tor => (TOR_OVERALL_DEFAULT, TOR_CONNECT_DEFAULT),
            _ => (OVERALL_DEFAULT, CONNECT_DEFAULT),
        };
        let (before, after) = (defaults(self.transport), defaults(transport));
        if self.overall_timeout == before.0 {
            self.overall_timeout = after.0;
        }
        if self.timeouts.connect == before.1 {
            self.timeouts.connect = after.1;
        }
        self.transport = transport;
    }

    /// Checks every setting, without I/O.
    ///
    /// # Errors
    /// `Config` with the setting's name, its value and the allowed range.
    pub fn validate(&self) -> Result<(), SdkError> {
        self.endpoints()?;
        for key in &KEYS {
            key.value.check(key.field(), self)?;
        }
        if self.backoff.base > self.backoff.cap {
            let (base, cap) = (self.backoff.base, self.backoff.cap);
            let least = BACKOFF.0;
            let rule =
                format_args!("{base:?} is not from {least:?} to backoff.cap, which is {cap:?}");
            return Err(SdkError::invalid(ErrorKind::Config, "backoff.base", rule));
        }
        if let (Some(_), Some(_)) = (&self.tls.ca, &self.tls.pin) {
            return Err(SdkError::invalid(
                ErrorKind::Config,
                "tls.pin",
                "a pin replaces the authorities: set tls.ca or tls.pin, not both",
            ));
        }
        if self.tls.client_cert.is_some() != self.tls.client_key.is_some() {
            let missing = match self.tls.client_cert {
                Some(_) => "tls.client_key",
                None => "tls.client_cert",
            };
            return Err(SdkError::invalid(
                ErrorKind::Config,
                missing,
                "not set: a certificate and its key go together",
            ));
        }
        self.check_route()
    }

    fn check_route(&self) -> Result<(), SdkError> {
        let invalid = |field, rule| Err(SdkError::invalid(ErrorKind::Config, field, rule));
        let socks_addr = self.tor.socks_addr;
        if !keys::is_local(&socks_addr) {
            let rule = format!("{socks_addr} is not {}", keys::SOCKS_RULE);
            return invalid("tor.socks_addr", rule);
        }
        if self.transport == Transport::Tor && self.proxy.is_some() {
            return invalid(
                "proxy",
                "Tor is the proxy where transport is tor: set one of them".to_owned(),
            );
        }
        Ok(())
    }

    /// The gateways, the preferred one first.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>, SdkError> {
        let first = keys::endpoint(&self.gateway_addr, Endpoint::RULE);
        let mut endpoints = vec![first.map_err(|wrong| keys::invalid("gateway_addr", wrong))?];
        let fallbacks = keys::fallbacks(&self.fallback_addrs);
        endpoints.extend(fallbacks.map_err(|wrong| keys::invalid("fallback_addrs", wrong))?);
        Ok(endpoints)
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
