//! Bytes on their way to JavaScript.
#![allow(unsafe_code)]

use bytes::{Bytes, BytesMut};
use napi::bindgen_prelude::BufferSlice;
use napi::Env;

/// From this length on, a body is handed over as it is; a shorter one is copied. See `docs/NODE.md` for the figures.
const LEAST_EXTERNAL: usize = 32 * 1024;

/// A `Buffer` with these bytes, which JavaScript may write to.
pub(crate) fn buffer(env: &Env, bytes: Bytes) -> napi::Result<BufferSlice<'_>> {
    if bytes.len() < LEAST_EXTERNAL {
        return BufferSlice::copy_from(env, bytes);
    }
    match bytes.try_into_mut() {
        Ok(bytes) => external(env, bytes),
        // Somebody else has them too, such as the cache.
        Err(bytes) => BufferSlice::copy_from(env, bytes),
    }
}

fn external(env: &Env, mut bytes: BytesMut) -> napi::Result<BufferSlice<'_>> {
    let (data, len) = (bytes.as_mut_ptr(), bytes.len());
    // SAFETY: `data` points to `len` initialised bytes, which are nobody else's: `BytesMut` is unique. They stay where
    // they are when it moves, and are freed with it by the finaliser, when no JavaScript can see the buffer any more.
    unsafe { BufferSlice::from_external(env, data, len, bytes, |_, bytes| drop(bytes)) }
}
