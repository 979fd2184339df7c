//! `ron_error_t`: what went wrong, beyond its number.

use crate::boundary::{guard_plain, release_box};
use crate::status::{ron_status_t, RON_CONFIG, RON_INTERNAL, RON_OK, RON_TOO_LARGE};
use ron_app_sdk::{Executed, SdkError};
use std::ffi::{c_char, CString};
use std::ptr;

/// Whether something took effect at the gateway: RON_EXECUTED_NO, _YES or _UNKNOWN.
pub type ron_executed_t = u32;

/// It certainly did not.
pub const RON_EXECUTED_NO: ron_executed_t = 0;
/// It certainly did.
pub const RON_EXECUTED_YES: ron_executed_t = 1;
/// Nobody can say.
pub const RON_EXECUTED_UNKNOWN: ron_executed_t = 2;

pub(crate) const fn executed(executed: Executed) -> ron_executed_t {
    match executed {
        Executed::No => RON_EXECUTED_NO,
        Executed::Yes => RON_EXECUTED_YES,
        Executed::Unknown => RON_EXECUTED_UNKNOWN,
    }
}

/// Why a function failed. Made by functions that fail where they are given room for it, released with
/// ron_error_release(). It does not change: threads may read it at once. It is the caller's own also in a child of
/// a fork.
pub struct ron_error_t {
    status: ron_status_t,
    executed: ron_executed_t,
    attempts: u32,
    gateway_status: u16,
    retry_after_ms: Option<u64>,
    message: CString,
}

/// An error on its way out: its text is made only where somebody wants it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The core's.
    Sdk(SdkError),
    /// The boundary's own, before anything was done.
    Own(ron_status_t, String),
}

impl Failure {
    /// An argument is not what it should be.
    pub(crate) fn argument(message: String) -> Self {
        Self::Own(RON_CONFIG, message)
    }

    /// There is nothing where something should be.
    pub(crate) fn null(name: &str) -> Self {
        Self::argument(format!("{name}: it is NULL"))
    }

    /// A buffer has no room for what it is to take.
    pub(crate) fn no_room(capacity: usize, len: usize) -> Self {
        let message = format!("buffer: it takes {capacity} bytes, and {len} are needed");
        Self::Own(RON_TOO_LARGE, message)
    }

    pub(crate) fn panicked() -> Self {
        Self::Own(RON_INTERNAL, "the SDK panicked: this is a bug".to_owned())
    }

    pub(crate) fn status(&self) -> ron_status_t {
        match self {
            Self::Sdk(error) => error.kind().number(),
            Self::Own(status, _) => *status,
        }
    }
}

impl From<SdkError> for Failure {
    fn from(error: SdkError) -> Self {
        Self::Sdk(error)
    }
}

impl From<Failure> for ron_error_t {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sdk(error) => Self::from(&error),
            Failure::Own(status, message) => Self {
                status,
                executed: RON_EXECUTED_NO,
                attempts: 0,
                gateway_status: 0,
                retry_after_ms: None,
                message: c_text(&message),
            },
        }
    }
}

impl From<&SdkError> for ron_error_t {
    fn from(error: &SdkError) -> Self {
        let retry_after = error.retry_after();
        Self {
            status: error.kind().number(),
            executed: executed(error.executed()),
            attempts: error.attempts(),
            gateway_status: error.status().unwrap_or(0),
            retry_after_ms: retry_after
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            message: c_text(&error.to_string()),
        }
    }
}

/// A text for C, which ends at a NUL.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', " ")).unwrap_or_default())
}

/// The error's kind, which is what the function returned; RON_OK for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_error_status(error: *const ron_error_t) -> ron_status_t {
    error.as_ref().map_or(RON_OK, |error| error.status)
}

/// Whether the call took effect all the same.
#[no_mangle]
pub unsafe extern "C" fn ron_error_executed(error: *const ron_error_t) -> ron_executed_t {
    error
        .as_ref()
        .map_or(RON_EXECUTED_NO, |error| error.executed)
}

/// How many attempts were made; 0 where the call failed before any I/O.
#[no_mangle]
pub unsafe extern "C" fn ron_error_attempts(error: *const ron_error_t) -> u32 {
    error.as_ref().map_or(0, |error| error.attempts)
}

/// The status code of the gateway's answer, 100 to 999; 0 where it did not answer.
#[no_mangle]
pub unsafe extern "C" fn ron_error_gateway_status(error: *const ron_error_t) -> u16 {
    error.as_ref().map_or(0, |error| error.gateway_status)
}

/// Puts the milliseconds after which the gateway suggests to try again, and returns true; returns false where it
/// suggests nothing. `out` may be NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_error_retry_after_ms(
    error: *const ron_error_t,
    out: *mut u64,
) -> bool {
    let Some(after) = error.as_ref().and_then(|error| error.retry_after_ms) else {
        return false;
    };
    if !out.is_null() {
        out.write(after);
    }
    true
}

/// A sentence for people: the kind, what was wrong with which field, and what to check. It has no secrets in it, and
/// is not for programs to read. Valid until the error is released; NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_error_message(error: *const ron_error_t) -> *const c_char {
    guard_plain(ptr::null(), || {
        error
            .as_ref()
            .map_or(ptr::null(), |error| error.message.as_ptr())
    })
}

/// Releases an error. NULL is allowed.
#[no_mangle]
pub unsafe extern "C" fn ron_error_release(error: *mut ron_error_t) {
    release_box(error);
}
