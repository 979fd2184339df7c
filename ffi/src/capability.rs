//! `ron_capability_t`: what a caller may do.

use crate::boundary::{bytes, guard, into_handle, reference, release_handle, text, Out, Outcome};
use crate::buffer::ron_buffer_t;
use crate::error::{ron_error_t, Failure};
use crate::status::{ron_status_t, RON_OK};
use ron_app_sdk::{Capability, CapabilitySource};
use std::error::Error;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;

/// What a caller may do: a token, or a provider of tokens. Calls take it by reference; released with
/// ron_capability_release(). Threads may share it. A token can be used in a child of a fork, a provider cannot.
pub struct ron_capability_t {
    pub(crate) source: CapabilitySource,
    /// Of a fixed token.
    token: Option<Capability>,
}

impl ron_capability_t {
    fn of_token(token: Capability) -> Self {
        Self {
            source: CapabilitySource::from(&token),
            token: Some(token),
        }
    }

    fn of_source(source: CapabilitySource) -> Self {
        Self {
            source,
            token: None,
        }
    }

    fn token(&self) -> Outcome<&Capability> {
        self.token.as_ref().ok_or_else(|| {
            Failure::argument(
                "capability: it is a provider, and has no token of its own".to_owned(),
            )
        })
    }
}

/// A capability from a token as base64url, with or without padding. RON_CONFIG where it is none.
#[no_mangle]
pub unsafe extern "C" fn ron_capability_from_text(
    token: *const c_char,
    out: *mut *mut ron_capability_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let token = Capability::from_base64url(text(token, "token")?)?;
        out.set(into_handle(ron_capability_t::of_token(token)));
        Ok(())
    })
}

/// A capability from the bytes of a token, which are copied. RON_CONFIG where they are none.
#[no_mangle]
pub unsafe extern "C" fn ron_capability_from_bytes(
    token: *const c_void,
    token_len: usize,
    out: *mut *mut ron_capability_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let token = Capability::from_bytes(bytes(token, token_len, "token")?)?;
        out.set(into_handle(ron_capability_t::of_token(token)));
        Ok(())
    })
}

/// The capability in the environment variable RON_SDK_CAPABILITY, as base64url.
#[no_mangle]
pub unsafe extern "C" fn ron_capability_from_env(
    out: *mut *mut ron_capability_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let token = Capability::from_env()?;
        out.set(into_handle(ron_capability_t::of_token(token)));
        Ok(())
    })
}

/// A provider that reads the file at `path`, which holds a token as base64url, when the first call needs it, and again
/// when a gateway says that the token has expired. Whether the file can be read is seen by calls.
#[no_mangle]
pub unsafe extern "C" fn ron_capability_from_file(
    path: *const c_char,
    out: *mut *mut ron_capability_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let source = CapabilitySource::file(text(path, "path")?);
        out.set(into_handle(ron_capability_t::of_source(source)));
        Ok(())
    })
}

/// Hands out a capability that has not expired: puts a new handle into `out`, which the SDK then releases, and returns
/// RON_OK; or returns any other status, with which the calls that wait fail as RON_CAPABILITY_DENIED.
/// It runs on a thread that is made for it, one at a time; it may take its time, and use the SDK. It must not
/// throw, and must put a token, not another provider.
pub type ron_capability_provider_t = Option<
    unsafe extern "C" fn(user_data: *mut c_void, out: *mut *mut ron_capability_t) -> ron_status_t,
>;

/// Called once, from any thread, when something that was handed over is needed no more. It must not throw, and must
/// not wait for anything that the SDK does.
pub type ron_release_t = Option<unsafe extern "C" fn(data: *mut c_void)>;

/// A capability whose tokens come from `provider`, which is asked by the first call, and again when a gateway says that
/// the token has expired. `release`, which may be NULL, is called with `user_data` once, when nobody can ask any
/// more; also where this function fails.
#[no_mangle]
pub unsafe extern "C" fn ron_capability_from_provider(
    provider: ron_capability_provider_t,
    user_data: *mut c_void,
    release: ron_release_t,
    out: *mut *mut ron_capability_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let data = Handed::new(user_data, release);
        let out = Out::handle(out, "out")?;
        let provider = provider.ok_or_else(|| Failure::null("provider"))?;
        let fresh = move || -> Result<Capability, Box<dyn Error + Send + Sync>> {
            let mut capability = ptr::null_mut();
            // SAFETY: the caller has promised a function that can be called so, from any thread.
            let status = unsafe { provider(data.pointer(), &mut capability) };
            // SAFETY: what it puts there is a handle, which is ours now, or NULL.
            let capability = unsafe { taken(capability) };
            if status != RON_OK {
                return Err(format!("the provider returned status {status}").into());
            }
            let token = capability.and_then(|capability| capability.token.clone());
            token.ok_or_else(|| "the provider put no token".into())
        };
        let source = CapabilitySource::provider(fresh);
        out.set(into_handle(ron_capability_t::of_source(source)));
        Ok(())
    })
}

unsafe fn taken(capability: *mut ron_capability_t) -> Option<Arc<ron_capability_t>> {
    (!capability.is_null()).then(|| Arc::from_raw(capability.cast_const()))
}

/// The same capability, narrowed by a caveat such as "op=storage.get", without asking anybody. RON_CONFIG for a
/// provider, and where the caveat is empty or the token would grow above 64 caveats or 8 KiB.
#[no_mangle]
pub unsafe extern "C" fn ron_capability_attenuate(
    capability: *const ron_capability_t,
    caveat: *const c_char,
    out: *mut *mut ron_capability_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let capability = reference(capability, "capability")?;
        let token = capability.token()?.attenuate(text(caveat, "caveat")?)?;
        out.set(into_handle(ron_capability_t::of_token(token)));
        Ok(())
    })
}

/// The bytes of the token, to hand it on. They are a secret: keep them out of logs. RON_CONFIG for a provider.
#[no_mangle]
pub unsafe extern "C" fn ron_capability_expose(
    capability: *const ron_capability_t,
    out: *mut *mut ron_buffer_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::handle(out, "out")?;
        let token = reference(capability, "capability")?.token()?.clone();
        // The capability's own memory, which is wiped with its last owner.
        out.set_box(ron_buffer_t(bytes::Bytes::from_owner(Exposed(token))));
        Ok(())
    })
}

struct Exposed(Capability);

impl AsRef<[u8]> for Exposed {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Releases a capability. NULL is allowed. Calls that are made with it go on, also those of other threads.
#[no_mangle]
pub unsafe extern "C" fn ron_capability_release(capability: *mut ron_capability_t) {
    release_handle(capability);
}

/// Something of the caller's that was handed over, until it is given back.
pub(crate) struct Handed {
    data: *mut c_void,
    release: ron_release_t,
}

impl Handed {
    pub(crate) fn new(data: *mut c_void, release: ron_release_t) -> Self {
        Self { data, release }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.data
    }
}

// SAFETY: the pointer is only ever given to functions that the caller has promised can be called with it from any thread.
unsafe impl Send for Handed {}
// SAFETY: as above.
unsafe impl Sync for Handed {}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the caller has promised a function that can be called so, once, from any thread.
            unsafe { release(self.data) };
        }
    }
}
