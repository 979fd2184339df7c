//! A client, and its operations.
//!
//! Each starts its call and returns the call's number, or what is wrong with an argument.

use crate::capability::NativeCapability;
use crate::completions::{Outcome, Value};
use crate::environment::Environment;
use crate::failure::Failure;
use bytes::Bytes;
use futures_util::FutureExt;
use napi::bindgen_prelude::Either;
use napi_derive::napi;
use ron_app_sdk::mailbox::Token;
use ron_app_sdk::{
    Attributes, ByteRange, CallReport, CapabilitySource, Check, ErrorKind, Expected, IdemKey,
    IndexKey, Lease, Mail, Readiness, Receive, RonAppSdk, SdkConfig, Topic, TraceParent,
};
use std::path::Path;
use std::time::Duration;

/// The number of a call, or why there is none.
type Started = Either<f64, Failure>;

/// A client's settings and handle.
#[napi]
pub struct NativeClient {
    sdk: RonAppSdk,
}

/// Where a client's settings come from.
#[napi(object, object_to_js = false)]
pub struct SettingTexts {
    /// What code sets, which goes before the rest: for each setting its name, its name in JavaScript and a text.
    pub options: Vec<String>,
    /// The environment, where it is asked: for each variable its name and its text.
    pub variables: Option<Vec<String>>,
    /// A file in TOML, where one is named. It is read only with an environment.
    pub file: Option<String>,
}

impl SettingTexts {
    fn config(&self) -> Result<SdkConfig, Failure> {
        let mut config = match &self.variables {
            Some(variables) => {
                let lookup = |name: &str| {
                    let mut pairs = variables.chunks_exact(2);
                    let found = pairs.find(|pair| pair[0] == name);
                    found.map(|pair| pair[1].clone())
                };
                SdkConfig::from_variables(self.file.as_deref().map(Path::new), lookup)?
            }
            None => SdkConfig::default(),
        };
        let mut settings: Vec<&[String]> = self.options.chunks_exact(3).collect();
        // The transport first: it decides about defaults.
        settings.sort_by_key(|setting| setting[0] != "transport");
        for setting in settings {
            config.set_as(&setting[0], &setting[2], &setting[1])?;
        }
        Ok(config)
    }
}

/// What every call is made with.
#[napi(object, object_to_js = false)]
pub struct CallSettings {
    /// The call's limit, in milliseconds.
    pub timeout_ms: Option<f64>,
    /// The key of a put, send or publish.
    pub idempotency_key: Option<String>,
    /// The trace that the call is part of.
    pub traceparent: Option<String>,
    /// Whether the completion has a report.
    pub report: bool,
}

/// What a client has at the moment.
#[napi(object, object_from_js = false)]
pub struct Stats {
    /// Calls that are open.
    pub open_calls: u32,
    /// Connections that are open.
    pub connections: u32,
    /// Calls that wait for a slot.
    pub waiting_calls: u32,
    /// Streams in use.
    pub open_streams: u32,
    /// Bytes that have not been sent.
    pub unsent_bytes: f64,
    /// Objects in the cache.
    pub cached_objects: u32,
    /// Their bytes.
    pub cached_bytes: f64,
}

/// What a client knows of itself.
#[napi(object, object_from_js = false)]
pub struct ReadinessFields {
    /// Whether every check that applies is well.
    pub is_ready: bool,
    /// The settings.
    pub config: CheckFields,
    /// Tor.
    pub tor: CheckFields,
    /// A connection.
    pub transport: CheckFields,
}

impl From<&Readiness> for ReadinessFields {
    fn from(readiness: &Readiness) -> Self {
        let check = |check: &Check| CheckFields {
            state: check.state(),
            failure: check.error().cloned().map(Failure::from),
        };
        Self {
            is_ready: readiness.is_ready(),
            config: check(&readiness.config),
            tor: check(&readiness.tor),
            transport: check(&readiness.transport),
        }
    }
}

/// What came of a check.
#[napi(object, object_from_js = false)]
pub struct CheckFields {
    /// `ok`, `failed`, `not_applicable` or `unknown`.
    pub state: &'static str,
    /// Why it has failed.
    pub failure: Option<Failure>,
}

/// One number that the client has counted.
#[napi(object, object_from_js = false)]
pub struct MetricFields {
    /// Its name.
    pub name: String,
    /// The names and values of its labels, one after the other.
    pub labels: Vec<String>,
    /// The number.
    pub value: f64,
}

/// A message's lease.
#[napi(object, object_to_js = false)]
pub struct LeaseFields {
    /// The message's topic.
    pub topic: String,
    /// The message's id.
    pub id: String,
    /// The secret.
    pub lease: String,
}

/// A checked call, before its operation.
struct Call {
    sdk: RonAppSdk,
    capability: CapabilitySource,
    limit: Option<Duration>,
    key: Option<IdemKey>,
    trace: Option<TraceParent>,
    report: bool,
}

/// Runs an operation of the core within a call: `run!(call, operation(arguments) => conversion)`.
macro_rules! run {
    ($environment:expr, $call:expr, $operation:ident ( $($argument:expr),* ) => $value:expr) => {{
        let call = $call;
        $environment.submit(async move {
            let mut calls = call.sdk.with(call.capability);
            if let Some(limit) = call.limit {
                calls = calls.timeout(limit);
            }
            if let Some(key) = call.key {
                calls = calls.idempotency_key(key);
            }
            if let Some(trace) = call.trace {
                calls = calls.traceparent(trace);
            }
            let (value, report) = calls.with_report().$operation($($argument),*).await?;
            Ok(outcome($value(value), report, call.report))
        })
    }};
}

#[napi]
impl NativeClient {
    /// With these settings.
    #[napi]
    pub fn create(settings: SettingTexts) -> Either<NativeClient, Failure> {
        either(Self::of(&settings))
    }

    /// The texts that the settings come to, in the order of their table, for tests.
    #[napi]
    pub fn texts(settings: SettingTexts) -> Either<Vec<String>, Failure> {
        either(settings.config().map(|config| {
            let texts = SdkConfig::keys().map(|key| config.get(key).unwrap_or_default());
            texts.collect()
        }))
    }

    /// Stores an object.
    #[napi]
    pub fn storage_put(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        body: &[u8],
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let body = Bytes::copy_from_slice(body);
            run!(environment, call, storage_put(body) => Value::Address)
        }))
    }

    /// Fetches an object.
    #[napi]
    pub fn storage_get(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        address: String,
    ) -> Started {
        either(self.call(capability, settings).and_then(
            |call| run!(environment, call, storage_get(address.as_str()) => Value::Bytes),
        ))
    }

    /// Fetches a part of an object.
    #[napi]
    pub fn storage_get_range(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        address: String,
        first: f64,
        last: f64,
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let range = range_of(first, last)?;
            run!(environment, call, storage_get_range(address.as_str(), range) => Value::Range)
        }))
    }

    /// Asks for an object's size.
    #[napi]
    pub fn storage_head(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        address: String,
    ) -> Started {
        either(self.call(capability, settings).and_then(
            |call| run!(environment, call, storage_head(address.as_str()) => Value::Info),
        ))
    }

    /// Fetches the object at a path, or a range of it.
    #[napi]
    pub fn edge_get(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        path: String,
        first: Option<f64>,
        last: Option<f64>,
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let range = first.zip(last);
            let range = range
                .map(|(first, last)| range_of(first, last))
                .transpose()?;
            run!(environment, call, edge_get(&path, range) => Value::Bytes)
        }))
    }

    /// Asks for the size and address of the object at a path.
    #[napi]
    pub fn edge_head(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        path: String,
    ) -> Started {
        either(
            self.call(capability, settings)
                .and_then(|call| run!(environment, call, edge_head(&path) => Value::Info)),
        )
    }

    /// Sends a message, whose attributes are names and values, one after the other.
    #[napi]
    pub fn mailbox_send(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        topic: String,
        body: &[u8],
        attributes: Vec<String>,
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let mut mail = Mail::new(topic_of(&topic)?, Bytes::copy_from_slice(body));
            mail.attributes = attributes_of(&attributes)?;
            run!(environment, call, mailbox_send(mail) => Value::Receipt)
        }))
    }

    /// Receives messages.
    #[napi]
    #[allow(clippy::too_many_arguments)] // one crossing is cheaper than an object
    pub fn mailbox_receive(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        topic: String,
        max: f64,
        visibility_ms: f64,
        wait_ms: f64,
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let receive = Receive {
                topic: topic_of(&topic)?,
                max: max as u16,
                visibility: millis("visibilityMs", visibility_ms)?,
                wait: millis("waitMs", wait_ms)?,
            };
            if f64::from(receive.max) != max {
                return Err(Failure::schema(
                    "max",
                    format_args!("{max} is not a number of messages"),
                ));
            }
            run!(environment, call, mailbox_receive(&receive) => Value::Messages)
        }))
    }

    /// Receives messages from the capability's topic.
    #[napi]
    pub fn mailbox_recv(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
    ) -> Started {
        either(
            self.call(capability, settings)
                .and_then(|call| run!(environment, call, mailbox_recv() => Value::Messages)),
        )
    }

    /// Ends a message.
    #[napi]
    pub fn mailbox_ack(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        lease: LeaseFields,
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let lease = lease_of(&lease)?;
            run!(environment, call, mailbox_ack(&lease) => nothing)
        }))
    }

    /// Gives a message back.
    #[napi]
    pub fn mailbox_nack(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        lease: LeaseFields,
        delay_ms: f64,
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let (lease, delay) = (lease_of(&lease)?, millis("delayMs", delay_ms)?);
            run!(environment, call, mailbox_nack(&lease, delay) => nothing)
        }))
    }

    /// Keeps a message for longer.
    #[napi]
    pub fn mailbox_extend(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        lease: LeaseFields,
        visibility_ms: f64,
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let (lease, visibility) = (lease_of(&lease)?, millis("visibilityMs", visibility_ms)?);
            run!(environment, call, mailbox_extend(&lease, visibility) => nothing)
        }))
    }

    /// Looks a name up.
    #[napi]
    pub fn index_resolve(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        name: String,
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let name = name_of(&name)?;
            run!(environment, call, index_resolve(&name) => Value::Address)
        }))
    }

    /// Gives an address a name. `expected` is an address, or nothing but `absent`.
    #[napi]
    pub fn index_publish(
        &self,
        environment: &Environment,
        capability: &NativeCapability,
        settings: CallSettings,
        name: String,
        address: String,
        expected: Option<String>,
    ) -> Started {
        either(self.call(capability, settings).and_then(|call| {
            let name = name_of(&name)?;
            let expected = expected.map(|text| expected_of(&text)).transpose()?;
            run!(environment, call, index_publish(&name, address.as_str(), expected) => nothing)
        }))
    }

    /// Connects, or finds that it is connected.
    #[napi]
    pub fn connect(
        &self,
        environment: &Environment,
        timeout_ms: Option<f64>,
        report: bool,
    ) -> Started {
        let sdk = self.sdk.clone();
        let limit = timeout_ms.map(|limit| millis("timeoutMs", limit));
        either(limit.transpose().and_then(|limit| {
            environment.submit(async move {
                let how = sdk.connect(limit).await?;
                Ok(outcome(Value::Nothing, how, report))
            })
        }))
    }

    /// Whether the client is ready, as far as it knows.
    #[napi]
    pub fn ready(&self) -> ReadinessFields {
        (&self.sdk.ready()).into()
    }

    /// Finds out whether the client is ready.
    #[napi]
    pub fn probe(&self, environment: &Environment, timeout_ms: Option<f64>) -> Started {
        let sdk = self.sdk.clone();
        let limit = timeout_ms.map(|limit| millis("timeoutMs", limit));
        either(limit.transpose().and_then(|limit| {
            environment.submit(async move {
                let readiness = sdk.probe(limit).await?;
                Ok(Outcome {
                    value: Value::Readiness(Box::new(readiness)),
                    report: None,
                })
            })
        }))
    }

    /// Closes the client. The completion's value is how many calls were cut off.
    #[napi]
    pub fn close(&self, environment: &Environment, limit_ms: f64) -> Started {
        let sdk = self.sdk.clone();
        either(millis("timeoutMs", limit_ms).and_then(|limit| {
            environment.submit(async move {
                let cut_off = sdk.close(limit).await;
                let value = Value::Number(u32::try_from(cut_off).unwrap_or(u32::MAX));
                Ok(Outcome {
                    value,
                    report: None,
                })
            })
        }))
    }

    /// What the client has counted so far, as text for Prometheus.
    #[napi]
    pub fn metrics_text(&self) -> String {
        self.sdk.metrics().prometheus()
    }

    /// What the client has counted so far, number by number.
    #[napi]
    pub fn metrics(&self) -> Vec<MetricFields> {
        let samples = self.sdk.metrics().snapshot().samples();
        let fields = samples.into_iter().map(|sample| MetricFields {
            name: sample.name,
            labels: sample
                .labels
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value])
                .collect(),
            value: sample.value,
        });
        fields.collect()
    }

    /// What the client has at the moment.
    #[napi]
    pub fn stats(&self) -> Stats {
        let stats = self.sdk.stats();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Stats {
            open_calls: count(stats.open_calls),
            connections: count(stats.connections),
            waiting_calls: count(stats.waiting_calls),
            open_streams: count(stats.open_streams),
            unsent_bytes: stats.unsent_bytes as f64,
            cached_objects: count(stats.cached_objects),
            cached_bytes: stats.cached_bytes as f64,
        }
    }
}

impl NativeClient {
    fn of(settings: &SettingTexts) -> Result<Self, Failure> {
        #[cfg_attr(not(feature = "echo"), allow(unused_mut))]
        let mut config = settings.config()?;
        #[cfg(feature = "echo")]
        {
            config.transport = ron_app_sdk::Transport::Echo;
        }
        match RonAppSdk::new(config).now_or_never() {
            Some(sdk) => Ok(Self { sdk: sdk? }),
            None => Err(Failure::argument(
                ErrorKind::Internal,
                "client",
                "it was not made at once",
            )),
        }
    }

    fn call(&self, capability: &NativeCapability, settings: CallSettings) -> Result<Call, Failure> {
        let limit = settings.timeout_ms.map(|limit| millis("timeoutMs", limit));
        let key = settings
            .idempotency_key
            .map(|key| IdemKey::new(&key).map_err(|rule| Failure::schema("idempotencyKey", rule)));
        Ok(Call {
            sdk: self.sdk.clone(),
            capability: capability.source.clone(),
            limit: limit.transpose()?,
            key: key.transpose()?,
            // One that is none is no call's failure.
            trace: settings.traceparent.and_then(|text| text.parse().ok()),
            report: settings.report,
        })
    }
}

fn either<T>(result: Result<T, Failure>) -> Either<T, Failure> {
    match result {
        Ok(value) => Either::A(value),
        Err(failure) => Either::B(failure),
    }
}

fn outcome(value: Value, report: CallReport, is_wanted: bool) -> Outcome {
    Outcome {
        value,
        report: is_wanted.then_some(report),
    }
}

fn nothing((): ()) -> Value {
    Value::Nothing
}

fn millis(field: &str, millis: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(millis / 1000.0).map_err(|_| {
        Failure::schema(
            field,
            format_args!("{millis} is not a time in milliseconds"),
        )
    })
}

fn range_of(first: f64, last: f64) -> Result<ByteRange, Failure> {
    let bound = |bound: f64| {
        let whole = bound as u64;
        let is_whole = whole as f64 == bound && whole < 1 << 53;
        let rule = format_args!("{bound} is not a whole number from 0 to 2^53 - 1").to_string();
        is_whole
            .then_some(whole)
            .ok_or_else(|| Failure::schema("range", rule))
    };
    ByteRange::new(bound(first)?, bound(last)?).map_err(|rule| Failure::schema("range", rule))
}

fn topic_of(text: &str) -> Result<Topic, Failure> {
    Topic::new(text).map_err(|rule| Failure::schema("topic", rule))
}

fn name_of(text: &str) -> Result<IndexKey, Failure> {
    IndexKey::new(text).map_err(|rule| Failure::schema("name", rule))
}

fn expected_of(text: &str) -> Result<Expected, Failure> {
    match text {
        "absent" => Ok(Expected::Absent),
        text => text
            .parse()
            .map(Expected::Address)
            .map_err(|rule: ron_app_sdk::AddressError| Failure::schema("expected", rule)),
    }
}

fn lease_of(fields: &LeaseFields) -> Result<Lease, Failure> {
    let token = |field: &str, text: &str| {
        let rule = "it is not 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -";
        Token::new(text).ok_or_else(|| Failure::schema(field, rule))
    };
    Ok(Lease::new(
        topic_of(&fields.topic)?,
        token("id", &fields.id)?,
        token("lease", &fields.lease)?,
    ))
}

fn attributes_of(pairs: &[String]) -> Result<Attributes, Failure> {
    let mut attributes = Attributes::default();
    for pair in pairs.chunks_exact(2) {
        attributes
            .insert(&*pair[0], &*pair[1])
            .map_err(|rule| Failure::schema("attributes", rule))?;
    }
    Ok(attributes)
}
