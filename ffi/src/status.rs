//! Statuses: the core's error kinds as numbers of C.

use ron_app_sdk::ErrorKind;
use std::ffi::{c_char, CStr, CString};
use std::sync::LazyLock;

/// What came of a function: RON_OK, or the kind of its error. A later version of the library may have further
/// numbers; none is ever given another meaning.
pub type ron_status_t = u32;

/// It succeeded.
pub const RON_OK: ron_status_t = 0;
/// The call's time ran out.
pub const RON_DEADLINE_EXCEEDED: ron_status_t = 1;
/// The gateway could not be reached, or the connection was lost.
pub const RON_TRANSPORT: ron_status_t = 2;
/// TLS failed: certificate, name, version or ALPN.
pub const RON_TLS: ron_status_t = 3;
/// The Tor proxy could not be used.
pub const RON_TOR_UNAVAILABLE: ron_status_t = 4;
/// The peer broke the OAP/1 protocol.
pub const RON_OAP_VIOLATION: ron_status_t = 5;
/// The capability's time is over.
pub const RON_CAPABILITY_EXPIRED: ron_status_t = 6;
/// The capability is missing, malformed or does not allow the call.
pub const RON_CAPABILITY_DENIED: ron_status_t = 7;
/// A request or a reply is not what its schema says.
pub const RON_SCHEMA_VIOLATION: ron_status_t = 8;
/// No such object, path or name.
pub const RON_NOT_FOUND: ron_status_t = 9;
/// The call contradicts the state at the gateway.
pub const RON_CONFLICT: ron_status_t = 10;
/// Above a rate or a quota.
pub const RON_RATE_LIMITED: ron_status_t = 11;
/// A fault of the gateway.
pub const RON_SERVER: ron_status_t = 12;
/// A setting or an argument is at fault: a NULL where there may be none, a text that is not UTF-8, a length or a
/// struct_size that cannot be.
pub const RON_CONFIG: ron_status_t = 13;
/// The call was cancelled.
pub const RON_CANCELLED: ron_status_t = 14;
/// The bytes are not those of their address.
pub const RON_INTEGRITY_MISMATCH: ron_status_t = 15;
/// Longer than one envelope, or than the buffer that is to take it.
pub const RON_TOO_LARGE: ron_status_t = 16;
/// The range starts past the object's end.
pub const RON_RANGE_NOT_SATISFIABLE: ron_status_t = 17;
/// The lease is no longer the message's own.
pub const RON_STALE_LEASE: ron_status_t = 18;
/// Too many calls at once in this client or queue.
pub const RON_BUSY: ron_status_t = 19;
/// No byte moved for too long.
pub const RON_STALLED: ron_status_t = 20;
/// The client or the queue has been closed.
pub const RON_CLOSED: ron_status_t = 21;
/// The handle belongs to the parent of this forked process.
pub const RON_FORK_DETECTED: ron_status_t = 22;
/// A fault of the SDK.
pub const RON_INTERNAL: ron_status_t = 23;
/// A status that the protocol does not define.
pub const RON_UNKNOWN: ron_status_t = 24;

/// The name of a status: "Ok", "NotFound", …; "?" for a number that this library does not know. Never NULL; it is
/// valid for ever.
#[no_mangle]
pub extern "C" fn ron_status_name(status: ron_status_t) -> *const c_char {
    row(status).0.as_ptr()
}

/// What a person should check first: a phrase, empty for RON_OK. Never NULL; it is valid for ever.
#[no_mangle]
pub extern "C" fn ron_status_check(status: ron_status_t) -> *const c_char {
    row(status).1.as_ptr()
}

/// Names and advice, by their numbers.
static ROWS: LazyLock<Vec<(CString, CString)>> = LazyLock::new(|| {
    let text = |text: &str| CString::new(text).unwrap_or_default();
    let kinds = ErrorKind::all().map(|kind| (text(kind.name()), text(kind.check())));
    [(text("Ok"), text(""))].into_iter().chain(kinds).collect()
});

fn row(status: ron_status_t) -> (&'static CStr, &'static CStr) {
    let row = usize::try_from(status)
        .ok()
        .and_then(|index| ROWS.get(index));
    row.map_or((c"?", c""), |(name, check)| (name, check))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_core_has_its_number_here() {
        let numbers = [
            (RON_DEADLINE_EXCEEDED, ErrorKind::DeadlineExceeded),
            (RON_TRANSPORT, ErrorKind::Transport),
            (RON_TLS, ErrorKind::Tls),
            (RON_TOR_UNAVAILABLE, ErrorKind::TorUnavailable),
            (RON_OAP_VIOLATION, ErrorKind::OapViolation),
            (RON_CAPABILITY_EXPIRED, ErrorKind::CapabilityExpired),
            (RON_CAPABILITY_DENIED, ErrorKind::CapabilityDenied),
            (RON_SCHEMA_VIOLATION, ErrorKind::SchemaViolation),
            (RON_NOT_FOUND, ErrorKind::NotFound),
            (RON_CONFLICT, ErrorKind::Conflict),
            (RON_RATE_LIMITED, ErrorKind::RateLimited),
            (RON_SERVER, ErrorKind::Server),
            (RON_CONFIG, ErrorKind::Config),
            (RON_CANCELLED, ErrorKind::Cancelled),
            (RON_INTEGRITY_MISMATCH, ErrorKind::IntegrityMismatch),
            (RON_TOO_LARGE, ErrorKind::TooLarge),
            (RON_RANGE_NOT_SATISFIABLE, ErrorKind::RangeNotSatisfiable),
            (RON_STALE_LEASE, ErrorKind::StaleLease),
            (RON_BUSY, ErrorKind::Busy),
            (RON_STALLED, ErrorKind::Stalled),
            (RON_CLOSED, ErrorKind::Closed),
            (RON_FORK_DETECTED, ErrorKind::ForkDetected),
            (RON_INTERNAL, ErrorKind::Internal),
            (RON_UNKNOWN, ErrorKind::Unknown),
        ];
        let kinds: Vec<ErrorKind> = ErrorKind::all().collect();
        assert_eq!(numbers.map(|(_, kind)| kind).to_vec(), kinds);
        for (number, kind) in numbers {
            assert_eq!(number, kind.number());
            assert_eq!(row(number).0.to_str().unwrap(), kind.name());
            assert_eq!(row(number).1.to_str().unwrap(), kind.check());
        }
        assert_eq!(row(25), (c"?", c""));
        assert_eq!(row(u32::MAX), (c"?", c""));
    }
}
