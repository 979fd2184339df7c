//! The index: names of addresses.

use crate::address::ron_address_t;
use crate::boundary::{guard, reference, text, Out, Outcome};
use crate::capability::ron_capability_t;
use crate::client::ron_client_t;
use crate::error::{ron_error_t, Failure};
use crate::options::ron_call_options_t;
use crate::queue::ron_queue_t;
use crate::result::Value;
use crate::start::{block, start, Start};
use crate::status::{ron_status_t, RON_SCHEMA_VIOLATION};
use ron_app_sdk::{AddrB3, Expected, IndexKey};
use std::ffi::{c_char, c_void};

/// What a publish expects a name to stand for before it: RON_EXPECTED_ANYTHING, _NOTHING or _ADDRESS.
pub type ron_expected_t = u32;

/// Whatever it stands for.
pub const RON_EXPECTED_ANYTHING: ron_expected_t = 0;
/// For nothing yet.
pub const RON_EXPECTED_NOTHING: ron_expected_t = 1;
/// For the address that is given.
pub const RON_EXPECTED_ADDRESS: ron_expected_t = 2;

/// The address that a name stands for. A name has 1 to 253 characters of a-z 0-9 . _ -, without a dot at its beginning or
/// end. RON_NOT_FOUND where it stands for nothing, and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_index_resolve(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    name: *const c_char,
    options: *const ron_call_options_t,
    out: *mut ron_address_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::new(out, ron_address_t::NONE, "out")?;
        let name = index_key(name)?;
        let address = block(client, capability, options, |calls| {
            calls.index_resolve(&name)
        })?;
        out.set(address.into());
        Ok(())
    })
}

/// ron_index_resolve() as an asynchronous call; the rest is as with ron_storage_put_start(). The name is copied. Its
/// completion has an address.
#[no_mangle]
pub unsafe extern "C" fn ron_index_resolve_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    name: *const c_char,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let name = index_key(name)?;
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let (address, report) = started.calls().index_resolve(&name).await?;
            Ok((Value::Address(address), report))
        })
    })
}

/// Lets a name stand for an address: in any case with RON_EXPECTED_ANYTHING; with the others only where it stands for
/// that so far. `expected_address` may be NULL unless it is expected. RON_CONFLICT where the name stands for something
/// else, or another publish was made under the idempotency key; and whatever can befall any call.
#[no_mangle]
pub unsafe extern "C" fn ron_index_publish(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    name: *const c_char,
    address: *const ron_address_t,
    expected: ron_expected_t,
    expected_address: *const ron_address_t,
    options: *const ron_call_options_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let name = index_key(name)?;
        let address = AddrB3::from(reference(address, "address")?);
        let expected = read_expected(expected, expected_address)?;
        block(client, capability, options, |calls| {
            calls.index_publish(&name, address, expected)
        })
    })
}

/// ron_index_publish() as an asynchronous call; the rest is as with ron_storage_put_start(). The name is copied. Its
/// completion has no value.
#[no_mangle]
pub unsafe extern "C" fn ron_index_publish_start(
    client: *const ron_client_t,
    capability: *const ron_capability_t,
    name: *const c_char,
    address: *const ron_address_t,
    expected: ron_expected_t,
    expected_address: *const ron_address_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let options = ron_call_options_t::read(options)?;
        let name = index_key(name)?;
        let address = AddrB3::from(reference(address, "address")?);
        let expected = read_expected(expected, expected_address)?;
        let target = Start {
            client,
            capability,
            queue,
            user_data,
            call,
        };
        start(target, &options, |started| async move {
            let calls = started.calls();
            let ((), report) = calls.index_publish(&name, address, expected).await?;
            Ok((Value::Nothing, report))
        })
    })
}

unsafe fn index_key(name: *const c_char) -> Outcome<IndexKey> {
    IndexKey::new(text(name, "name")?)
        .map_err(|rule| Failure::Own(RON_SCHEMA_VIOLATION, format!("name: {rule}")))
}

unsafe fn read_expected(
    expected: ron_expected_t,
    address: *const ron_address_t,
) -> Outcome<Option<Expected>> {
    match expected {
        RON_EXPECTED_ANYTHING => Ok(None),
        RON_EXPECTED_NOTHING => Ok(Some(Expected::Absent)),
        RON_EXPECTED_ADDRESS => {
            let address = AddrB3::from(reference(address, "expected_address")?);
            Ok(Some(Expected::Address(address)))
        }
        other => Err(Failure::argument(format!(
            "expected: {other} is none of 0, 1 and 2"
        ))),
    }
}
