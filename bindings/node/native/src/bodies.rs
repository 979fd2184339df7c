//! Bytes on their way to JavaScript.

use bytes::Bytes;
use napi::bindgen_prelude::BufferSlice;
use napi::Env;

/// A `Buffer` with a copy of these bytes, in memory that JavaScript owns.
///
/// To hand the memory over as it is ("external") was measured too, and is slower from 64 KiB on, where it should be faster:
/// the finalisers keep it for too long, so that each call writes to fresh pages. See `docs/NODE.md` for the figures.
pub(crate) fn buffer(env: &Env, bytes: Bytes) -> napi::Result<BufferSlice<'_>> {
    BufferSlice::copy_from(env, bytes)
}
