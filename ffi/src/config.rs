//! `ron_config_t`: the settings of a client.

use crate::boundary::{guard, guard_plain, reference_mut, release_box, text, Out};
use crate::error::{c_text, ron_error_t};
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
/// RON_SDK_OVERALL_TIMEOUT_MS and so on, one variable for each setting. RON_CONFIG names the variable where one is not
/// what it should be.
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

/// Sets one setting by its name from a text: ron_config_set(config, "timeouts.connect_ms", "500", &error). Its range is
/// checked when a client is made. "transport" comes first, since its own defaults of "overall_timeout_ms" and
/// "timeouts.connect_ms" replace those of the transport before. RON_CONFIG where there is no such setting, and where it
/// cannot have such a value.
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
