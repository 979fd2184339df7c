//! Structs that begin with their size, so that a program and a library of other versions understand each other; and
//! those that every call has: `ron_call_options_t` and `ron_report_t`.

use crate::boundary::{text, Outcome};
use crate::capability::ron_release_t;
use crate::error::{executed, ron_executed_t, Failure};
use crate::queue::ron_callback_t;
use ron_app_sdk::{CallReport, IdemKey, TraceParent};
use std::ffi::{c_char, c_void};
use std::mem::{offset_of, size_of};
use std::ptr;
use std::time::Duration;

/// A struct of C that begins with `struct_size`.
///
/// # Safety
/// It is `repr(C)`, its first field is a `usize`, and every pattern of bits is a value of it.
pub(crate) unsafe trait Versioned: Copy {
    /// The size that the struct had in the first version that had it.
    const FIRST_SIZE: usize;
    /// What fields have that the caller does not know.
    const DEFAULT: Self;
}

/// Reads what the caller has. Fields that it does not know have their defaults; fields that this library does not
/// know must be zero, since what they ask for would not be done.
pub(crate) unsafe fn read<T: Versioned>(pointer: *const T, name: &str) -> Outcome<T> {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    let size = pointer.cast::<usize>().read();
    if size < T::FIRST_SIZE {
        return Err(Failure::argument(format!(
            "{name}.struct_size: it is {size}, and {} at least: use the initialiser macro",
            T::FIRST_SIZE
        )));
    }
    if size > MOST {
        return Err(Failure::argument(format!(
            "{name}.struct_size: {size} is more than it can be: use the initialiser macro"
        )));
    }
    let mut value = T::DEFAULT;
    let known = size.min(size_of::<T>());
    ptr::from_mut(&mut value)
        .cast::<u8>()
        .copy_from_nonoverlapping(pointer.cast(), known);
    for at in known..size {
        if pointer.cast::<u8>().add(at).read() != 0 {
            return Err(Failure::argument(format!(
                "{name}: it has a field at byte {at} that this library is too old for"
            )));
        }
    }
    Ok(value)
}

/// More than any struct of the interface will ever have: a greater size was never set.
const MOST: usize = 4096;

/// As a limit: the client's `overall_timeout_ms`.
pub const RON_TIMEOUT_DEFAULT: u64 = u64::MAX;

/// How a call is made. Begin with RON_CALL_OPTIONS_INIT; NULL stands for that too.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_call_options_t {
    /// sizeof(ron_call_options_t)
    pub struct_size: usize,
    /// The limit of the whole call, 1 ms to 1 h, or RON_TIMEOUT_DEFAULT. 0 is refused: no time that is left is no call.
    pub timeout_ms: u64,
    /// The key of a put, send or publish, 1 to 64 characters of A-Z a-z 0-9 . _ : ~ -; NULL for a fresh one. Use it for
    /// one logical mutation only. Other operations take no key.
    pub idempotency_key: *const c_char,
    /// Blocking calls only: where to put how the call went, if it succeeds; NULL for nowhere. Begin with
    /// RON_REPORT_INIT.
    pub report: *mut ron_report_t,
    /// Blocking calls only: asked every 100 ms and whenever a signal has interrupted the thread; where it returns true,
    /// the call ends as RON_CANCELLED. NULL for never.
    pub is_interrupted: Option<unsafe extern "C" fn() -> bool>,
    /// Asynchronous calls only: what ron_queue_dispatch() calls with the completion; NULL for nothing.
    pub callback: ron_callback_t,
    /// Asynchronous put and send only: where it is not NULL, the call takes the body over and gives it back by
    /// calling this, once, from any thread, at the completion at the latest; also where the call could not be started.
    /// Where it is NULL, the body is borrowed: it must stay as it is until the call's completion has been taken or the
    /// queue released, and a call that could not be started does not touch it any more.
    pub body_release: ron_release_t,
    /// What body_release is called with.
    pub body_release_data: *mut c_void,
    /// The trace that the call is part of, as W3C Trace Context has it: "00-", 32, "-", 16, "-" and 2 lower-case hexadecimal
    /// digits. The gateway learns it with each attempt, unless `tracing.enabled` is off. NULL for none.
    pub traceparent: *const c_char,
}

// SAFETY: repr(C), begins with its size, numbers and pointers only.
unsafe impl Versioned for ron_call_options_t {
    const FIRST_SIZE: usize = offset_of!(Self, traceparent);
    const DEFAULT: Self = Self {
        struct_size: size_of::<Self>(),
        timeout_ms: RON_TIMEOUT_DEFAULT,
        idempotency_key: ptr::null(),
        report: ptr::null_mut(),
        is_interrupted: None,
        callback: None,
        body_release: None,
        body_release_data: ptr::null_mut(),
        traceparent: ptr::null(),
    };
}

impl ron_call_options_t {
    /// The caller's, or the defaults.
    pub(crate) unsafe fn read(options: *const Self) -> Outcome<Self> {
        if options.is_null() {
            return Ok(Self::DEFAULT);
        }
        read(options, "options")
    }

    /// The limit, where one is set.
    pub(crate) fn limit(&self) -> Option<Duration> {
        (self.timeout_ms != RON_TIMEOUT_DEFAULT).then(|| Duration::from_millis(self.timeout_ms))
    }

    /// The key, where one is set.
    pub(crate) unsafe fn key(&self) -> Outcome<Option<IdemKey>> {
        if self.idempotency_key.is_null() {
            return Ok(None);
        }
        let key = text(self.idempotency_key, "idempotency_key")?;
        let key = IdemKey::new(key)
            .map_err(|rule| Failure::argument(format!("idempotency_key: {rule}")))?;
        Ok(Some(key))
    }

    /// The trace, where one is given.
    pub(crate) unsafe fn traceparent(&self) -> Outcome<Option<TraceParent>> {
        if self.traceparent.is_null() {
            return Ok(None);
        }
        let parent = TraceParent::new(text(self.traceparent, "traceparent")?)
            .map_err(|rule| Failure::argument(format!("traceparent: {rule}")))?;
        Ok(Some(parent))
    }
}

/// How a call went that succeeded. Begin with RON_REPORT_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ron_report_t {
    /// sizeof(ron_report_t)
    pub struct_size: usize,
    /// How many attempts it took, from 1; 0 where the cache had the result.
    pub attempts: u32,
    /// Whether it changed something at the gateway.
    pub executed: ron_executed_t,
    /// 1 where the gateway returned the recorded result of an earlier attempt, else 0.
    pub replayed: u32,
    /// Has no meaning yet.
    pub reserved: u32,
    /// From the call to its result, in nanoseconds.
    pub elapsed_ns: u64,
}

// SAFETY: repr(C), begins with its size, numbers only.
unsafe impl Versioned for ron_report_t {
    const FIRST_SIZE: usize = size_of::<Self>();
    const DEFAULT: Self = Self {
        struct_size: size_of::<Self>(),
        attempts: 0,
        executed: 0,
        replayed: 0,
        reserved: 0,
        elapsed_ns: 0,
    };
}

impl From<&CallReport> for ron_report_t {
    fn from(report: &CallReport) -> Self {
        Self {
            attempts: report.attempts,
            executed: executed(report.executed),
            replayed: report.replayed.into(),
            elapsed_ns: u64::try_from(report.elapsed.as_nanos()).unwrap_or(u64::MAX),
            ..Self::DEFAULT
        }
    }
}

/// Where a struct that begins with its size is filled: as much of it as both sides know.
pub(crate) struct Filled<T>(*mut T, usize);

impl<T: Versioned> Filled<T> {
    /// Checked before anything is done.
    pub(crate) unsafe fn new(pointer: *mut T, name: &str) -> Outcome<Self> {
        read(pointer.cast_const(), name)?;
        let size = pointer.cast::<usize>().read();
        Ok(Self(pointer, size.min(size_of::<T>())))
    }

    /// As [`Filled::new`]; NULL stands for nowhere.
    pub(crate) unsafe fn optional(pointer: *mut T, name: &str) -> Outcome<Option<Self>> {
        if pointer.is_null() {
            return Ok(None);
        }
        Self::new(pointer, name).map(Some)
    }

    pub(crate) fn set(&self, value: &T) {
        const HEAD: usize = size_of::<usize>();
        let from = ptr::from_ref(value).cast::<u8>();
        // SAFETY: the caller has a struct of at least that size there, of which the first field is left alone; the call
        // has not returned since it was checked.
        unsafe {
            self.0
                .cast::<u8>()
                .add(HEAD)
                .copy_from_nonoverlapping(from.add(HEAD), self.1 - HEAD);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Newer {
        options: ron_call_options_t,
        further: u64,
    }

    fn read_newer(further: u64) -> Outcome<ron_call_options_t> {
        let mut newer = Newer {
            options: ron_call_options_t::DEFAULT,
            further,
        };
        newer.options.struct_size = size_of::<Newer>();
        newer.options.timeout_ms = 7;
        // SAFETY: it is as long as it says.
        unsafe { read(ptr::from_ref(&newer).cast(), "options") }
    }

    #[test]
    fn a_newer_program_is_understood_where_it_asks_for_nothing_new() {
        assert_eq!(read_newer(0).unwrap().timeout_ms, 7);
        assert!(read_newer(1).is_err());
    }

    #[test]
    fn a_size_that_was_never_set_is_refused() {
        for size in [0, 8, usize::MAX, MOST + 1] {
            let mut options = ron_call_options_t::DEFAULT;
            options.struct_size = size;
            // SAFETY: with such a size, it is not looked at beyond that.
            assert!(unsafe { read(&options, "options") }.is_err(), "{size}");
        }
    }

    #[test]
    fn only_what_the_caller_knows_is_filled() {
        let mut report = ron_report_t::DEFAULT;
        report.elapsed_ns = 1;
        let filled = Filled(&mut report, size_of::<usize>() + 4);
        filled.set(&ron_report_t {
            attempts: 3,
            elapsed_ns: 9,
            ..ron_report_t::DEFAULT
        });
        assert_eq!((report.attempts, report.elapsed_ns), (3, 1));
        assert_eq!(report.struct_size, size_of::<ron_report_t>());
    }
}
