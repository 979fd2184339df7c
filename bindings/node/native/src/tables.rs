//! What is written once in the core: the kinds of errors and the settings.

use napi_derive::napi;
use ron_app_sdk::{ErrorKind, SdkConfig, CAPABILITY_VARIABLE};

/// A kind of error.
#[napi(object, object_from_js = false)]
pub struct Kind {
    /// Its number, the same in every language.
    pub number: u32,
    /// Its name, the same in every language.
    pub name: &'static str,
}

/// A setting.
#[napi(object, object_from_js = false)]
pub struct Setting {
    /// Its name, the same in every language.
    pub name: &'static str,
    /// Its environment variable.
    pub variable: String,
}

/// Every kind of error, in the order of their numbers.
#[napi]
pub fn error_kinds() -> Vec<Kind> {
    let kinds = ErrorKind::all();
    kinds
        .map(|kind| Kind {
            number: kind.number(),
            name: kind.name(),
        })
        .collect()
}

/// Every setting.
#[napi]
pub fn settings() -> Vec<Setting> {
    let keys = SdkConfig::keys();
    keys.map(|name| Setting {
        name,
        variable: SdkConfig::variable(name),
    })
    .collect()
}

/// The variable that holds a capability.
#[napi]
pub fn capability_variable() -> &'static str {
    CAPABILITY_VARIABLE
}
