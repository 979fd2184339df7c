//! No capability, idempotency key or payload is told to anybody: over every operation and every fault, in
//! both clients, at TRACE.
//!
//! What goes wrong on the way to a gateway process, and what that says, is in the gateway's own tests.
#![allow(clippy::unwrap_used)]

mod support;

use futures_util::future::join_all;
use ron_app_sdk::{
    blocking, Capability, CapabilitySource, ErrorKind, IdemKey, Macaroon, Metrics, Readiness,
    RonAppSdk, SdkConfig, Timeouts,
};
use ron_canary::{plan, Operation, Secrets, OPERATIONS};
use ron_fault_proxy::{Connections, FaultProxy, Faults};
use ron_gateway::certificates::CertificateRequest;
use ron_gateway::faults::{FaultKind, FaultPlan};
use ron_gateway::GatewayConfig;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::listener::Listener;
use support::{block_on, TestGateway, Trust};

/// Long enough for two attempts that are not answered.
const LIMIT: Duration = Duration::from_millis(900);
/// Gateways at once: most of them wait.
const AT_ONCE: usize = 6;

/// A gateway that knows the secrets, and whoever listens.
struct Scene<'a> {
    secrets: &'a Secrets,
    listener: &'a Listener,
    gateway: TestGateway,
    _edge_root: tempfile::TempDir,
}

impl<'a> Scene<'a> {
    fn new(secrets: &'a Secrets, listener: &'a Listener) -> Self {
        let edge_root = tempfile::tempdir().unwrap();
        secrets.write_edge_root(edge_root.path()).unwrap();
        let config = GatewayConfig {
            root_keys: secrets.root_keys.clone(),
            edge_root: Some(edge_root.path().to_owned()),
            ledger: true,
            ..GatewayConfig::default()
        };
        let gateway = TestGateway::start_with(config, &CertificateRequest::localhost());
        let scene = Self {
            secrets,
            listener,
            gateway,
            _edge_root: edge_root,
        };
        let sdk = scene.gateway.blocking_sdk();
        let stored = sdk.with(&secrets.capability);
        stored.storage_put(secrets.inputs.payload).unwrap();
        scene
    }

    /// Two attempts, and little patience.
    fn config(&self) -> SdkConfig {
        let mut config = self.gateway.config();
        config.timeouts = Timeouts {
            connect: Duration::from_millis(300),
            read: Duration::from_millis(150),
            write: Duration::from_millis(300),
        };
        config.backoff.base = Duration::from_millis(1);
        config.backoff.cap = Duration::from_millis(5);
        config.backoff.max_attempts = 2;
        config.overall_timeout = LIMIT;
        config
    }

    /// Makes a call in both clients, each with a connection of its own, and notes what comes of it.
    fn call(&self, operation: &Operation, config: &SdkConfig, source: impl Into<CapabilitySource>) {
        let (source, inputs) = (source.into(), self.secrets.inputs);
        let sdk = blocking::RonAppSdk::new(config.clone()).unwrap();
        let calls = sdk.with(&source).idempotency_key(self.secrets.key.clone());
        self.listener.note_debug(&(&sdk, &calls));
        self.listener
            .note_result(&(operation.blocking)(&calls, inputs));
        self.note_client(&sdk.ready(), sdk.metrics());
        block_on(async {
            let sdk = RonAppSdk::new(config.clone()).await.unwrap();
            let calls = sdk.with(&source).idempotency_key(self.secrets.key.clone());
            self.listener.note_debug(&(&sdk, &calls));
            let result = (operation.asynchronous)(&calls, inputs).await;
            self.listener.note_result(&result);
            self.note_client(&sdk.ready(), sdk.metrics());
        });
    }

    /// Notes what a client says of itself.
    fn note_client(&self, ready: &Readiness, metrics: &Metrics) {
        self.listener.note_debug(&(ready, metrics));
        self.listener.note_debug(&metrics.snapshot());
        let text = metrics.prometheus();
        self.listener.note("the client's metrics", text.as_bytes());
    }

    fn calls(&self, config: &SdkConfig, source: impl Into<CapabilitySource>) {
        let source = source.into();
        for operation in OPERATIONS {
            self.call(operation, config, &source);
        }
    }

    /// Makes all calls at once over one connection, for what befalls only those.
    fn calls_at_once(&self, config: &SdkConfig) {
        block_on(async {
            let sdk = RonAppSdk::new(config.clone()).await.unwrap();
            let calls = sdk.with(&self.secrets.capability);
            let calls = calls.idempotency_key(self.secrets.key.clone());
            let made = OPERATIONS
                .iter()
                .map(|operation| (operation.asynchronous)(&calls, self.secrets.inputs));
            for result in join_all(made).await {
                self.listener.note_result(&result);
            }
        });
    }

    /// Notes what the gateway says of itself.
    fn note_gateway(&self) {
        let gateway = &self.gateway.gateway;
        let (faults, report) = (gateway.faults(), gateway.faults().report());
        self.listener.note_debug(&(gateway, faults, &report));
        self.listener
            .note_debug(&(gateway.ledger(), gateway.metrics()));
        let metrics = gateway.metrics().text();
        self.listener.note("metrics", metrics.as_bytes());
        let state = serde_json::to_vec(&report).unwrap();
        self.listener.note("the faults' state", &state);
    }
}

/// Every operation with every kind of fault in the gateway.
fn faults(secrets: &Secrets, listener: &Listener) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| loop {
                let next = next.fetch_add(1, Ordering::Relaxed);
                let Some(kind) = FaultKind::ALL.get(next) else {
                    return;
                };
                let scene = Scene::new(secrets, listener);
                scene.gateway.gateway.faults().arm(plan(*kind)).unwrap();
                scene.calls(&scene.config(), &secrets.capability);
                scene.calls_at_once(&scene.config());
                scene.note_gateway();
                let fired = scene.gateway.gateway.faults().fired(*kind);
                assert!(fired > 0, "{kind} did not take place");
            });
        }
    });
}

/// What goes wrong without a fault in the gateway: who is there, how long it takes, what is allowed.
fn other_failures(secrets: &mut Secrets, listener: &Listener) {
    let expired = secrets.attenuate("exp<1000000000");
    let narrow = secrets.attenuate("path^=/nowhere");
    let secrets = &*secrets;
    let scene = Scene::new(secrets, listener);
    let capability = &secrets.capability;
    let config = scene.config();
    for capability in [&expired, &narrow] {
        scene.calls(&config, capability);
    }

    let stranger = Trust::new().config(scene.gateway.gateway.address());
    let nowhere = SdkConfig {
        gateway_addr: "https://127.0.0.1:1".to_owned(),
        ..config.clone()
    };
    let hasty = SdkConfig {
        overall_timeout: Duration::from_millis(50),
        ..config.clone()
    };
    scene.calls(&stranger, capability);
    scene.calls(&nowhere, capability);
    let late = r#"{"rules":[{"fault":{"late_reply":{"after_ms":300}}}]}"#;
    let late = FaultPlan::from_json(late).unwrap();
    scene.gateway.gateway.faults().arm(late).unwrap();
    scene.calls(&hasty, capability);

    // Calls that are given up while they are waited for.
    block_on(async {
        let sdk = RonAppSdk::new(config.clone()).await.unwrap();
        let calls = sdk.with(capability).idempotency_key(secrets.key.clone());
        for operation in OPERATIONS {
            let call = (operation.asynchronous)(&calls, secrets.inputs);
            let given_up = tokio::time::timeout(Duration::from_millis(30), call).await;
            assert!(given_up.is_err(), "{operation:?}");
        }
    });
    scene.gateway.gateway.faults().disarm();

    // The same key for another request.
    let sdk = scene.gateway.blocking_sdk();
    let calls = sdk.with(capability).idempotency_key(secrets.key.clone());
    calls.storage_put(secrets.inputs.payload).unwrap();
    let mismatch = calls.storage_put(&secrets.inputs.payload[1..]).unwrap_err();
    assert_eq!(mismatch.kind(), ErrorKind::Conflict);
    listener.note_error(&mismatch);
    let long = secrets.inputs.payload.repeat(12_000);
    listener.note_error(&calls.storage_put(&long).unwrap_err());

    // A connection that falls silent.
    let proxy = FaultProxy::start_blocking(scene.gateway.gateway.address()).unwrap();
    let through = SdkConfig {
        gateway_addr: format!("https://{}", proxy.address()),
        overall_timeout: Duration::from_secs(3),
        ..scene.gateway.config()
    };
    let sdk = blocking::RonAppSdk::new(through).unwrap();
    let calls = sdk.with(capability).idempotency_key(secrets.key.clone());
    calls.storage_put(secrets.inputs.payload).unwrap();
    proxy.set(Faults::connections(Connections::HalfOpen));
    std::thread::sleep(Duration::from_millis(50));
    proxy.set(Faults::default());
    calls.storage_put(secrets.inputs.payload).unwrap();
    scene.note_gateway();
}

/// Providers that have a capability, have none, and break.
fn providers(secrets: &Secrets, listener: &Listener) {
    let scene = Scene::new(secrets, listener);
    let config = scene.config();
    let expires = plan(FaultKind::CapabilityExpired);
    scene.gateway.gateway.faults().arm(expires).unwrap();
    let capability = || secrets.capability.clone();
    let held = capability();
    let good = CapabilitySource::provider(move || Ok(held.clone()));
    let held = capability();
    let failing = CapabilitySource::provider(move || {
        let reason = format!("{held:?} is of no use");
        Err(reason.into())
    });
    let held = capability();
    let breaking = CapabilitySource::provider(move || panic!("{held:?} broke the provider"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("capability");
    let mut text = secrets.capability.expose_base64url().to_string();
    std::fs::write(&file, &text).unwrap();
    let read = CapabilitySource::file(&file);
    for source in [&good, &failing, &breaking, &read] {
        listener.note_debug(source);
        scene.calls(&config, source);
    }
    // A file that was cut off, and one with something before it.
    for broken in [text.split_off(40), format!("token: {text}")] {
        std::fs::write(&file, &broken).unwrap();
        listener.note_error(&Capability::from_file(&file).unwrap_err());
        scene.calls(&config, CapabilitySource::file(&file));
    }
}

/// What the public types show, and what is said about arguments that are no good.
fn values(secrets: &Secrets, listener: &Listener) {
    let Secrets {
        capability, key, ..
    } = secrets;
    listener.note_debug(&(capability, CapabilitySource::from(capability), key));
    let macaroon = Macaroon::parse(capability.expose()).unwrap();
    listener.note_debug(&(&macaroon, macaroon.attenuate(key.expose().as_bytes())));
    listener.note_debug(&(&secrets.root_keys, secrets.root_keys.minter(None)));
    for broken in [
        [b"\x02", capability.expose()].concat(),
        capability.expose()[5..].to_vec(),
        capability.expose()[..90].to_vec(),
    ] {
        listener.note_error(&Capability::from_bytes(broken).unwrap_err());
    }
    let text = capability.expose_base64url();
    listener.note_error(&Capability::from_base64url(&format!("{}!", *text)).unwrap_err());
    for broken in [format!("{} ", key.expose()), key.expose().repeat(2)] {
        listener.note_debug(&IdemKey::new(&broken).unwrap_err());
    }
    session_events(secrets, listener);
}

/// Both ends of a connection, and what each of them tells of the other.
fn session_events(secrets: &Secrets, listener: &Listener) {
    use ron_app_sdk::oap::hello::{HelloReply, HelloRequest, Profile};
    use ron_app_sdk::oap::{CallContext, Frame, FrameDecoder, Operation, Plane};
    use ron_app_sdk::session::{Client, Request, Server, ServerEvent, ServerLimits};

    let now = std::time::Instant::now();
    let mut client = Client::new(&HelloRequest::new("canary"), 4);
    let hello = HelloReply::new(4, Profile::Micronode, true);
    let mut server = Server::new(hello, ServerLimits::default());
    let mut meta = Vec::new();
    let context = CallContext {
        deadline_ms: 1000,
        idem: Some(secrets.key.clone()),
        attempt: 1,
        traceparent: None,
    };
    Operation::StoragePut.encode(&context, &mut meta);
    listener.note_debug(&(
        &context,
        Operation::decode(Plane::Storage.id(), &meta).unwrap(),
    ));
    server
        .receive(now, &std::mem::take(client.control_output()))
        .unwrap();
    let mut answers = Vec::new();
    while let Some(event) = server.next_event() {
        listener.note_debug(&event);
    }
    server.output(&mut answers, 1 << 20);
    client.receive(now, &answers).unwrap();

    let request = Request {
        plane: Plane::Storage,
        tenant_id: 0,
        capability: secrets.capability.expose(),
        meta: &meta,
    };
    let (payload, mut sent) = (secrets.inputs.payload, Vec::new());
    client.start(0, &request, payload.len(), &mut sent).unwrap();
    sent.extend_from_slice(payload);
    listener.note_debug(&Frame::decode(&sent).unwrap().0);
    let (mut decoder, mut input) = (FrameDecoder::new(), &sent[..]);
    while let Some(part) = decoder.next_part(&mut input).unwrap() {
        listener.note_debug(&(&decoder, part));
    }
    server.receive(now, &sent).unwrap();
    listener.note_debug(&server);
    while let Some(event) = server.next_event() {
        listener.note_debug(&event);
        if let ServerEvent::Body { corr_id, body } = event {
            server.answer(corr_id, 200, meta.clone(), body);
        }
    }
    answers.clear();
    server.output(&mut answers, 1 << 20);
    client.receive(now, &answers).unwrap();
    listener.note_debug(&client);
    while let Some(event) = client.next_event() {
        listener.note_debug(&event);
    }
}

/// A name, whether it is a span or an event, its level, and its fields.
type Row = (String, String, Vec<String>);

/// The rows of the table in `docs/OBSERVABILITY.md`.
fn documented() -> BTreeSet<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OBSERVABILITY.md");
    let page = std::fs::read_to_string(page).unwrap();
    let code = |text: &str| -> Vec<String> {
        text.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let rows = page.lines().filter(|line| line.starts_with("| `sdk."));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let what = format!("{} {}", cells[2], cells[3]);
        (code(cells[1]).remove(0), what, code(cells[4]))
    });
    rows.collect()
}

/// What was said under the SDK's target, in the same form.
fn said(listener: &Listener) -> BTreeSet<Row> {
    let said = listener.capture.said();
    let ours = said
        .iter()
        .filter(|said| said.target.starts_with("ron_app_sdk"));
    let rows = ours.map(|said| {
        let what = if said.is_span { "span" } else { "event" };
        let fields = said.fields.iter().map(|name| (*name).to_owned());
        (
            said.name.to_owned(),
            format!("{what} {}", said.level),
            fields.collect(),
        )
    });
    rows.collect()
}

/// One test: what is listened to is the whole process.
#[test]
fn no_secret_is_told_over_every_operation_and_fault() {
    let listener = Listener::install();
    let mut secrets = Secrets::new();
    other_failures(&mut secrets, &listener);
    values(&secrets, &listener);
    faults(&secrets, &listener);
    providers(&secrets, &listener);

    // Everybody was heard, and nothing else was said than what the page says.
    assert_eq!(said(&listener), documented());
    let texts = listener.texts();
    let places: Vec<&str> = texts.keys().copied().collect();
    let expected = [
        "debug",
        "errors",
        "lines",
        "log",
        "metrics",
        "panics",
        "the client's metrics",
        "the faults' state",
    ];
    assert_eq!(places, expected);

    secrets
        .canary
        .assert_absent("spans and events", &listener.tracing());
    for (place, text) in &texts {
        secrets.canary.assert_absent(place, text);
    }
}
