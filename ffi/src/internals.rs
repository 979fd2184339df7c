//! For this project's own benches, under the feature `internals`: the same calls without the boundary, made in the same
//! library; clients whose calls are answered within the process; and where the bodies lie that are sealed.
//! `benches/internals.h` declares all of it for C.

use crate::boundary::{guard, reference, reference_mut, Outcome};
use crate::config::ron_config_t;
use crate::error::ron_error_t;
use crate::status::ron_status_t;
use ron_app_sdk::blocking::RonAppSdk;
use ron_app_sdk::{internals, AddrB3, Capability, Transport};
use std::ffi::{c_char, c_void};
use std::hint::black_box;
use std::time::Instant;

/// Has the clients of a configuration call an echo.
#[no_mangle]
pub unsafe extern "C" fn ron_echo_config(
    config: *mut ron_config_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        reference_mut(config, "config")?.0.transport = Transport::Echo;
        Ok(())
    })
}

/// Calls of the Rust interface, one after the other.
pub struct ron_rust_t {
    sdk: RonAppSdk,
    capability: Capability,
    body: Vec<u8>,
    address: AddrB3,
}

/// Calls with a body of this, which is put.
#[no_mangle]
pub unsafe extern "C" fn ron_rust_new(
    config: *const ron_config_t,
    capability: *const c_char,
    body: *const c_void,
    body_len: usize,
) -> *mut ron_rust_t {
    let make = || -> Outcome<ron_rust_t> {
        let sdk = RonAppSdk::new(reference(config, "config")?.0.clone())?;
        let capability =
            Capability::from_base64url(crate::boundary::text(capability, "capability")?)?;
        let body = crate::boundary::bytes(body, body_len, "body")?.to_vec();
        let address = sdk.with(&capability).storage_put(&body)?;
        Ok(ron_rust_t {
            sdk,
            capability,
            body,
            address,
        })
    };
    make().map_or(std::ptr::null_mut(), |calls| Box::into_raw(Box::new(calls)))
}

/// Makes so many calls, gets or puts, and puts the nanoseconds of each into `times`, or those of all of them together
/// into its first element where `together` is set. False where one fails.
#[no_mangle]
pub unsafe extern "C" fn ron_rust_time(
    calls: *const ron_rust_t,
    gets: bool,
    together: bool,
    count: usize,
    times: *mut u64,
) -> bool {
    let time = || -> Outcome {
        let calls = reference(calls, "calls")?;
        let mut begin = Instant::now();
        for index in 0..count {
            let with = calls.sdk.with(&calls.capability).with_report();
            if gets {
                black_box(with.storage_get(calls.address)?);
            } else {
                black_box(with.storage_put(&calls.body)?);
            }
            if !together {
                let end = Instant::now();
                times.add(index).write((end - begin).as_nanos() as u64);
                begin = end;
            }
        }
        if together {
            times.write(begin.elapsed().as_nanos() as u64);
        }
        Ok(())
    };
    time().is_ok()
}

/// Ends them.
#[no_mangle]
pub unsafe extern "C" fn ron_rust_release(calls: *mut ron_rust_t) {
    crate::boundary::release_box(calls);
}

/// Begins to note where the bodies lie that are sealed.
#[no_mangle]
pub extern "C" fn ron_watch_sealing() {
    internals::watch_sealing();
}

/// Whether what was sealed since then is this body, from its first byte to its last, where it lies.
#[no_mangle]
pub unsafe extern "C" fn ron_sealed_in_place(body: *const c_void, body_len: usize) -> bool {
    let mut next = body as usize;
    let in_place = internals::take_sealed().into_iter().all(|(at, len)| {
        let follows = at == next;
        next = at + len;
        follows
    });
    in_place && next == body as usize + body_len
}
