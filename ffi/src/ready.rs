//! `ron_readiness_t`: whether a client is ready, check by check.

use crate::boundary::{guard, guard_plain, release_box, shared, shared_now, Out};
use crate::client::ron_client_t;
use crate::error::{c_text, ron_error_t, Failure};
use crate::options::ron_call_options_t;
use crate::start::interruptible;
use crate::status::{ron_status_t, RON_OK};
use ron_app_sdk::{Check, Readiness};
use std::ffi::{c_char, CString};
use std::ptr;

/// What is known of a client, check by check. Released with ron_readiness_release(). It does not change: threads may read
/// it at once.
pub struct ron_readiness_t {
    is_ready: bool,
    checks: [Checked; 3],
}

struct Checked {
    state: ron_check_t,
    status: ron_status_t,
    reason: Option<CString>,
}

/// What came of a check: one of RON_CHECK_*. A later version may have further numbers.
pub type ron_check_t = u32;

/// It has not come to that yet.
pub const RON_CHECK_UNKNOWN: ron_check_t = 0;
/// All is well.
pub const RON_CHECK_OK: ron_check_t = 1;
/// It is not.
pub const RON_CHECK_FAILED: ron_check_t = 2;
/// There is nothing to be checked.
pub const RON_CHECK_NOT_APPLICABLE: ron_check_t = 3;

/// Which check: one of RON_CHECKED_*, in their order. Where one has failed, nothing is known of those behind it.
pub type ron_checked_t = u32;

/// The settings, and the files that they name.
pub const RON_CHECKED_CONFIG: ron_checked_t = 0;
/// Tor, where the transport is that.
pub const RON_CHECKED_TOR: ron_checked_t = 1;
/// A connection to the gateway that has answered HELLO.
pub const RON_CHECKED_TRANSPORT: ron_checked_t = 2;

impl From<Readiness> for ron_readiness_t {
    fn from(readiness: Readiness) -> Self {
        Self {
            is_ready: readiness.is_ready(),
            checks: readiness.checks().map(|(_, check)| Checked::from(check)),
        }
    }
}

impl From<&Check> for Checked {
    fn from(check: &Check) -> Self {
        Self {
            state: match check {
                Check::Ok => RON_CHECK_OK,
                Check::Failed(_) => RON_CHECK_FAILED,
                Check::NotApplicable => RON_CHECK_NOT_APPLICABLE,
                _ => RON_CHECK_UNKNOWN,
            },
            status: check
                .error()
                .map_or(RON_OK, |error| Failure::from(error.clone()).status()),
            reason: check.error().map(|error| c_text(&error.to_string())),
        }
    }
}

/// What the client knows of itself, without I/O and without waiting; the caller releases it. Of its two forms, the one that
/// knows more counts.
#[no_mangle]
pub unsafe extern "C" fn ron_client_ready(
    client: *const ron_client_t,
    out: *mut *mut ron_readiness_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let client = shared_now(client, "client")?;
        let (one, other) = (client.blocking.ready(), client.asynchronous.ready());
        let knows_more = knowledge(&other) > knowledge(&one);
        out.set_box(ron_readiness_t::from(if knows_more { other } else { one }));
        Ok(())
    })
}

/// Finds out whether the client is ready: opens a connection of its blocking calls, or lets one that is open show that it is
/// alive. It needs no capability, and calls go on meanwhile. It is tried again as a read is, within the options' limit;
/// of the options, `timeout_ms` and `is_interrupted` count. What goes wrong is in what it puts into `out`, which the caller
/// releases; RON_CONFIG for a limit out of its range.
#[no_mangle]
pub unsafe extern "C" fn ron_client_probe(
    client: *const ron_client_t,
    options: *const ron_call_options_t,
    out: *mut *mut ron_readiness_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let options = ron_call_options_t::read(options)?;
        let client = shared(client, "client")?;
        let found = interruptible(&options, || client.blocking.probe(options.limit()))?;
        out.set_box(ron_readiness_t::from(found));
        Ok(())
    })
}

/// Whether every check that applies is well; false for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_readiness_is_ready(readiness: *const ron_readiness_t) -> bool {
    readiness
        .as_ref()
        .is_some_and(|readiness| readiness.is_ready)
}

/// What came of a check, RON_CHECK_UNKNOWN for NULL and for one that is none. Where it has failed, puts its status into
/// `status`, which may be NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_readiness_check(
    readiness: *const ron_readiness_t,
    check: ron_checked_t,
    status: *mut ron_status_t,
) -> ron_check_t {
    let checked = checked(readiness, check);
    if !status.is_null() {
        status.write(checked.map_or(RON_OK, |checked| checked.status));
    }
    checked.map_or(RON_CHECK_UNKNOWN, |checked| checked.state)
}

/// Why a check has failed, for a person; NULL where it has not.
#[no_mangle]
pub unsafe extern "C" fn ron_readiness_reason(
    readiness: *const ron_readiness_t,
    check: ron_checked_t,
) -> *const c_char {
    let reason = checked(readiness, check).and_then(|checked| checked.reason.as_ref());
    reason.map_or(ptr::null(), |reason| reason.as_ptr())
}

/// The name of a check, such as "transport"; NULL for one that is none. Valid for ever.
#[no_mangle]
pub extern "C" fn ron_check_name(check: ron_checked_t) -> *const c_char {
    guard_plain(ptr::null(), || match check {
        RON_CHECKED_CONFIG => c"config".as_ptr(),
        RON_CHECKED_TOR => c"tor".as_ptr(),
        RON_CHECKED_TRANSPORT => c"transport".as_ptr(),
        _ => ptr::null(),
    })
}

/// Releases it. NULL is allowed.
#[no_mangle]
pub unsafe extern "C" fn ron_readiness_release(readiness: *mut ron_readiness_t) {
    release_box(readiness);
}

/// That all is well is more than that something is not, which is more than nothing.
fn knowledge(readiness: &Readiness) -> u8 {
    let has_failed = |(_, check): &(&str, &Check)| check.error().is_some();
    match readiness.is_ready() {
        true => 2,
        false => readiness.checks().iter().any(has_failed).into(),
    }
}

unsafe fn checked<'a>(
    readiness: *const ron_readiness_t,
    check: ron_checked_t,
) -> Option<&'a Checked> {
    readiness.as_ref()?.checks.get(usize::try_from(check).ok()?)
}
