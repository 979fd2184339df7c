//! `AsyncClient`: what `AsyncRonAppSdk`, which is written in Python, is made of. Each operation starts a call and returns
//! its id; what comes of it is in the queue.

use crate::arguments::{expected, idempotency_key, mail, name, receive, Payload, Range, Time};
use crate::blocking::CLOSE;
use crate::capability::Source;
use crate::error::{exception, invalid};
use crate::logs;
use crate::mailbox::LeaseOf;
use crate::metrics;
use crate::queue::{CompletionQueue, Output};
use crate::settings::Settings;
use crate::traces;
use crate::values::{ClientStats, Readiness};
use futures_util::FutureExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use ron_app_sdk::{
    self as sdk, Address, Calls, CapabilitySource, IdemKey, Reported, RonAppSdk as Client,
    SdkError, TraceParent,
};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// A client whose calls end in a queue.
#[pyclass(frozen, module = "ron_app_sdk._native")]
pub(crate) struct AsyncClient {
    client: Client,
    capability: Option<CapabilitySource>,
    gateway_addr: String,
    /// Whether results come with their `CallReport`.
    is_reporting: bool,
}

/// What one call is made with.
struct Call {
    client: Client,
    capability: CapabilitySource,
    timeout: Option<Time>,
    trace: Option<TraceParent>,
    is_reporting: bool,
}

impl Call {
    fn calls(&self) -> Calls<'_, Reported> {
        let mut calls = self.client.with(&self.capability).with_report();
        if let Some(Time(limit)) = self.timeout {
            calls = calls.timeout(limit);
        }
        if let Some(trace) = &self.trace {
            calls = calls.traceparent(trace.clone());
        }
        calls
    }

    fn keyed(&self, key: Option<IdemKey>) -> Calls<'_, Reported> {
        match key {
            Some(key) => self.calls().idempotency_key(key),
            None => self.calls(),
        }
    }

    /// What comes of the call.
    fn ended<T>(
        &self,
        result: Result<(T, sdk::CallReport), SdkError>,
        output: impl FnOnce(T) -> Output,
    ) -> Result<Output, SdkError> {
        let (value, report) = result?;
        let output = output(value);
        Ok(if self.is_reporting {
            Output::Reported(Box::new(output), report)
        } else {
            output
        })
    }
}

impl AsyncClient {
    pub(crate) fn with_settings(
        py: Python<'_>,
        settings: Settings,
        is_reporting: bool,
    ) -> PyResult<Self> {
        logs::client_made(py);
        let Settings { config, capability } = settings;
        let gateway_addr = config.gateway_addr.clone();
        // It waits for nothing.
        match Client::new(config).now_or_never() {
            Some(Ok(client)) => Ok(Self {
                client,
                capability,
                gateway_addr,
                is_reporting,
            }),
            Some(Err(error)) => Err(exception(py, &error)),
            None => Err(invalid(py, "settings", "the client is not ready at once")),
        }
    }

    fn call(
        &self,
        py: Python<'_>,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<Call> {
        Ok(Call {
            capability: Source::or_default(py, capability, self.capability.as_ref())?,
            client: self.client.clone(),
            timeout,
            trace: traces::current(py),
            is_reporting: self.is_reporting,
        })
    }
}

#[pymethods]
impl AsyncClient {
    #[new]
    #[pyo3(signature = (capability, timeout, is_reporting, settings))]
    fn new(
        py: Python<'_>,
        capability: Option<Source>,
        timeout: Option<Time>,
        is_reporting: bool,
        settings: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let settings = Settings::of_arguments(py, capability, timeout, Some(settings))?;
        Self::with_settings(py, settings, is_reporting)
    }

    #[staticmethod]
    fn from_env(
        py: Python<'_>,
        path: Option<PathBuf>,
        capability: Option<Source>,
        timeout: Option<Time>,
        is_reporting: bool,
        settings: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let settings =
            Settings::of_environment(py, path.as_deref(), capability, timeout, Some(settings))?;
        Self::with_settings(py, settings, is_reporting)
    }

    fn storage_put(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        body: Payload,
        capability: Option<Source>,
        timeout: Option<Time>,
        idempotency_key: Option<&str>,
    ) -> PyResult<u64> {
        let key = self::idempotency_key(py, idempotency_key)?;
        let (call, body) = (self.call(py, capability, timeout)?, body.into_bytes());
        queue.submit(py, async move {
            let result = call.keyed(key).storage_put(body).await;
            call.ended(result, Output::Address)
        })
    }

    fn storage_get(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        address: &str,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let (call, address) = (self.call(py, capability, timeout)?, Address::from(address));
        queue.submit(py, async move {
            let result = call.calls().storage_get(address).await;
            call.ended(result, Output::Bytes)
        })
    }

    fn storage_get_range(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        address: &str,
        byte_range: Range,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let (call, address) = (self.call(py, capability, timeout)?, Address::from(address));
        queue.submit(py, async move {
            let result = call.calls().storage_get_range(address, byte_range.0).await;
            call.ended(result, Output::Range)
        })
    }

    fn storage_head(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        address: &str,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let (call, address) = (self.call(py, capability, timeout)?, Address::from(address));
        queue.submit(py, async move {
            let result = call.calls().storage_head(address).await;
            call.ended(result, Output::Info)
        })
    }

    fn edge_get(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        path: String,
        byte_range: Option<Range>,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let call = self.call(py, capability, timeout)?;
        let range = byte_range.map(|Range(range)| range);
        queue.submit(py, async move {
            let result = call.calls().edge_get(&path, range).await;
            call.ended(result, Output::Bytes)
        })
    }

    fn edge_head(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        path: String,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let call = self.call(py, capability, timeout)?;
        queue.submit(py, async move {
            let result = call.calls().edge_head(&path).await;
            call.ended(result, Output::Info)
        })
    }

    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn mailbox_send(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        topic: &str,
        body: Payload,
        attributes: Option<HashMap<String, String>>,
        capability: Option<Source>,
        timeout: Option<Time>,
        idempotency_key: Option<&str>,
    ) -> PyResult<u64> {
        let mail = mail(py, topic, body, attributes)?;
        let key = self::idempotency_key(py, idempotency_key)?;
        let call = self.call(py, capability, timeout)?;
        queue.submit(py, async move {
            let result = call.keyed(key).mailbox_send(mail).await;
            call.ended(result, Output::Receipt)
        })
    }

    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn mailbox_receive(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        topic: &str,
        max_messages: i64,
        visibility: Option<Time>,
        wait: Option<Time>,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let receive = receive(py, topic, max_messages, visibility, wait)?;
        let call = self.call(py, capability, timeout)?;
        queue.submit(py, async move {
            let result = call.calls().mailbox_receive(&receive).await;
            call.ended(result, Output::Messages)
        })
    }

    fn mailbox_recv(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let call = self.call(py, capability, timeout)?;
        queue.submit(py, async move {
            let result = call.calls().mailbox_recv().await;
            call.ended(result, Output::Messages)
        })
    }

    fn mailbox_ack(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        message: LeaseOf,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let call = self.call(py, capability, timeout)?;
        queue.submit(py, async move {
            let result = call.calls().mailbox_ack(&message.0).await;
            call.ended(result, |()| Output::Nothing)
        })
    }

    fn mailbox_nack(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        message: LeaseOf,
        delay: Option<Time>,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let call = self.call(py, capability, timeout)?;
        let delay = delay.map_or(Duration::ZERO, |Time(delay)| delay);
        queue.submit(py, async move {
            let result = call.calls().mailbox_nack(&message.0, delay).await;
            call.ended(result, |()| Output::Nothing)
        })
    }

    fn mailbox_extend(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        message: LeaseOf,
        visibility: Time,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let call = self.call(py, capability, timeout)?;
        queue.submit(py, async move {
            let result = call.calls().mailbox_extend(&message.0, visibility.0).await;
            call.ended(result, |()| Output::Nothing)
        })
    }

    fn index_resolve(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        name: &str,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let name = self::name(py, name)?;
        let call = self.call(py, capability, timeout)?;
        queue.submit(py, async move {
            let result = call.calls().index_resolve(&name).await;
            call.ended(result, Output::Address)
        })
    }

    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn index_publish(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        name: &str,
        address: &str,
        expected: Option<&str>,
        capability: Option<Source>,
        timeout: Option<Time>,
        idempotency_key: Option<&str>,
    ) -> PyResult<u64> {
        let name = self::name(py, name)?;
        let (address, expected) = (Address::from(address), self::expected(py, expected)?);
        let key = self::idempotency_key(py, idempotency_key)?;
        let call = self.call(py, capability, timeout)?;
        queue.submit(py, async move {
            let result = call
                .keyed(key)
                .index_publish(&name, address, expected)
                .await;
            call.ended(result, |()| Output::Nothing)
        })
    }

    fn connect(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let (client, limit) = (self.client.clone(), timeout.map(|Time(limit)| limit));
        queue.submit(py, async move {
            client.connect(limit).await?;
            Ok(Output::Nothing)
        })
    }

    fn ready(&self, py: Python<'_>) -> PyResult<Readiness> {
        Readiness::new(py, &self.client.ready())
    }

    fn probe(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let (client, limit) = (self.client.clone(), timeout.map(|Time(limit)| limit));
        queue.submit(py, async move {
            let readiness = client.probe(limit).await?;
            Ok(Output::Readiness(Box::new(readiness)))
        })
    }

    fn close(
        &self,
        py: Python<'_>,
        queue: &CompletionQueue,
        timeout: Option<Time>,
    ) -> PyResult<u64> {
        let (client, limit) = (
            self.client.clone(),
            timeout.map_or(CLOSE, |Time(limit)| limit),
        );
        queue.submit(
            py,
            async move { Ok(Output::Count(client.close(limit).await)) },
        )
    }

    fn stats(&self) -> ClientStats {
        self.client.stats().into()
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        metrics::dictionary(py, self.client.metrics())
    }

    fn metrics_text(&self, py: Python<'_>) -> String {
        py.detach(|| self.client.metrics().prometheus())
    }

    fn __repr__(&self) -> String {
        format!("AsyncRonAppSdk(gateway_addr='{}')", self.gateway_addr)
    }
}
