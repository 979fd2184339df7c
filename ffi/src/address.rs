//! `ron_address_t`: the BLAKE3 address of an object.

use crate::boundary::{bytes, guard, reference, text, Out};
use crate::error::{ron_error_t, Failure};
use crate::status::{ron_status_t, RON_SCHEMA_VIOLATION};
use ron_app_sdk::AddrB3;
use std::ffi::{c_char, c_void};

/// The bytes of an address as a text, its NUL included: "b3:" and 64 hexadecimal digits.
pub const RON_ADDRESS_TEXT_SIZE: usize = 68;

/// The address of an object: the BLAKE3 hash of its bytes. A plain value, to be copied and compared with memcmp().
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ron_address_t {
    /// The hash.
    pub digest: [u8; 32],
}

impl ron_address_t {
    pub(crate) const NONE: Self = Self { digest: [0; 32] };
}

impl From<AddrB3> for ron_address_t {
    fn from(address: AddrB3) -> Self {
        Self {
            digest: *address.digest(),
        }
    }
}

impl From<&ron_address_t> for AddrB3 {
    fn from(address: &ron_address_t) -> Self {
        Self::from_digest(address.digest)
    }
}

/// Hashes bytes.
#[no_mangle]
pub unsafe extern "C" fn ron_address_of(
    data: *const c_void,
    len: usize,
    out: *mut ron_address_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::new(out, ron_address_t::NONE, "out")?;
        out.set(AddrB3::of(bytes(data, len, "data")?).into());
        Ok(())
    })
}

/// Reads an address from its text, "b3:" and 64 hexadecimal digits in lower case.
#[no_mangle]
pub unsafe extern "C" fn ron_address_parse(
    address: *const c_char,
    out: *mut ron_address_t,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        let out = Out::new(out, ron_address_t::NONE, "out")?;
        let parsed: AddrB3 = text(address, "address")?
            .parse()
            .map_err(|rule| Failure::Own(RON_SCHEMA_VIOLATION, format!("address: {rule}")))?;
        out.set(parsed.into());
        Ok(())
    })
}

/// Writes an address as a text with a NUL at its end into `out`, which has room for RON_ADDRESS_TEXT_SIZE bytes.
#[no_mangle]
pub unsafe extern "C" fn ron_address_format(
    address: *const ron_address_t,
    out: *mut c_char,
    out_size: usize,
    error: *mut *mut ron_error_t,
) -> ron_status_t {
    guard(error, || {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        if out_size < RON_ADDRESS_TEXT_SIZE {
            return Err(Failure::no_room(out_size, RON_ADDRESS_TEXT_SIZE));
        }
        let text = AddrB3::from(reference(address, "address")?).to_string();
        out.cast::<u8>()
            .copy_from_nonoverlapping(text.as_ptr(), text.len());
        out.add(text.len()).write(0);
        Ok(())
    })
}
