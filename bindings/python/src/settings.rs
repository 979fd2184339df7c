//! Settings as keyword arguments: `timeouts_connect_ms` is the core's `timeouts.connect_ms`.

use crate::capability::{Capability, Source};
use crate::error::{exception, invalid};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyDict, PyList, PyString};
use ron_app_sdk::{CapabilitySource, SdkConfig};
use std::path::Path;
use std::time::Duration;

use crate::arguments::Time;

/// The keyword arguments that clients take as settings, with the names that the settings have in every language.
#[pyfunction]
pub(crate) fn setting_names() -> Vec<(String, &'static str)> {
    SdkConfig::keys().map(|key| (keyword(key), key)).collect()
}

/// The texts that settings are set to by these arguments, by their names in every language, for tests.
#[pyfunction]
pub(crate) fn setting_texts(
    py: Python<'_>,
    settings: Option<&Bound<'_, PyDict>>,
) -> PyResult<Vec<(&'static str, String)>> {
    let Settings { config, .. } = Settings::of_arguments(py, None, None, settings)?;
    let texts = SdkConfig::keys().map(|key| (key, config.get(key).unwrap_or_default()));
    Ok(texts.collect())
}

fn keyword(key: &str) -> String {
    key.replace('.', "_")
}

/// What a client is made with.
pub(crate) struct Settings {
    pub(crate) config: SdkConfig,
    pub(crate) capability: Option<CapabilitySource>,
}

impl Settings {
    /// The defaults, changed by the arguments.
    pub(crate) fn of_arguments(
        py: Python<'_>,
        capability: Option<Source>,
        timeout: Option<Time>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let capability = capability.map(Source::into_inner);
        Self::changed(py, SdkConfig::default(), capability, timeout, settings)
    }

    /// What the environment says, before what a file says, changed by the arguments.
    pub(crate) fn of_environment(
        py: Python<'_>,
        file: Option<&Path>,
        capability: Option<Source>,
        timeout: Option<Time>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let config = SdkConfig::load(file).map_err(|error| exception(py, &error))?;
        let capability = match capability {
            Some(source) => Some(source.into_inner()),
            None if std::env::var_os(ron_app_sdk::CAPABILITY_VARIABLE).is_some() => {
                Some(Capability::from_environment(py)?)
            }
            None => None,
        };
        Self::changed(py, config, capability, timeout, settings)
    }

    fn changed(
        py: Python<'_>,
        mut config: SdkConfig,
        capability: Option<CapabilitySource>,
        timeout: Option<Time>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let mut texts = Vec::new();
        for (name, value) in settings.into_iter().flatten() {
            let name = name.extract::<String>()?;
            let Some(key) = SdkConfig::keys().find(|key| keyword(key) == name) else {
                let known: Vec<String> = SdkConfig::keys().map(keyword).collect();
                let known = known.join(", ");
                return Err(PyTypeError::new_err(format!(
                    "unexpected keyword argument '{name}'; there are capability, timeout, {known}"
                )));
            };
            if value.is_none() {
                continue;
            }
            if key == "overall_timeout_ms" && timeout.is_some() {
                return Err(invalid(
                    py,
                    "timeout",
                    "it is the same as overall_timeout_ms: give one of them",
                ));
            }
            texts.push((key, text_of(&value)?));
        }
        // The transport first: it decides about defaults.
        texts.sort_by_key(|(key, _)| *key != "transport");
        for (key, text) in texts {
            config
                .set_as(key, &text, &keyword(key))
                .map_err(|error| exception(py, &error))?;
        }
        if let Some(Time(timeout)) = timeout {
            config.overall_timeout = timeout;
        }
        Ok(Self { config, capability })
    }
}

/// A value as the core reads it: `True` is `true`, a `timedelta` is milliseconds, a path is its text, a list has
/// commas.
fn text_of(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(flag.is_true().to_string());
    }
    if value.is_instance_of::<PyDelta>() {
        return Ok(value.extract::<Duration>()?.as_millis().to_string());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_str()?.to_owned());
    }
    if let Ok(list) = value.cast::<PyList>() {
        let texts: PyResult<Vec<String>> = list.iter().map(|item| text_of(&item)).collect();
        return Ok(texts?.join(","));
    }
    if value.hasattr("__fspath__")? {
        return value.call_method0("__fspath__")?.extract();
    }
    Ok(value.str()?.to_str()?.to_owned())
}
