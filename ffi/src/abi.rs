//! Which library this is, and whether a program's header fits it.

use crate::boundary::{guard, Outcome};
use crate::error::{ron_error_t, Failure};
use crate::status::ron_status_t;
use std::ffi::{c_char, CStr};

/// The version of the interface that the header describes: its major number times 65,536, plus its minor number. The
/// major number is at the end of the shared library's soname.
pub const RON_ABI_VERSION: u32 = 3;

/// The version of the interface that the library has.
#[no_mangle]
pub extern "C" fn ron_abi_version() -> u32 {
    RON_ABI_VERSION
}

/// The version of the library, such as "0.1.0". Never NULL; it is valid for ever.
#[no_mangle]
pub extern "C" fn ron_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    CStr::from_bytes_with_nul(VERSION.as_bytes())
        .unwrap_or_default()
        .as_ptr()
}

/// Whether a program that was compiled with a header of this version can use the library: RON_OK where the major numbers
/// are the same and the library's minor number is not below the header's, RON_CONFIG where not. Give it
/// RON_ABI_VERSION, once, before anything else.
#[no_mangle]
pub unsafe extern "C" fn ron_check_abi(
    header_version: u32,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || check(header_version))
}

fn check(header: u32) -> Outcome {
    let (major, minor) = (RON_ABI_VERSION >> 16, RON_ABI_VERSION & 0xffff);
    let (header_major, header_minor) = (header >> 16, header & 0xffff);
    if header_major == major && header_minor <= minor {
        return Ok(());
    }
    Err(Failure::argument(format!(
        "the program was compiled for version {header_major}.{header_minor} of the interface, and the library has \
         {major}.{minor}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_header_and_another_major_number_are_refused() {
        assert!(check(RON_ABI_VERSION).is_ok());
        assert!(check(RON_ABI_VERSION - 1).is_ok());
        assert!(check(RON_ABI_VERSION + 1).is_err());
        assert!(check(RON_ABI_VERSION + 0x1_0000).is_err());
    }
}
