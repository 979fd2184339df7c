//! For this project's own benches, under the feature `echo`: clients whose calls are answered within the process, and the
//! same calls without the boundary, made in the same library.

use crate::boundary::{guard, reference_mut, Outcome};
use crate::config::ron_config_t;
use crate::error::{ron_error_t, Failure};
use crate::status::ron_status_t;
use ron_app_sdk::blocking::RonAppSdk;
use ron_app_sdk::{AddrB3, Capability, SdkConfig, Transport};
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

/// Calls of the Rust interface over an echo, one after the other.
pub struct ron_echo_t {
    sdk: RonAppSdk,
    capability: Capability,
    body: Vec<u8>,
    address: AddrB3,
}

/// Calls with a body of this.
#[no_mangle]
pub unsafe extern "C" fn ron_echo_new(
    capability: *const c_char,
    body: *const c_void,
    body_len: usize,
) -> *mut ron_echo_t {
    let make = || -> Outcome<ron_echo_t> {
        let config = SdkConfig {
            transport: Transport::Echo,
            ..SdkConfig::default()
        };
        let sdk = RonAppSdk::new(config)?;
        let capability =
            Capability::from_base64url(crate::boundary::text(capability, "capability")?)?;
        let body = crate::boundary::bytes(body, body_len, "body")?.to_vec();
        let address = sdk.with(&capability).storage_put(&body)?;
        Ok(ron_echo_t {
            sdk,
            capability,
            body,
            address,
        })
    };
    make().map_or(std::ptr::null_mut(), |echo| Box::into_raw(Box::new(echo)))
}

/// The nanoseconds that so many calls take: gets or puts. 0 where one fails.
#[no_mangle]
pub unsafe extern "C" fn ron_echo_time(echo: *mut ron_echo_t, gets: bool, calls: u32) -> u64 {
    let time = || -> Outcome<u64> {
        let echo = reference_mut(echo, "echo")?;
        let begin = Instant::now();
        for _ in 0..calls {
            let with = echo.sdk.with(&echo.capability).with_report();
            if gets {
                black_box(with.storage_get(echo.address)?);
            } else {
                black_box(with.storage_put(&echo.body)?);
            }
        }
        u64::try_from(begin.elapsed().as_nanos()).map_err(|_| Failure::null("time"))
    };
    time().unwrap_or(0)
}

/// Ends them.
#[no_mangle]
pub unsafe extern "C" fn ron_echo_release(echo: *mut ron_echo_t) {
    crate::boundary::release_box(echo);
}
