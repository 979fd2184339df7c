//! The boundary itself: pointers into references, results into statuses, and the end of every panic.

use crate::error::{ron_error_t, Failure};
use crate::status::{ron_status_t, RON_OK};
use std::ffi::{c_char, c_void, CStr};
use std::mem::ManuallyDrop;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::slice;
use std::sync::Arc;

/// What a function that can fail does.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Runs a function that can fail: its status is returned, and its error put where the caller wants it.
pub(crate) unsafe fn guard(
    error: *mut *mut ron_error_t,
    work: impl FnOnce() -> Outcome,
) -> ron_status_t {
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        // Dropping what was thrown could panic again.
        std::mem::forget(panic);
        Err(Failure::panicked())
    });
    let (status, made) = match outcome {
        Ok(()) => (RON_OK, ptr::null_mut()),
        Err(failure) if error.is_null() => (failure.status(), ptr::null_mut()),
        Err(failure) => (
            failure.status(),
            Box::into_raw(Box::new(ron_error_t::from(failure))),
        ),
    };
    if !error.is_null() {
        // SAFETY: it is not NULL, so the caller has room for a pointer there.
        unsafe { error.write(made) };
    }
    status
}

/// Runs a function that cannot fail.
pub(crate) fn guard_plain<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        std::mem::forget(panic);
        otherwise
    })
}

/// A handle that threads share, and that one of them may release while another one uses it: each use holds it.
pub(crate) unsafe fn shared<T>(handle: *const T, name: &str) -> Outcome<Arc<T>> {
    if handle.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: the caller has a handle that `into_handle` made and that has not been released: its count is at least
    // one, and is raised before the new owner is made of it.
    unsafe {
        Arc::increment_strong_count(handle);
        Ok(Arc::from_raw(handle))
    }
}

/// The same without holding it, for a moment in which the caller does not release it.
pub(crate) unsafe fn shared_now<T>(handle: *const T, name: &str) -> Outcome<ManuallyDrop<Arc<T>>> {
    if handle.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: as above; the count stays as it is, because nothing is dropped.
    Ok(ManuallyDrop::new(unsafe { Arc::from_raw(handle) }))
}

/// A handle for the caller, who releases it.
pub(crate) fn into_handle<T>(value: T) -> *mut T {
    Arc::into_raw(Arc::new(value)).cast_mut()
}

/// Releases what [`into_handle`] has made.
pub(crate) unsafe fn release_handle<T>(handle: *const T) {
    if !handle.is_null() {
        // SAFETY: the caller gives back the owner that it was given.
        guard_plain((), || drop(unsafe { Arc::from_raw(handle) }));
    }
}

/// Releases what a `Box` was made into.
pub(crate) unsafe fn release_box<T>(owned: *mut T) {
    if !owned.is_null() {
        // SAFETY: the caller gives back the owner that it was given.
        guard_plain((), || drop(unsafe { Box::from_raw(owned) }));
    }
}

/// What a pointer points to.
pub(crate) unsafe fn reference<'a, T>(pointer: *const T, name: &str) -> Outcome<&'a T> {
    // SAFETY: the caller has a T there, unless it is NULL.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::null(name))
}

/// What a pointer points to, for somebody who is alone with it.
pub(crate) unsafe fn reference_mut<'a, T>(pointer: *mut T, name: &str) -> Outcome<&'a mut T> {
    // SAFETY: the caller has a T there, unless it is NULL, and no other thread uses it meanwhile.
    unsafe { pointer.as_mut() }.ok_or_else(|| Failure::null(name))
}

/// Where a result goes. It must be there before anything is done, and has `empty` until the result is.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    pub(crate) unsafe fn new(pointer: *mut T, empty: T, name: &str) -> Outcome<Self> {
        if pointer.is_null() {
            return Err(Failure::null(name));
        }
        // SAFETY: it is not NULL, so the caller has room for a T there.
        unsafe { pointer.write(empty) };
        Ok(Self(pointer))
    }

    pub(crate) fn set(self, value: T) {
        // SAFETY: as in `new`, and the call has not returned since.
        unsafe { self.0.write(value) };
    }
}

impl<T> Out<*mut T> {
    /// For a handle.
    pub(crate) unsafe fn handle(pointer: *mut *mut T, name: &str) -> Outcome<Self> {
        // SAFETY: the caller's promise is passed on.
        unsafe { Self::new(pointer, ptr::null_mut(), name) }
    }

    pub(crate) fn set_box(self, value: T) {
        self.set(Box::into_raw(Box::new(value)));
    }
}

/// A text that ends with a NUL.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Outcome<&'a str> {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: the caller has a text with a NUL at its end there, and leaves it alone during the call.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str()
        .map_err(|_| Failure::argument(format!("{name}: it is not UTF-8")))
}

/// Bytes; none at NULL is allowed.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, len: usize, name: &str) -> Outcome<&'a [u8]> {
    // SAFETY: the caller's promise is passed on.
    unsafe { slice(data.cast(), len, name) }
}

/// Several of something; none at NULL is allowed.
pub(crate) unsafe fn slice<'a, T>(data: *const T, len: usize, name: &str) -> Outcome<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Failure::argument(format!(
            "{name}: it is NULL, and its length is {len}"
        )));
    }
    let size = len.checked_mul(size_of::<T>());
    if !size.is_some_and(|size| isize::try_from(size).is_ok()) {
        return Err(Failure::argument(format!(
            "{name}: a length of {len} is more than there can be"
        )));
    }
    // SAFETY: the caller has so many there and leaves them alone during the call; the pointer is not NULL, and the
    // length is one that a slice may have.
    Ok(unsafe { slice::from_raw_parts(data, len) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::status::{RON_CONFIG, RON_INTERNAL};

    #[test]
    fn a_panic_ends_at_the_boundary() {
        let mut error = ptr::null_mut();
        // SAFETY: there is room for a pointer.
        let status = unsafe { guard(&mut error, || panic!("a test's")) };
        assert_eq!(status, RON_INTERNAL);
        assert!(!error.is_null());
        // SAFETY: it is what `guard` has made.
        unsafe { release_box(error) };
        // SAFETY: nothing is written.
        let status = unsafe { guard(ptr::null_mut(), || panic!("a test's")) };
        assert_eq!(status, RON_INTERNAL);
        assert_eq!(guard_plain(7, || panic!("a test's")), 7);
    }

    #[test]
    fn an_error_is_cleared_by_a_success() {
        let mut error = ptr::null_mut::<ron_error_t>().wrapping_add(1);
        // SAFETY: there is room for a pointer.
        assert_eq!(unsafe { guard(&mut error, || Ok(())) }, RON_OK);
        assert!(error.is_null());
    }

    #[test]
    fn slices_are_checked_before_they_are_made() {
        // SAFETY: what is not there is refused before it is looked at.
        unsafe {
            assert!(bytes(ptr::null(), 0, "body").unwrap().is_empty());
            for (data, len) in [
                (ptr::null::<c_void>(), 1),
                (b"x".as_ptr().cast(), usize::MAX),
                (b"x".as_ptr().cast(), isize::MAX as usize + 1),
            ] {
                assert_eq!(bytes(data, len, "body").unwrap_err().status(), RON_CONFIG);
            }
            let many = slice::<u64>(
                ptr::NonNull::dangling().as_ptr(),
                usize::MAX / 4,
                "attributes",
            );
            assert_eq!(many.unwrap_err().status(), RON_CONFIG);
            let no_text = text(c"\xff".as_ptr(), "path").unwrap_err();
            assert_eq!(no_text.status(), RON_CONFIG);
            assert_eq!(text(ptr::null(), "path").unwrap_err().status(), RON_CONFIG);
            assert_eq!(text(c"/a".as_ptr(), "path").unwrap(), "/a");
        }
    }
}
