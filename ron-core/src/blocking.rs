//! `blocking::RonAppSdk`, the face of the SDK for threads: no runtime, no hop to another thread.

pub use crate::interrupt::interruptible;

use crate::call::{CallReport, CallSettings, Core, Plain, PlaneCall, Report, Reported, Running};
use crate::config::SdkConfig;
use crate::metrics::Metrics;
use crate::operations::operations;
use crate::retry::Random;
use crate::stats::ClientStats;
use crate::telemetry::Tracing;
use crate::trace_parent::{TraceContext, TraceParent};
use crate::transport::blocking::BlockingTransport;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;

/// A client of one RON gateway.
///
/// Cloning is cheap; all clones share their connections, also between threads. A call blocks its thread and
/// waits for the socket itself; it needs no asynchronous runtime, and must not be made from a task of one.
///
/// After a fork, the child's calls with its parent's clients fail as `ForkDetected`; it makes new ones.
///
/// ```
/// # fn example(capability: ron_app_sdk::Capability) -> Result<(), ron_app_sdk::SdkError> {
/// use ron_app_sdk::{blocking::RonAppSdk, SdkConfig};
/// use std::time::Duration;
///
/// let sdk = RonAppSdk::new(SdkConfig::from_env()?)?;
/// let limit = Duration::from_secs(2);
/// let address = sdk.storage_put(&capability, b"hello", limit, None)?;
/// let bytes = sdk.storage_get(&capability, address, limit)?;
/// assert_eq!(bytes, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RonAppSdk(Arc<Core<BlockingTransport>>);

impl RonAppSdk {
    /// A client with these settings. Nothing is read or connected before the first call.
    ///
    /// # Errors
    /// `Config` where a setting breaks its rule.
    pub fn new(config: SdkConfig) -> Result<Self, SdkError> {
        Self::with_metrics(config, &Metrics::new())
    }

    /// A client with these settings that counts into `metrics`, perhaps together with others.
    ///
    /// # Errors
    /// As [`RonAppSdk::new`].
    pub fn with_metrics(config: SdkConfig, metrics: &Metrics) -> Result<Self, SdkError> {
        config.validate()?;
        let random = Arc::new(Random::new());
        let tracing = Tracing::new(config.tracing.enabled);
        let transport = BlockingTransport::new(&config, Arc::clone(&random), metrics, &tracing)?;
        let core = Core::new(config, transport, random, metrics.clone(), tracing);
        Ok(Self(Arc::new(core)))
    }

    /// The short form: calls with this capability, `overall_timeout` as their limit and a fresh
    /// idempotency key, each of which can be set.
    pub fn with(&self, capability: impl Into<CapabilitySource>) -> Calls<'_> {
        Calls {
            core: &self.0,
            settings: CallSettings {
                capability: capability.into(),
                limit: self.0.config.overall_timeout,
                idem: None,
                traceparent: None,
            },
            report: PhantomData,
        }
    }

    /// Closes the client: it takes no more calls, waits for up to `limit` for those that are open, and ends those
    /// that are open then as `Closed`. Returns how many that were. All clones are closed with it.
    ///
    /// A call that is just opening a TCP connection ends with that, after `timeouts.connect` at most.
    ///
    /// A client need not be closed: dropping the last clone ends its connections, and never waits.
    pub fn close(&self, limit: Duration) -> usize {
        self.0.close(limit)
    }

    /// Says where to ask for the trace that a call is part of, for all calls that are not given one by
    /// [`Calls::traceparent`]. It is set once, for all clones.
    ///
    /// # Errors
    /// `Config` where it is set already.
    pub fn set_trace_context(&self, context: impl TraceContext) -> Result<(), SdkError> {
        self.0.tracing.set_context(context)
    }

    /// What the client's calls are counted by.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What the client has at the moment.
    pub fn stats(&self) -> ClientStats {
        self.0.stats()
    }

    /// Calls that are open at the moment, those included that wait for a slot or for their next attempt.
    pub fn open_calls(&self) -> usize {
        self.0.open_calls()
    }

    /// Stores an object and returns its address. Unless `cache.verify_puts` is off, the address is compared
    /// with the hash of `body`.
    ///
    /// # Errors
    /// `TooLarge` for a body above 1,015,808 bytes, `IntegrityMismatch` where the gateway stored something
    /// else, and whatever can befall any call.
    pub fn storage_put(
        &self,
        capability: impl Into<CapabilitySource>,
        body: &[u8],
        limit: Duration,
        key: Option<IdemKey>,
    ) -> Result<AddrB3, SdkError> {
        let mut calls = self.with(capability).timeout(limit);
        calls.settings.idem = key;
        calls.storage_put(body)
    }
}

operations!([] []);

impl Drop for RonAppSdk {
    fn drop(&mut self) {
        if self.0.is_inherited() {
            // The sockets and threads are the parent's: nothing of them may be dropped here.
            mem::forget(Arc::clone(&self.0));
        }
    }
}

impl fmt::Debug for RonAppSdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RonAppSdk")
            .field("gateway_addr", &self.0.config.gateway_addr)
            .finish_non_exhaustive()
    }
}

/// Calls with a capability and settings of their own; made by [`RonAppSdk::with`].
///
/// ```
/// # fn example(sdk: ron_app_sdk::blocking::RonAppSdk, capability: ron_app_sdk::Capability)
/// # -> Result<(), ron_app_sdk::SdkError> {
/// use std::time::Duration;
///
/// let calls = sdk.with(&capability).timeout(Duration::from_millis(500));
/// let (address, report) = calls.clone().with_report().storage_put(b"hello")?;
/// println!("stored {address} in {:?}, {} attempts", report.elapsed, report.attempts);
/// let bytes = calls.storage_get(address)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Calls<'a, R = Plain> {
    core: &'a Core<BlockingTransport>,
    settings: CallSettings,
    report: PhantomData<R>,
}

impl<R> Clone for Calls<'_, R> {
    fn clone(&self) -> Self {
        Self {
            core: self.core,
            settings: self.settings.clone(),
            report: PhantomData,
        }
    }
}

impl<'a, R: Report> Calls<'a, R> {
    /// The limit of each call, 1 ms to 1 h.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.settings.limit = limit;
        self
    }

    /// The key of the put, send or publish that is made with this, instead of a fresh one for each. Use it for one
    /// logical mutation only: a second one would be taken for the first. Other operations take no key.
    #[must_use]
    pub fn idempotency_key(mut self, key: IdemKey) -> Self {
        self.settings.idem = Some(key);
        self
    }

    /// The trace that the calls are part of, which the gateway learns with each attempt. Unless `tracing.enabled` is off.
    #[must_use]
    pub fn traceparent(mut self, parent: TraceParent) -> Self {
        self.settings.traceparent = Some(parent);
        self
    }

    /// Calls return their [`CallReport`] beside their result.
    pub fn with_report(self) -> Calls<'a, Reported> {
        Calls {
            core: self.core,
            settings: self.settings,
            report: PhantomData,
        }
    }

    /// [`RonAppSdk::storage_put`]
    ///
    /// # Errors
    /// As there.
    pub fn storage_put(&self, body: &[u8]) -> Result<R::Output<AddrB3>, SdkError> {
        let verify = self.core.config.cache.verify_puts;
        self.run(storage::Put::new(body, verify)?)
    }

    fn run<C: PlaneCall + Sync>(&self, call: C) -> Result<R::Output<C::Output>, SdkError> {
        let mut running = self.core.begin(self.settings.clone(), call)?;
        let (value, report): (_, CallReport) = self.core.finish(&mut running)?;
        Ok(R::output(value, report))
    }

    /// Begins the only call that is made with this.
    fn begin<C: PlaneCall>(self, call: C) -> Result<Running<'a, C>, SdkError> {
        self.core.begin(self.settings, call)
    }
}
