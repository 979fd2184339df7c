//! `ron_buffer_t`: bytes that the SDK has received.

use crate::boundary::{guard_plain, release_box};
use bytes::Bytes;
use std::ffi::c_void;
use std::ptr;

/// Bytes that the SDK has received, where it has received them: nothing is copied. Released with
/// ron_buffer_release(). It does not change: threads may read it at once. It outlives its client.
pub struct ron_buffer_t(pub(crate) Bytes);

/// The bytes, valid until the buffer is released. Not NULL, also where there are none; NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_buffer_data(buffer: *const ron_buffer_t) -> *const c_void {
    buffer
        .as_ref()
        .map_or(ptr::null(), |buffer| buffer.0.as_ptr().cast())
}

/// How many bytes there are; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_buffer_len(buffer: *const ron_buffer_t) -> usize {
    buffer.as_ref().map_or(0, |buffer| buffer.0.len())
}

/// Another handle of the same bytes, to be released too; nothing is copied. NULL for NULL.
#[no_mangle]
pub unsafe extern "C" fn ron_buffer_share(buffer: *const ron_buffer_t) -> *mut ron_buffer_t {
    guard_plain(ptr::null_mut(), || match buffer.as_ref() {
        Some(buffer) => Box::into_raw(Box::new(ron_buffer_t(buffer.0.clone()))),
        None => ptr::null_mut(),
    })
}

/// Releases a buffer. NULL is allowed.
#[no_mangle]
pub unsafe extern "C" fn ron_buffer_release(buffer: *mut ron_buffer_t) {
    release_box(buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_shows_the_bytes_where_they_are() {
        let bytes = Bytes::from(vec![1, 2, 3]);
        let buffer = Box::into_raw(Box::new(ron_buffer_t(bytes.clone())));
        // SAFETY: both are handles, until they are released.
        unsafe {
            let other = ron_buffer_share(buffer);
            assert_eq!(ron_buffer_data(buffer).cast(), bytes.as_ptr());
            assert_eq!(ron_buffer_data(other).cast(), bytes.as_ptr());
            ron_buffer_release(buffer);
            assert_eq!(ron_buffer_len(other), 3);
            ron_buffer_release(other);
            assert!(ron_buffer_data(ptr::null()).is_null());
            assert_eq!(ron_buffer_len(ptr::null()), 0);
            assert!(ron_buffer_share(ptr::null()).is_null());
            ron_buffer_release(ptr::null_mut());
        }
    }
}
