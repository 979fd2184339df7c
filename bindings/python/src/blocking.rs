//! `RonAppSdk`: the client for threads.

use crate::arguments::{expected, idempotency_key, mail, name, receive, Payload, Range, Time};
use crate::body::Body;
use crate::capability::Source;
use crate::error::exception;
use crate::logs;
use crate::mailbox::{LeaseOf, Message, Receipt};
use crate::metrics;
use crate::settings::Settings;
use crate::signals::blocking;
use crate::traces;
use crate::values::{CallReport, ClientStats, ObjectInfo, Readiness, UnverifiedRange};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use pyo3::{PyTraverseError, PyVisit};
use ron_app_sdk::blocking::{Calls, RonAppSdk as Client};
use ron_app_sdk::{self as sdk, Address, CapabilitySource, IdemKey, Reported, SdkError};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// A client of one RON gateway, whose calls block their thread. Threads may share it.
///
/// Settings are keyword arguments: see `Settings`. `capability` and `timeout`, in seconds or as a `timedelta`, are those
/// of calls that have none of their own. `on_report` is called with the `CallReport` of each call that succeeds, before
/// the call returns. Nothing is read or connected before the first call.
///
/// ```python
/// with RonAppSdk.from_env() as sdk:
///     address = sdk.storage_put(b"hello")
///     assert sdk.storage_get(address) == b"hello"
/// ```
#[pyclass(frozen, module = "ron_app_sdk")]
pub(crate) struct RonAppSdk {
    client: Client,
    capability: Option<CapabilitySource>,
    gateway_addr: String,
    on_report: Option<Py<PyAny>>,
}

impl RonAppSdk {
    pub(crate) fn with_settings(
        py: Python<'_>,
        settings: Settings,
        on_report: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        logs::client_made(py);
        let Settings { config, capability } = settings;
        let gateway_addr = config.gateway_addr.clone();
        match Client::new(config) {
            Ok(client) => Ok(Self {
                client,
                capability,
                gateway_addr,
                on_report,
            }),
            Err(error) => Err(exception(py, &error)),
        }
    }

    fn run<T: Send>(
        &self,
        py: Python<'_>,
        capability: Option<Source>,
        timeout: Option<Time>,
        call: impl FnOnce(Calls<'_, Reported>) -> Result<(T, sdk::CallReport), SdkError> + Send,
    ) -> PyResult<T> {
        let capability = Source::or_default(py, capability, self.capability.as_ref())?;
        let trace = traces::current(py);
        let (value, report) = blocking(py, || {
            let mut calls = self.client.with(capability).with_report();
            if let Some(Time(limit)) = timeout {
                calls = calls.timeout(limit);
            }
            if let Some(trace) = trace {
                calls = calls.traceparent(trace);
            }
            call(calls)
        })?;
        if let Some(on_report) = &self.on_report {
            on_report.call1(py, (CallReport::from(report),))?;
        }
        Ok(value)
    }
}

fn keyed(calls: Calls<'_, Reported>, key: Option<IdemKey>) -> Calls<'_, Reported> {
    match key {
        Some(key) => calls.idempotency_key(key),
        None => calls,
    }
}

#[pymethods]
impl RonAppSdk {
    #[new]
    #[pyo3(signature = (*, capability=None, timeout=None, on_report=None, **settings))]
    fn new(
        py: Python<'_>,
        capability: Option<Source>,
        timeout: Option<Time>,
        on_report: Option<Py<PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let settings = Settings::of_arguments(py, capability, timeout, settings)?;
        Self::with_settings(py, settings, on_report)
    }

    /// A client with the settings of the environment: RON_SDK_GATEWAY_ADDR and so on, and the capability in
    /// RON_SDK_CAPABILITY if there is one. Arguments go before it.
    #[staticmethod]
    #[pyo3(signature = (*, capability=None, timeout=None, on_report=None, **settings))]
    fn from_env(
        py: Python<'_>,
        capability: Option<Source>,
        timeout: Option<Time>,
        on_report: Option<Py<PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let settings = Settings::of_environment(py, None, capability, timeout, settings)?;
        Self::with_settings(py, settings, on_report)
    }

    /// A client with the settings of the environment, which go before those of a file in TOML. Otherwise as `from_env`.
    #[staticmethod]
    #[pyo3(signature = (path, *, capability=None, timeout=None, on_report=None, **settings))]
    fn from_file(
        py: Python<'_>,
        path: PathBuf,
        capability: Option<Source>,
        timeout: Option<Time>,
        on_report: Option<Py<PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let settings = Settings::of_environment(py, Some(&path), capability, timeout, settings)?;
        Self::with_settings(py, settings, on_report)
    }

    /// Stores up to 1,015,808 bytes and returns their address, which is compared with their hash.
    #[pyo3(signature = (body, *, capability=None, timeout=None, idempotency_key=None))]
    fn storage_put(
        &self,
        py: Python<'_>,
        body: Payload,
        capability: Option<Source>,
        timeout: Option<Time>,
        idempotency_key: Option<&str>,
    ) -> PyResult<String> {
        let key = self::idempotency_key(py, idempotency_key)?;
        let address = self.run(py, capability, timeout, |calls| {
            keyed(calls, key).storage_put(body.as_ref())
        })?;
        Ok(address.to_string())
    }

    /// Fetches an object. Its bytes are hashed and compared with the address.
    #[pyo3(signature = (address, *, capability=None, timeout=None))]
    fn storage_get(
        &self,
        py: Python<'_>,
        address: &str,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<Body> {
        let address = Address::from(address);
        let bytes = self.run(py, capability, timeout, |calls| calls.storage_get(address))?;
        Ok(bytes.into())
    }

    /// Fetches a part of an object, such as `range(0, 100)`, which cannot be verified.
    #[pyo3(signature = (address, byte_range, *, capability=None, timeout=None))]
    fn storage_get_range(
        &self,
        py: Python<'_>,
        address: &str,
        byte_range: Range,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<UnverifiedRange> {
        let address = Address::from(address);
        let part = self.run(py, capability, timeout, |calls| {
            calls.storage_get_range(address, byte_range.0)
        })?;
        UnverifiedRange::new(py, part)
    }

    /// Asks for an object's size.
    #[pyo3(signature = (address, *, capability=None, timeout=None))]
    fn storage_head(
        &self,
        py: Python<'_>,
        address: &str,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<ObjectInfo> {
        let address = Address::from(address);
        let info = self.run(py, capability, timeout, |calls| calls.storage_head(address))?;
        Ok(info.into())
    }

    /// Fetches the object at a path, or a range of it that ends at the object's end at the latest.
    #[pyo3(signature = (path, byte_range=None, *, capability=None, timeout=None))]
    fn edge_get(
        &self,
        py: Python<'_>,
        path: &str,
        byte_range: Option<Range>,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<Body> {
        let range = byte_range.map(|Range(range)| range);
        let bytes = self.run(py, capability, timeout, |calls| calls.edge_get(path, range))?;
        Ok(bytes.into())
    }

    /// Asks for the size and address of the object at a path.
    #[pyo3(signature = (path, *, capability=None, timeout=None))]
    fn edge_head(
        &self,
        py: Python<'_>,
        path: &str,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<ObjectInfo> {
        let info = self.run(py, capability, timeout, |calls| calls.edge_head(path))?;
        Ok(info.into())
    }

    /// Sends a message. It is delivered at least once.
    #[pyo3(signature = (topic, body, *, attributes=None, capability=None, timeout=None, idempotency_key=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn mailbox_send(
        &self,
        py: Python<'_>,
        topic: &str,
        body: Payload,
        attributes: Option<HashMap<String, String>>,
        capability: Option<Source>,
        timeout: Option<Time>,
        idempotency_key: Option<&str>,
    ) -> PyResult<Receipt> {
        let mail = mail(py, topic, body, attributes)?;
        let key = self::idempotency_key(py, idempotency_key)?;
        let receipt = self.run(py, capability, timeout, |calls| {
            keyed(calls, key).mailbox_send(mail)
        })?;
        Ok(receipt.into())
    }

    /// Receives up to `max_messages` messages, 1 to 64, that nobody else gets for `visibility`, 250 ms to 12 h; where
    /// there is none, waits for a first one for up to `wait`, at most 20 s.
    #[pyo3(signature = (topic, *, max_messages=1, visibility=None, wait=None, capability=None, timeout=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn mailbox_receive(
        &self,
        py: Python<'_>,
        topic: &str,
        max_messages: i64,
        visibility: Option<Time>,
        wait: Option<Time>,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<Vec<Message>> {
        let receive = receive(py, topic, max_messages, visibility, wait)?;
        let messages = self.run(py, capability, timeout, |calls| {
            calls.mailbox_receive(&receive)
        })?;
        messages.into_iter().map(|m| Message::new(py, m)).collect()
    }

    /// Receives up to 16 messages from the one topic that the capability is for, for 30 s, and waits for a first one for
    /// as long as the timeout allows, at most 20 s.
    #[pyo3(signature = (*, capability=None, timeout=None))]
    fn mailbox_recv(
        &self,
        py: Python<'_>,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<Vec<Message>> {
        let messages = self.run(py, capability, timeout, |calls| calls.mailbox_recv())?;
        messages.into_iter().map(|m| Message::new(py, m)).collect()
    }

    /// Ends a message: it is not delivered again.
    #[pyo3(signature = (message, *, capability=None, timeout=None))]
    fn mailbox_ack(
        &self,
        py: Python<'_>,
        message: LeaseOf,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<()> {
        self.run(py, capability, timeout, |calls| {
            calls.mailbox_ack(&message.0)
        })
    }

    /// Gives a message back, to be delivered again after `delay`, 0 to 12 h.
    #[pyo3(signature = (message, *, delay=None, capability=None, timeout=None))]
    fn mailbox_nack(
        &self,
        py: Python<'_>,
        message: LeaseOf,
        delay: Option<Time>,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<()> {
        let delay = delay.map_or(Duration::ZERO, |Time(delay)| delay);
        self.run(py, capability, timeout, |calls| {
            calls.mailbox_nack(&message.0, delay)
        })
    }

    /// Keeps a message for `visibility` from now, 250 ms to 12 h, under the same lease.
    #[pyo3(signature = (message, visibility, *, capability=None, timeout=None))]
    fn mailbox_extend(
        &self,
        py: Python<'_>,
        message: LeaseOf,
        visibility: Time,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<()> {
        self.run(py, capability, timeout, |calls| {
            calls.mailbox_extend(&message.0, visibility.0)
        })
    }

    /// The address that a name stands for.
    #[pyo3(signature = (name, *, capability=None, timeout=None))]
    fn index_resolve(
        &self,
        py: Python<'_>,
        name: &str,
        capability: Option<Source>,
        timeout: Option<Time>,
    ) -> PyResult<String> {
        let name = self::name(py, name)?;
        let address = self.run(py, capability, timeout, |calls| calls.index_resolve(&name))?;
        Ok(address.to_string())
    }

    /// Lets a name stand for an address; with `expected`, an address or "absent", only where it stands for that so far.
    #[pyo3(signature = (name, address, *, expected=None, capability=None, timeout=None, idempotency_key=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn index_publish(
        &self,
        py: Python<'_>,
        name: &str,
        address: &str,
        expected: Option<&str>,
        capability: Option<Source>,
        timeout: Option<Time>,
        idempotency_key: Option<&str>,
    ) -> PyResult<()> {
        let name = self::name(py, name)?;
        let (address, expected) = (Address::from(address), self::expected(py, expected)?);
        let key = self::idempotency_key(py, idempotency_key)?;
        self.run(py, capability, timeout, |calls| {
            keyed(calls, key).index_publish(&name, address, expected)
        })
    }

    /// Opens a connection and waits for the gateway's HELLO; where one is open, does nothing. Calls connect by themselves:
    /// this is for a program that wants to know early whether the gateway is there.
    #[pyo3(signature = (timeout=None))]
    fn connect(&self, py: Python<'_>, timeout: Option<Time>) -> PyResult<()> {
        let limit = timeout.map(|Time(limit)| limit);
        blocking(py, || self.client.connect(limit)).map(drop)
    }

    /// Whether the client is ready, as far as it knows without any I/O.
    fn ready(&self, py: Python<'_>) -> PyResult<Readiness> {
        Readiness::new(py, &self.client.ready())
    }

    /// Finds out whether the client is ready: opens a connection, or lets one that is open show that it is alive. Needs no
    /// capability. What goes wrong is in what it returns.
    #[pyo3(signature = (timeout=None))]
    fn probe(&self, py: Python<'_>, timeout: Option<Time>) -> PyResult<Readiness> {
        let limit = timeout.map(|Time(limit)| limit);
        let readiness = blocking(py, || self.client.probe(limit))?;
        Readiness::new(py, &readiness)
    }

    /// Closes the client: it takes no more calls, waits for up to `timeout` for those that are open, 5 s unless given,
    /// and ends those that are open then as `ClosedError`. Returns how many that were.
    #[pyo3(signature = (timeout=None))]
    fn close(&self, py: Python<'_>, timeout: Option<Time>) -> usize {
        let limit = timeout.map_or(CLOSE, |Time(limit)| limit);
        py.detach(|| self.client.close(limit))
    }

    /// What the client has at the moment.
    fn stats(&self) -> ClientStats {
        self.client.stats().into()
    }

    /// What the client has counted so far, by the names of the text: for each number its labels and its value.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        metrics::dictionary(py, self.client.metrics())
    }

    /// What the client has counted so far, as text for Prometheus.
    fn metrics_text(&self, py: Python<'_>) -> String {
        py.detach(|| self.client.metrics().prometheus())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.on_report)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// Waits for calls of other threads where all went well, and for nothing where an exception is on its way.
    #[pyo3(signature = (kind, value, traceback, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: Option<&Bound<'_, PyType>>,
        value: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) {
        let _ = (value, traceback);
        let limit = if kind.is_none() {
            CLOSE
        } else {
            Duration::ZERO
        };
        py.detach(|| self.client.close(limit));
    }

    fn __repr__(&self) -> String {
        format!("RonAppSdk(gateway_addr='{}')", self.gateway_addr)
    }
}

/// How long a client that is closed waits for its open calls.
pub(crate) const CLOSE: Duration = Duration::from_secs(5);
