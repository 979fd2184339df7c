//! `ErrorKind` and the error table: the one source of every kind's number, name, statuses and rules.

use std::fmt;
use std::ops::RangeInclusive;

/// What went wrong, as a stable number. Numbers are never reused; new ones are appended.
///
/// `docs/ERRORS.md` is generated from the table behind this type: for each kind, when it is retried, what is
/// known about the call's effect, and what to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum ErrorKind {
    /// The call's time ran out.
    DeadlineExceeded = 1,
    /// The gateway could not be reached, or the connection was lost.
    Transport = 2,
    /// TLS failed: certificate, name, version or ALPN.
    Tls = 3,
    /// The Tor proxy could not be used.
    TorUnavailable = 4,
    /// The peer broke the OAP/1 protocol.
    OapViolation = 5,
    /// The capability's time is over.
    CapabilityExpired = 6,
    /// The capability is missing, malformed or does not allow the call.
    CapabilityDenied = 7,
    /// A request or a reply is not what its schema says.
    SchemaViolation = 8,
    /// No such object, path or name.
    NotFound = 9,
    /// The call contradicts the state at the gateway.
    Conflict = 10,
    /// Above a rate or a quota.
    RateLimited = 11,
    /// A fault of the gateway.
    Server = 12,
    /// The SDK's configuration or a call's arguments are at fault.
    Config = 13,
    /// The call was cancelled.
    Cancelled = 14,
    /// The bytes are not those of their address.
    IntegrityMismatch = 15,
    /// Longer than one envelope.
    TooLarge = 16,
    /// The range starts past the object's end.
    RangeNotSatisfiable = 17,
    /// The lease is no longer the message's own.
    StaleLease = 18,
    /// Too many calls at once in this client.
    Busy = 19,
    /// No byte moved for too long.
    Stalled = 20,
    /// The client has been closed.
    Closed = 21,
    /// The client belongs to the parent of this forked process.
    ForkDetected = 22,
    /// A fault of the SDK.
    Internal = 23,
    /// A status that the protocol does not define.
    Unknown = 24,
}

/// When an attempt that failed is followed by another one, as long as the call's limit, its attempts and the
/// client's retry budget allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryRule {
    /// Not at all: another attempt would end in the same way.
    Never,
    /// Where the attempt certainly was not executed; and in any case for a read, a mutation with an idempotency
    /// key, and one that can be repeated as it is: `mailbox_ack`, `mailbox_nack`, `mailbox_extend`.
    Transient,
    /// Once, with the fresh capability of a provider.
    AfterRefresh,
    /// Once, for a read, on another connection.
    OnceElsewhere,
}

struct Row {
    kind: ErrorKind,
    name: &'static str,
    /// The statuses that mean this kind.
    statuses: &'static [(RangeInclusive<u16>, RetryRule)],
    /// Where the SDK found the error without a status.
    without_status: RetryRule,
    executed: &'static str,
    check: &'static str,
}

use RetryRule::{AfterRefresh, Never, OnceElsewhere, Transient};

const BEFORE_IO: &str = "no";
const REPORTED: &str = "as the gateway says";

/// In the order of their numbers.
const TABLE: [Row; 24] = [
    Row {
        kind: ErrorKind::DeadlineExceeded,
        name: "DeadlineExceeded",
        statuses: &[(408..=408, Transient)],
        without_status: Never,
        executed: "no while it was being sent, unknown after",
        check: "allow more time, or check the gateway's load",
    },
    Row {
        kind: ErrorKind::Transport,
        name: "Transport",
        statuses: &[],
        without_status: Transient,
        executed: "no where the request did not leave, else unknown",
        check: "check that the gateway runs and that gateway_addr names it",
    },
    Row {
        kind: ErrorKind::Tls,
        name: "Tls",
        statuses: &[],
        without_status: Never,
        executed: BEFORE_IO,
        check: "check tls.ca (RON_SDK_TLS_CA), tls.pin and the gateway's certificate",
    },
    Row {
        kind: ErrorKind::TorUnavailable,
        name: "TorUnavailable",
        statuses: &[],
        without_status: Never,
        executed: BEFORE_IO,
        check: "check that Tor runs and listens where tor.socks_addr says",
    },
    Row {
        kind: ErrorKind::OapViolation,
        name: "OapViolation",
        statuses: &[],
        without_status: Transient,
        executed: "no where the request did not leave, else unknown",
        check: "check that the peer is a RON gateway of a known version",
    },
    Row {
        kind: ErrorKind::CapabilityExpired,
        name: "CapabilityExpired",
        statuses: &[(401..=401, AfterRefresh)],
        without_status: Never,
        executed: REPORTED,
        check: "get a fresh capability, or give the SDK a provider of them",
    },
    Row {
        kind: ErrorKind::CapabilityDenied,
        name: "CapabilityDenied",
        statuses: &[(403..=403, Never)],
        without_status: Never,
        executed: REPORTED,
        check: "check what the capability allows",
    },
    Row {
        kind: ErrorKind::SchemaViolation,
        name: "SchemaViolation",
        statuses: &[
            (400..=400, Never),
            (405..=406, Never),
            (411..=411, Never),
            (415..=415, Never),
            (422..=422, Never),
        ],
        without_status: Never,
        executed: "no for an argument, else as the gateway says",
        check: "check the named field, and the versions of SDK and gateway",
    },
    Row {
        kind: ErrorKind::NotFound,
        name: "NotFound",
        statuses: &[(404..=404, Never)],
        without_status: Never,
        executed: REPORTED,
        check: "check the address, path or name",
    },
    Row {
        kind: ErrorKind::Conflict,
        name: "Conflict",
        statuses: &[(409..=409, Never)],
        without_status: Never,
        executed: REPORTED,
        check:
            "check that an idempotency key is used for one request only, and resolve the name again",
    },
    Row {
        kind: ErrorKind::RateLimited,
        name: "RateLimited",
        statuses: &[(429..=429, Transient)],
        without_status: Never,
        executed: REPORTED,
        check: "slow down, or wait for as long as retry_after says",
    },
    Row {
        kind: ErrorKind::Server,
        name: "Server",
        statuses: &[
            (500..=500, Transient),
            (501..=501, Never),
            (502..=504, Transient),
            (505..=505, Never),
            (506..=599, Transient),
        ],
        without_status: Never,
        executed: REPORTED,
        check: "check the gateway's log",
    },
    Row {
        kind: ErrorKind::Config,
        name: "Config",
        statuses: &[],
        without_status: Never,
        executed: BEFORE_IO,
        check: "check the named setting",
    },
    Row {
        kind: ErrorKind::Cancelled,
        name: "Cancelled",
        statuses: &[(499..=499, Never)],
        without_status: Never,
        executed: REPORTED,
        check: "check who cancelled it",
    },
    Row {
        kind: ErrorKind::IntegrityMismatch,
        name: "IntegrityMismatch",
        statuses: &[],
        without_status: OnceElsewhere,
        executed: "no for a read, yes for a put",
        check: "check the gateway's storage and what is between it and the SDK",
    },
    Row {
        kind: ErrorKind::TooLarge,
        name: "TooLarge",
        statuses: &[(413..=413, Never)],
        without_status: Never,
        executed: REPORTED,
        check: "use a smaller object, or fetch it in ranges",
    },
    Row {
        kind: ErrorKind::RangeNotSatisfiable,
        name: "RangeNotSatisfiable",
        statuses: &[(416..=416, Never)],
        without_status: Never,
        executed: REPORTED,
        check: "check the object's size",
    },
    Row {
        kind: ErrorKind::StaleLease,
        name: "StaleLease",
        statuses: &[(410..=410, Never)],
        without_status: Never,
        executed: REPORTED,
        check: "acknowledge within the visibility, or extend it",
    },
    Row {
        kind: ErrorKind::Busy,
        name: "Busy",
        statuses: &[],
        without_status: Never,
        executed: BEFORE_IO,
        check: "make fewer calls at once",
    },
    Row {
        kind: ErrorKind::Stalled,
        name: "Stalled",
        statuses: &[],
        without_status: Transient,
        executed: "no while it was being sent, unknown after",
        check: "check the network, or raise timeouts.read and timeouts.write",
    },
    Row {
        kind: ErrorKind::Closed,
        name: "Closed",
        statuses: &[],
        without_status: Never,
        executed: "no before it was made, else unknown",
        check: "make a new client",
    },
    Row {
        kind: ErrorKind::ForkDetected,
        name: "ForkDetected",
        statuses: &[],
        without_status: Never,
        executed: "no before it was made, else unknown",
        check: "make a new client after the fork",
    },
    Row {
        kind: ErrorKind::Internal,
        name: "Internal",
        statuses: &[],
        without_status: Never,
        executed: "no where the request did not leave, else unknown",
        check: "report it with the message",
    },
    Row {
        kind: ErrorKind::Unknown,
        name: "Unknown",
        statuses: &[],
        without_status: Never,
        executed: "unknown",
        check: "check that the peer is a RON gateway of a known version",
    },
];

impl ErrorKind {
    /// How many there are.
    pub(crate) const COUNT: usize = TABLE.len();

    /// Every kind, in the order of their numbers.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|row| row.kind)
    }

    /// The kind's number, the same in every language.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The kind's name, the same in every language.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What a person should check first.
    pub fn check(self) -> &'static str {
        self.row().check
    }

    /// When an error of this kind is retried that the SDK found by itself. For one that the gateway
    /// reported, see [`ErrorKind::statuses`].
    pub fn retried(self) -> RetryRule {
        self.row().without_status
    }

    /// What is known about the effect of a mutation that failed in this way, as a phrase. Of a particular
    /// one, [`SdkError::executed`](crate::SdkError::executed) says it.
    pub fn executed(self) -> &'static str {
        self.row().executed
    }

    /// The statuses of a gateway's answer that mean this kind, and when they are retried. Those that no kind
    /// has are [`ErrorKind::Unknown`], and never retried.
    pub fn statuses(self) -> &'static [(RangeInclusive<u16>, RetryRule)] {
        self.row().statuses
    }

    /// The kind of an answer with this status, and when it is retried.
    pub fn of_status(status: u16) -> (Self, RetryRule) {
        let rules = TABLE.iter().flat_map(|row| {
            row.statuses
                .iter()
                .map(|(range, rule)| (row.kind, range, *rule))
        });
        rules
            .filter(|(_, range, _)| range.contains(&status))
            .map(|(kind, _, rule)| (kind, rule))
            .next()
            .unwrap_or((Self::Unknown, Never))
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize - 1]
    }
}

impl fmt::Display for RetryRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Never => "never",
            Transient => "if not executed, or repeatable",
            AfterRefresh => "once, after a refresh",
            OnceElsewhere => "a read once, elsewhere",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oap::Reason;

    #[test]
    fn the_table_is_in_order_and_its_names_are_the_kinds() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.kind.number() as usize, index + 1);
            assert_eq!(row.name, format!("{:?}", row.kind));
            assert!(!row.check.is_empty() && !row.executed.is_empty());
        }
    }

    #[test]
    fn no_status_has_two_kinds() {
        for status in 0..=u16::MAX {
            let rows = TABLE.iter().flat_map(|row| row.statuses);
            let matches = rows.filter(|(range, _)| range.contains(&status));
            assert!(matches.count() <= 1, "{status}");
        }
    }

    #[test]
    fn every_reasons_code_has_a_defined_kind() {
        for (reason, kind) in [
            (Reason::SchemaViolation, ErrorKind::SchemaViolation),
            (Reason::CapabilityExpired, ErrorKind::CapabilityExpired),
            (Reason::CapabilityMissing, ErrorKind::CapabilityDenied),
            (Reason::NotFound, ErrorKind::NotFound),
            (Reason::DeadlineExceeded, ErrorKind::DeadlineExceeded),
            (Reason::IdempotencyMismatch, ErrorKind::Conflict),
            (Reason::UnexpectedValue, ErrorKind::Conflict),
            (Reason::StaleLease, ErrorKind::StaleLease),
            (Reason::IdempotencyInProgress, ErrorKind::RateLimited),
            (Reason::TooLarge, ErrorKind::TooLarge),
            (Reason::RangeNotSatisfiable, ErrorKind::RangeNotSatisfiable),
            (Reason::TooManyInFlight, ErrorKind::RateLimited),
            (Reason::Cancelled, ErrorKind::Cancelled),
            (Reason::UnknownPlane, ErrorKind::Server),
            (Reason::BadGateway, ErrorKind::Server),
            (Reason::GatewayTimeout, ErrorKind::Server),
            (Reason::StorageFull, ErrorKind::Server),
        ] {
            assert_eq!(ErrorKind::of_status(reason.code()).0, kind);
        }
    }
}
