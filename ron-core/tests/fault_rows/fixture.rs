//! A gateway that counts effects, and either client of it.

use crate::support::{capability, TestGateway};
use bytes::Bytes;
use futures_util::future::join_all;
use ron_app_sdk::{
    blocking, AddrB3, ByteRange, CallReport, CapabilitySource, Executed, IdemKey, ObjectInfo,
    RonAppSdk, SdkConfig, SdkError, UnverifiedRange,
};
use ron_fault_proxy::{BlockingFaultProxy, FaultProxy};
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::faults::{Fault, FaultKind, FaultPlan, FaultRule};
use ron_gateway::GatewayConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The limit of a call that sets none.
pub(crate) const DEFAULT: Duration = Duration::from_secs(5);
/// What a promised time may be exceeded by on a busy machine.
pub(crate) const SLACK: Duration = Duration::from_millis(500);

/// Which of the two clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Blocking,
    Asynchronous,
}

/// Checks the same with each client, side by side: most of the time they wait.
pub(crate) fn with_each_client(check: impl Fn(Face) + Sync) {
    std::thread::scope(|scope| {
        for face in [Face::Blocking, Face::Asynchronous] {
            let check = &check;
            scope.spawn(move || check(face));
        }
    });
}

/// Checks the same with each client, each with a gateway of its own.
pub(crate) fn on_each_client(check: impl Fn(&Fixture) + Sync) {
    with_each_client(|face| check(&Fixture::start(face)));
}

/// A gateway with a ledger, and the kind of client that is tried.
pub(crate) struct Fixture {
    pub(crate) face: Face,
    pub(crate) gateway: TestGateway,
}

impl Fixture {
    pub(crate) fn start(face: Face) -> Self {
        Self::start_with(face, GatewayConfig::default())
    }

    pub(crate) fn start_with(face: Face, config: GatewayConfig) -> Self {
        let config = GatewayConfig {
            ledger: true,
            ..config
        };
        let gateway = TestGateway::start_with(config, &CertificateRequest::localhost());
        Self { face, gateway }
    }

    /// A client with the defaults.
    pub(crate) fn client(&self) -> Client {
        self.client_with(|_| {})
    }

    pub(crate) fn client_with(&self, change: impl FnOnce(&mut SdkConfig)) -> Client {
        let mut config = self.gateway.config();
        change(&mut config);
        Client::new(self.face, config)
    }

    /// A client whose first attempt is its last.
    pub(crate) fn impatient_client(&self) -> Client {
        self.client_with(|config| config.backoff.max_attempts = 1)
    }

    /// A client whose mutations have no key.
    pub(crate) fn unkeyed_client(&self) -> Client {
        self.client_with(|config| config.idempotency.enabled = false)
    }

    /// A proxy before the gateway, and a client that comes through it.
    pub(crate) fn proxied(
        &self,
        change: impl FnOnce(&mut SdkConfig),
    ) -> (BlockingFaultProxy, Client) {
        let proxy = FaultProxy::start_blocking(self.gateway.gateway.address()).unwrap();
        let client = self.proxied_by(&proxy, change);
        (proxy, client)
    }

    /// Another client through the same proxy.
    pub(crate) fn proxied_by(
        &self,
        proxy: &BlockingFaultProxy,
        change: impl FnOnce(&mut SdkConfig),
    ) -> Client {
        let mut config = self.gateway.trust.config(proxy.address());
        change(&mut config);
        Client::new(self.face, config)
    }

    pub(crate) fn arm(&self, rules: impl IntoIterator<Item = FaultRule>) {
        let plan = FaultPlan {
            seed: Some(7),
            rules: rules.into_iter().collect(),
        };
        self.gateway.gateway.faults().arm(plan).unwrap();
    }

    pub(crate) fn disarm(&self) {
        self.gateway.gateway.faults().disarm();
    }

    pub(crate) fn fired(&self, kind: FaultKind) -> u64 {
        self.gateway.gateway.faults().fired(kind)
    }

    /// Connections that the gateway has taken.
    pub(crate) fn accepted(&self) -> u64 {
        self.gateway.gateway.metrics().connections_accepted()
    }

    /// Effects in all, keys that had one, and the most that one key had.
    pub(crate) fn effects(&self) -> (u64, usize, u64) {
        let ledger = self.gateway.gateway.ledger().unwrap();
        let most = ledger.most_effects_of_one_key();
        (ledger.effects_total(), ledger.keys(), most)
    }

    /// Stores an object without a fault.
    pub(crate) fn stored(&self, object: &[u8]) -> AddrB3 {
        self.client().put(object).unwrap().0
    }
}

/// The fault, into the first attempt of each call.
pub(crate) fn first(fault: Fault) -> FaultRule {
    FaultRule {
        attempt: Some(1),
        ..FaultRule::new(fault)
    }
}

/// The fault, once.
pub(crate) fn once(fault: Fault) -> FaultRule {
    FaultRule {
        times: Some(1),
        ..FaultRule::new(fault)
    }
}

/// The fault, into every attempt.
pub(crate) fn always(fault: Fault) -> FaultRule {
    FaultRule::new(fault)
}

/// The same rule, for puts only.
pub(crate) fn into_puts(rule: FaultRule) -> FaultRule {
    FaultRule {
        operation: Some("storage.put".to_owned()),
        ..rule
    }
}

pub(crate) type Outcome<T> = Result<(T, CallReport), SdkError>;

/// What was reported of a success: attempts, whether it is the answer of an earlier one, and its effect.
pub(crate) fn told<T>(outcome: &Outcome<T>) -> (u32, bool, Executed) {
    let report = match outcome {
        Ok((_, report)) => report,
        Err(error) => panic!("{error:?}"),
    };
    (report.attempts, report.replayed, report.executed)
}

/// Either client, with what its calls are made with.
pub(crate) struct Client {
    sdk: Sdk,
    pub(crate) capability: CapabilitySource,
    pub(crate) limit: Duration,
    pub(crate) key: Option<IdemKey>,
}

enum Sdk {
    Blocking(blocking::RonAppSdk),
    Asynchronous(RonAppSdk, Arc<Runtime>),
}

/// One call, or several at once, with whichever client it is.
macro_rules! call {
    ($client:expr, $calls:ident => $blocking:expr, $asynchronous:expr) => {
        match &$client.sdk {
            Sdk::Blocking(sdk) => {
                let mut $calls = sdk.with(&$client.capability).timeout($client.limit);
                if let Some(key) = &$client.key {
                    $calls = $calls.idempotency_key(key.clone());
                }
                let $calls = $calls.with_report();
                $blocking
            }
            Sdk::Asynchronous(sdk, runtime) => {
                let mut $calls = sdk.with(&$client.capability).timeout($client.limit);
                if let Some(key) = &$client.key {
                    $calls = $calls.idempotency_key(key.clone());
                }
                let $calls = $calls.with_report();
                runtime.block_on($asynchronous)
            }
        }
    };
}

impl Client {
    pub(crate) fn new(face: Face, config: SdkConfig) -> Self {
        let sdk = match face {
            Face::Blocking => Sdk::Blocking(blocking::RonAppSdk::new(config).unwrap()),
            Face::Asynchronous => {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                let sdk = runtime.block_on(RonAppSdk::new(config)).unwrap();
                Sdk::Asynchronous(sdk, Arc::new(runtime))
            }
        };
        Self {
            sdk,
            capability: capability().into(),
            limit: DEFAULT,
            key: None,
        }
    }

    pub(crate) fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.key = Some(IdemKey::new(key).unwrap());
        self
    }

    pub(crate) fn with_capability(mut self, capability: impl Into<CapabilitySource>) -> Self {
        self.capability = capability.into();
        self
    }

    /// The same client with another key.
    pub(crate) fn another(&self, key: &str) -> Self {
        let sdk = match &self.sdk {
            Sdk::Blocking(sdk) => Sdk::Blocking(sdk.clone()),
            Sdk::Asynchronous(sdk, runtime) => Sdk::Asynchronous(sdk.clone(), Arc::clone(runtime)),
        };
        Self {
            sdk,
            capability: self.capability.clone(),
            limit: self.limit,
            key: Some(IdemKey::new(key).unwrap()),
        }
    }

    pub(crate) fn put(&self, body: &[u8]) -> Outcome<AddrB3> {
        let shared = Bytes::copy_from_slice(body);
        call!(self, calls => calls.storage_put(body), calls.storage_put(shared))
    }

    pub(crate) fn get(&self, address: AddrB3) -> Outcome<Bytes> {
        call!(self, calls => calls.storage_get(address), calls.storage_get(address))
    }

    pub(crate) fn get_range(&self, address: AddrB3, range: ByteRange) -> Outcome<UnverifiedRange> {
        call!(
            self,
            calls => calls.storage_get_range(address, range),
            calls.storage_get_range(address, range)
        )
    }

    pub(crate) fn head(&self, address: AddrB3) -> Outcome<ObjectInfo> {
        call!(self, calls => calls.storage_head(address), calls.storage_head(address))
    }

    pub(crate) fn gets_at_once(&self, addresses: &[AddrB3]) -> Vec<Outcome<Bytes>> {
        call!(
            self,
            calls => in_threads(addresses, |address| calls.storage_get(*address)),
            join_all(addresses.iter().map(|address| calls.storage_get(*address)))
        )
    }

    pub(crate) fn heads_at_once(&self, addresses: &[AddrB3]) -> Vec<Outcome<ObjectInfo>> {
        call!(
            self,
            calls => in_threads(addresses, |address| calls.storage_head(*address)),
            join_all(addresses.iter().map(|address| calls.storage_head(*address)))
        )
    }

    pub(crate) fn puts_at_once(&self, bodies: &[Bytes]) -> Vec<Outcome<AddrB3>> {
        call!(
            self,
            calls => in_threads(bodies, |body| calls.storage_put(body)),
            join_all(bodies.iter().map(|body| calls.storage_put(body.clone())))
        )
    }

    /// Connections at the moment.
    pub(crate) fn connections(&self) -> usize {
        match &self.sdk {
            Sdk::Blocking(sdk) => sdk.stats().connections,
            Sdk::Asynchronous(sdk, _) => sdk.stats().connections,
        }
    }

    pub(crate) fn open_calls(&self) -> usize {
        match &self.sdk {
            Sdk::Blocking(sdk) => sdk.open_calls(),
            Sdk::Asynchronous(sdk, _) => sdk.open_calls(),
        }
    }
}

fn in_threads<A: Sync, T: Send>(arguments: &[A], call: impl Fn(&A) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let call = &call;
        let threads: Vec<_> = arguments
            .iter()
            .map(|argument| scope.spawn(move || call(argument)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    })
}
