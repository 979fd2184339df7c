//! `ron_client_t`: a client of one gateway, with both forms of every operation.
//!
//! A program mostly uses one of the two forms, and each has connections of its own. Both of the core's clients are made at
//! once all the same: neither reads or connects anything before its first call, so the one that is not used costs a few
//! kilobytes and no lock, and a wrong setting is seen when the client is made, whatever it is used for.

use crate::boundary::{
    guard, into_handle, reference, release_handle, shared, shared_now, Out, Outcome,
};
use crate::config::ron_config_t;
use crate::error::{ron_error_t, Failure};
use crate::metrics::ron_metrics_t;
use crate::options::{ron_call_options_t, Filled, Versioned};
use crate::queue::ron_queue_t;
use crate::start::{connect, start_connect};
use crate::status::{ron_status_t, RON_FORK_DETECTED};
use ron_app_sdk::{blocking, Metrics, RonAppSdk, SdkConfig};
use std::ffi::c_void;
use std::mem::size_of;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A client of one gateway: it has the connections. Made with ron_client_new(), released with ron_client_release().
/// Threads may share it, and make calls of both forms at once; the two forms have connections of their own. After a fork,
/// the child's calls with it fail as RON_FORK_DETECTED; the child may release it, and makes a new one.
pub struct ron_client_t {
    pub(crate) blocking: blocking::RonAppSdk,
    pub(crate) asynchronous: RonAppSdk,
    process: u32,
}

impl ron_client_t {
    fn check_process(&self) -> Outcome {
        if self.process == process::id() {
            return Ok(());
        }
        let message = "the client was made before this process was forked".to_owned();
        Err(Failure::Own(RON_FORK_DETECTED, message))
    }
}

/// What a client has at the moment. Begin with RON_CLIENT_STATS_INIT. When no call is open and the gateway has
/// answered what was cancelled, all of it is 0 but the connections and what the cache has.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_client_stats_t {
    /// sizeof(ron_client_stats_t)
    pub struct_size: usize,
    /// Calls that have not returned, those included that wait for a slot or for their next attempt.
    pub open_calls: u64,
    /// Connections to the gateway.
    pub connections: u64,
    /// Calls that wait for a slot on a connection.
    pub waiting_calls: u64,
    /// Requests whose answer has not ended, cancelled ones included.
    pub open_streams: u64,
    /// Sealed bytes that no socket has taken yet.
    pub unsent_bytes: u64,
    /// Objects in the cache.
    pub cached_objects: u64,
    /// Their bytes.
    pub cached_bytes: u64,
}

// SAFETY: repr(C), begins with its size, numbers only.
unsafe impl Versioned for ron_client_stats_t {
    const FIRST_SIZE: usize = size_of::<Self>();
    const DEFAULT: Self = Self {
        struct_size: size_of::<Self>(),
        open_calls: 0,
        connections: 0,
        waiting_calls: 0,
        open_streams: 0,
        unsent_bytes: 0,
        cached_objects: 0,
        cached_bytes: 0,
    };
}

/// A client with these settings, which stay the caller's; NULL for the defaults. Nothing is read or connected before
/// the first call. RON_CONFIG where a setting is out of its range.
#[no_mangle]
pub unsafe extern "C" fn ron_client_new(
    config: *const ron_config_t,
    out: *mut *mut ron_client_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        out.set(into_handle(client(config, &Metrics::new())?));
        Ok(())
    })
}

/// ron_client_new() with counters of the caller's, which stay the caller's; clients that share them are counted together.
#[no_mangle]
pub unsafe extern "C" fn ron_client_new_with_metrics(
    config: *const ron_config_t,
    metrics: *const ron_metrics_t,
    out: *mut *mut ron_client_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let metrics = shared_now(metrics, "metrics")?;
        out.set(into_handle(client(config, &metrics.0)?));
        Ok(())
    })
}

/// Both forms are counted together.
unsafe fn client(config: *const ron_config_t, metrics: &Metrics) -> Outcome<ron_client_t> {
    let config = config
        .as_ref()
        .map_or_else(SdkConfig::default, |config| config.0.clone());
    let asynchronous = RonAppSdk::with_metrics(config.clone(), metrics);
    Ok(ron_client_t {
        blocking: blocking::RonAppSdk::with_metrics(config, metrics)?,
        asynchronous: futures_executor::block_on(asynchronous)?,
        process: process::id(),
    })
}

/// Opens a connection to the gateway and waits for its answer to HELLO; where one is open already, it does no I/O. Calls
/// connect by themselves: this is for a program that wants to know early whether the gateway is there, whatever its
/// capabilities allow. It is tried again as a read is, within the options' limit; of the options, `timeout_ms`, `report` and
/// `is_interrupted` count. RON_TRANSPORT, RON_TLS, RON_OAP_VIOLATION where something else answers, RON_DEADLINE_EXCEEDED.
#[no_mangle]
pub unsafe extern "C" fn ron_client_connect(
    client: *const ron_client_t,
    options: *const ron_call_options_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || connect(client, options))
}

/// ron_client_connect() as an asynchronous call, for the connections of such calls; the rest is as with
/// ron_storage_put_start(). Its completion has no value.
#[no_mangle]
pub unsafe extern "C" fn ron_client_connect_start(
    client: *const ron_client_t,
    options: *const ron_call_options_t,
    queue: *const ron_queue_t,
    user_data: *mut c_void,
    call: *mut u64,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        start_connect(client, options, queue, user_data, call)
    })
}

/// Closes a client: it takes no more calls (RON_CLOSED), waits for up to `limit_ms` for those that are open, in both
/// forms and in all threads, and ends those that are open then as RON_CLOSED. Puts into `cut_off`, which may be NULL, how
/// many that were. The handle stays valid, and is still to be released. A client need not be closed.
#[no_mangle]
pub unsafe extern "C" fn ron_client_close(
    client: *const ron_client_t,
    limit_ms: u64,
    cut_off: *mut usize,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        if !cut_off.is_null() {
            cut_off.write(0);
        }
        let client = shared(client, "client")?;
        client.check_process()?;
        // What does not fit is as good as for ever.
        let limit = Duration::from_millis(limit_ms.min(u64::from(u32::MAX)));
        let count = close(&client, limit);
        if !cut_off.is_null() {
            cut_off.write(count);
        }
        Ok(())
    })
}

fn close(client: &ron_client_t, limit: Duration) -> usize {
    let until = Instant::now() + limit;
    // Refuses new calls of this form at once, whatever those of the other one take.
    let asynchronous = client.asynchronous.clone();
    let first = client.blocking.clone();
    std::thread::scope(|scope| {
        let closing = std::thread::Builder::new()
            .name("ron-close".to_owned())
            .spawn_scoped(scope, move || first.close(limit));
        let left = until.saturating_duration_since(Instant::now());
        let count = futures_executor::block_on(asynchronous.close(left));
        count
            + match closing {
                Ok(closing) => closing.join().unwrap_or(0),
                // Without a thread, one after the other.
                Err(_) => client
                    .blocking
                    .close(until.saturating_duration_since(Instant::now())),
            }
    })
}

/// What a client has at the moment, both forms together.
#[no_mangle]
pub unsafe extern "C" fn ron_client_stats(
    client: *const ron_client_t,
    out: *mut ron_client_stats_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Filled::new(out, "out")?;
        let client = shared_now(client, "client")?;
        client.check_process()?;
        let (one, two) = (client.blocking.stats(), client.asynchronous.stats());
        out.set(&ron_client_stats_t {
            open_calls: (one.open_calls + two.open_calls) as u64,
            connections: (one.connections + two.connections) as u64,
            waiting_calls: (one.waiting_calls + two.waiting_calls) as u64,
            open_streams: (one.open_streams + two.open_streams) as u64,
            unsent_bytes: (one.unsent_bytes + two.unsent_bytes) as u64,
            cached_objects: (one.cached_objects + two.cached_objects) as u64,
            cached_bytes: (one.cached_bytes + two.cached_bytes) as u64,
            ..ron_client_stats_t::DEFAULT
        });
        Ok(())
    })
}

/// Another handle of the same client, to be released too: for a thread that is to have its own. NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_client_share(client: *const ron_client_t) -> *mut ron_client_t {
    if reference(client, "client").is_err() {
        return std::ptr::null_mut();
    }
    Arc::increment_strong_count(client);
    client.cast_mut()
}

/// Releases a client, without waiting. NULL is allowed. Calls that other threads have begun by then, and asynchronous ones
/// that are open, go on to their end as if nothing had happened; the connections end with the last of them.
/// To end them, close the client first. Like any handle, it must not be used by a call that begins afterwards.
#[no_mangle]
pub unsafe extern "C" fn ron_client_release(client: *mut ron_client_t) {
    release_handle(client);
}
