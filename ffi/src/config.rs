//! `ron_config_t`: the settings of a client.

use crate::boundary::{guard, guard_plain, reference, reference_mut, release_box, text, Out};
use crate::buffer::ron_buffer_t;
use crate::error::{c_text, ron_error_t, Failure};
use crate::status::ron_status_t;
use ron_app_sdk::SdkConfig;
use std::ffi::{c_char, CString};
use std::ptr;
use std::sync::LazyLock;

/// The settings of a client, by name and text. Released with ron_config_release(). One thread at a time may use it;
/// clients copy what they need of it.
pub struct ron_config_t(pub(crate) SdkConfig);

/// The default settings.
#[no_mangle]
pub unsafe extern "C" fn ron_config_new(
    out: *mut *mut ron_config_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        Out::handle(out, "out")?.set_box(ron_config_t(SdkConfig::default()));
        Ok(())
    })
}

/// The default settings with what the environment sets: RON_SDK_GATEWAY_ADDR, RON_SDK_TLS_CA,
/// RON_SDK_OVERALL_TIMEOUT_MS and so on, one variable for each setting, and RON_SDK_CONFIG for a file that counts where no
/// variable does. RON_CONFIG names the variable, or the place in the file, where one is not what it should be.
#[no_mangle]
pub unsafe extern "C" fn ron_config_from_env(
    out: *mut *mut ron_config_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        out.set_box(ron_config_t(SdkConfig::from_env()?));
        Ok(())
    })
}

/// What the environment sets, before what a file in TOML sets, before the defaults. RON_CONFIG with the file and the line
/// where something is wrong with it, and where it cannot be read.
#[no_mangle]
pub unsafe extern "C" fn ron_config_from_file(
    path: *const c_char,
    out: *mut *mut ron_config_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        out.set_box(ron_config_t(SdkConfig::from_file(text(path, "path")?)?));
        Ok(())
    })
}

/// Sets one setting by its name from a text: ron_config_set(config, "timeouts.connect_ms", "500", &error).
/// "transport" comes first, since its own defaults of "overall_timeout_ms" and "timeouts.connect_ms" replace those of the
/// transport before. RON_CONFIG where there is no such setting, and where it cannot have such a value: then it keeps the one that it has.
#[no_mangle]
pub unsafe extern "C" fn ron_config_set(
    config: *mut ron_config_t,
    key: *const c_char,
    value: *const c_char,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let config = reference_mut(config, "config")?;
        Ok(config.0.set(text(key, "key")?, text(value, "value")?)?)
    })
}

/// The text that sets what a setting is: of no bytes where it is not set. RON_CONFIG where there is no such setting.
#[no_mangle]
pub unsafe extern "C" fn ron_config_get(
    config: *const ron_config_t,
    key: *const c_char,
    out: *mut *mut ron_buffer_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let (config, key) = (reference(config, "config")?, text(key, "key")?);
        let value = config
            .0
            .get(key)
            .ok_or_else(|| Failure::argument(format!("key: there is no setting {key:?}")))?;
        out.set_box(ron_buffer_t(value.into()));
        Ok(())
    })
}

/// The name of the setting with this index, counted from 0; NULL past the last one. Valid for ever.
#[no_mangle]
pub extern "C" fn ron_config_key(index: usize) -> *const c_char {
    static KEYS: LazyLock<Vec<CString>> = LazyLock::new(|| SdkConfig::keys().map(c_text).collect());
    guard_plain(ptr::null(), || {
        KEYS.get(index).map_or(ptr::null(), |key| key.as_ptr())
    })
}

/// Releases settings. NULL is allowed. Clients that were made with them stay as they are.
#[no_mangle]
pub unsafe extern "C" fn ron_config_release(config: *mut ron_config_t) {
    release_box(config);
}
