//! Clients of an echo in the place of the connection, for benches: what a call costs beside the socket, in Python and in
//! the core alone.

use crate::asynchronous::AsyncClient;
use crate::blocking::RonAppSdk;
use crate::capability::Source;
use crate::error::exception;
use crate::settings::Settings;
use pyo3::prelude::*;
use ron_app_sdk::blocking::RonAppSdk as Client;
use ron_app_sdk::{SdkConfig, SdkError, Transport};
use std::time::Instant;

fn config() -> SdkConfig {
    SdkConfig {
        transport: Transport::Echo,
        ..SdkConfig::default()
    }
}

fn settings(capability: Source) -> Settings {
    Settings {
        config: config(),
        capability: Some(capability.into_inner()),
    }
}

/// A client for threads.
#[pyfunction]
pub(crate) fn echo_client(py: Python<'_>, capability: Source) -> PyResult<RonAppSdk> {
    RonAppSdk::with_settings(py, settings(capability), None)
}

/// What a client for event loops is made of.
#[pyfunction]
pub(crate) fn echo_async_client(py: Python<'_>, capability: Source) -> PyResult<AsyncClient> {
    AsyncClient::with_settings(py, settings(capability), false)
}

/// The seconds that the core's own blocking client takes for so many gets of an object with these bytes.
#[pyfunction]
pub(crate) fn core_get(
    py: Python<'_>,
    capability: Source,
    body: &[u8],
    calls: usize,
) -> PyResult<f64> {
    let capability = capability.into_inner();
    let run = || -> Result<f64, SdkError> {
        let client = Client::new(config())?;
        let address = client.with(&capability).storage_put(body)?;
        let began = Instant::now();
        for _ in 0..calls {
            let _ = client
                .with(&capability)
                .with_report()
                .storage_get(address)?;
        }
        Ok(began.elapsed().as_secs_f64())
    };
    py.detach(run).map_err(|error| exception(py, &error))
}
