//! The values that labels can have: closed sets, so that there is a counter for each from the start.

use crate::error::ErrorKind;
use crate::oap::{Operation, Reason};
use crate::retry::Cause;

/// An enum with the texts of its values, in their order.
macro_rules! labels {
    ($(#[$about:meta])* $name:ident { $($(#[$value_about:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$value_about])* $value,)*
        }

        impl $name {
            pub(super) const TEXTS: &'static [&'static str] = &[$($text,)*];
            pub(super) const COUNT: usize = Self::TEXTS.len();
        }
    };
}

labels!(
    /// What is called: plane and operation.
    Call {
        /// A connection without a call.
        ControlHello = "control.hello",
        StoragePut = "storage.put",
        StorageGet = "storage.get",
        StorageHead = "storage.head",
        EdgeGet = "edge.get",
        EdgeHead = "edge.head",
        MailboxSend = "mailbox.send",
        MailboxReceive = "mailbox.receive",
        MailboxAck = "mailbox.ack",
        MailboxNack = "mailbox.nack",
        MailboxExtend = "mailbox.extend",
        IndexResolve = "index.resolve",
        IndexPublish = "index.publish",
    }
);

labels!(
    /// Why a call is tried again.
    RetryReason {
        /// The connection was lost, or never came about.
        Transport = "transport",
        /// The answer did not begin within the limit of one attempt.
        AttemptTimeout = "attempt_timeout",
        /// No byte moved for too long.
        Stalled = "stalled",
        /// The gateway answered that the call's deadline had passed.
        Deadline = "deadline",
        /// The gateway is at fault.
        Server = "server",
        /// Above a rate or a quota, or the same mutation is under way.
        RateLimited = "rate_limited",
        /// The capability has expired, and its provider is asked for another one.
        CapabilityExpired = "capability_expired",
        /// The bytes were not those of their address.
        IntegrityMismatch = "integrity_mismatch",
        /// The gateway broke the protocol.
        OapViolation = "oap_violation",
    }
);

labels!(
    /// What the time ran out for, beside the call's own.
    IoTimeout {
        /// TCP, TLS and HELLO, within `timeouts.connect`.
        Connect = "connect",
        /// The next byte of an answer, within `timeouts.read`.
        Read = "read",
        /// A byte of a request to be taken, within `timeouts.write`.
        Write = "write",
        /// The first byte of an answer, within the limit of one attempt.
        Answer = "answer",
        /// The answer to the ping that a silent connection got.
        Ping = "ping",
    }
);

labels!(
    /// Why a capability did not do.
    AuthFailure {
        /// 401: its time is over.
        Expired = "expired",
        /// 403: none was sent.
        Missing = "missing",
        /// 403: it is no token.
        Malformed = "malformed",
        /// 403: it does not allow the call.
        Denied = "denied",
        /// The provider failed, or took longer than the call had.
        Provider = "provider",
    }
);

labels!(
    /// What came of comparing bytes with their address.
    Verification {
        Ok = "ok",
        Mismatch = "mismatch",
    }
);

/// How the peer broke the protocol: the values of [`Violation::kind`](crate::session::Violation::kind).
pub(super) const VIOLATIONS: [&str; 10] = [
    "frame",
    "meta",
    "unexpected",
    "hello",
    "control",
    "never_issued",
    "out_of_order",
    "body_too_long",
    "capability_too_long",
    "flood",
];

impl Call {
    /// Every operation is one, and to connect is another.
    pub(crate) const fn of(operation: &Operation<'_>) -> Self {
        match operation {
            Operation::StoragePut => Self::StoragePut,
            Operation::StorageGet { .. } => Self::StorageGet,
            Operation::StorageHead { .. } => Self::StorageHead,
            Operation::EdgeGet { .. } => Self::EdgeGet,
            Operation::EdgeHead { .. } => Self::EdgeHead,
            Operation::MailboxSend { .. } => Self::MailboxSend,
            Operation::MailboxReceive { .. } => Self::MailboxReceive,
            Operation::MailboxAck { .. } => Self::MailboxAck,
            Operation::MailboxNack { .. } => Self::MailboxNack,
            Operation::MailboxExtend { .. } => Self::MailboxExtend,
            Operation::IndexResolve { .. } => Self::IndexResolve,
            Operation::IndexPublish { .. } => Self::IndexPublish,
        }
    }
}

impl RetryReason {
    /// Why an attempt that failed like this is followed by another one.
    pub(crate) const fn of(kind: ErrorKind, cause: Cause) -> Self {
        match (cause, kind) {
            (Cause::AttemptTimeout, _) => Self::AttemptTimeout,
            (_, ErrorKind::Stalled) => Self::Stalled,
            (_, ErrorKind::DeadlineExceeded) => Self::Deadline,
            (_, ErrorKind::Server) => Self::Server,
            (_, ErrorKind::RateLimited) => Self::RateLimited,
            (_, ErrorKind::CapabilityExpired) => Self::CapabilityExpired,
            (_, ErrorKind::IntegrityMismatch) => Self::IntegrityMismatch,
            (_, ErrorKind::OapViolation) => Self::OapViolation,
            // No other kind is retried.
            _ => Self::Transport,
        }
    }
}

impl AuthFailure {
    /// Where the gateway refused the capability, and said why.
    pub(crate) fn of(status: u16, reason: Option<Reason>) -> Option<Self> {
        match (status, reason) {
            (401, _) => Some(Self::Expired),
            (403, Some(Reason::CapabilityMissing)) => Some(Self::Missing),
            (403, Some(Reason::CapabilityMalformed)) => Some(Self::Malformed),
            (403, _) => Some(Self::Denied),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::RetryRule;
    use crate::mailbox::{Attributes, Lease, Token, Topic};
    use crate::oap::FrameError;
    use crate::session::Violation;
    use crate::{AddrB3, IdemKey, IndexKey};
    use std::borrow::Cow;

    fn operations() -> Vec<Operation<'static>> {
        let (address, topic) = (AddrB3::of(b""), Topic::new("t").unwrap());
        let token = || Token::new("t").unwrap();
        let lease = || Lease::new(Topic::new("t").unwrap(), token(), token());
        let key = || IndexKey::new("a").unwrap();
        vec![
            Operation::StoragePut,
            Operation::StorageGet {
                address,
                range: None,
            },
            Operation::StorageHead { address },
            Operation::EdgeGet {
                path: "/a".into(),
                range: None,
            },
            Operation::EdgeHead { path: "/a".into() },
            Operation::MailboxSend {
                topic: topic.clone(),
                attributes: Cow::Owned(Attributes::default()),
            },
            Operation::MailboxReceive {
                topic,
                max: 1,
                visibility_ms: 1,
                wait_ms: 0,
                receive_id: IdemKey::fresh().unwrap(),
            },
            Operation::MailboxAck { lease: lease() },
            Operation::MailboxNack {
                lease: lease(),
                delay_ms: 0,
            },
            Operation::MailboxExtend {
                lease: lease(),
                visibility_ms: 1,
            },
            Operation::IndexResolve { key: key() },
            Operation::IndexPublish {
                key: key(),
                address,
                expected: None,
            },
        ]
    }

    #[test]
    fn every_operation_is_called_by_its_plane_and_name() {
        let operations = operations();
        assert_eq!(operations.len() + 1, Call::COUNT);
        for (at, operation) in operations.iter().enumerate() {
            let at = at + 1;
            let name = format!("{}.{}", operation.plane().name(), operation.name());
            assert_eq!(Call::of(operation) as usize, at);
            assert_eq!(Call::TEXTS[at], name);
        }
    }

    #[test]
    fn every_kind_that_is_retried_has_a_reason_of_its_own() {
        let is_retried = |kind: &ErrorKind| {
            let mut rules = kind.statuses().iter().map(|(_, rule)| *rule);
            kind.retried() != RetryRule::Never || rules.any(|rule| rule != RetryRule::Never)
        };
        let mut seen = Vec::new();
        for kind in ErrorKind::all().filter(is_retried) {
            let reason = RetryReason::of(kind, Cause::Ordinary);
            assert!(!seen.contains(&reason), "{kind:?} is {reason:?} too");
            seen.push(reason);
        }
        // The limit of an attempt is nobody's kind.
        assert_eq!(seen.len() + 1, RetryReason::COUNT);
    }

    #[test]
    fn every_violation_has_its_place() {
        let violations = [
            Violation::Frame(FrameError::Length(0)),
            Violation::Unexpected("flags"),
            Violation::Hello(String::new()),
            Violation::Control(String::new()),
            Violation::NeverIssued(1),
            Violation::OutOfOrder {
                got: 2,
                expected: 1,
            },
            Violation::BodyTooLong,
            Violation::CapabilityTooLong,
            Violation::Flood("pings"),
        ];
        for violation in violations {
            assert!(VIOLATIONS.contains(&violation.kind()), "{violation:?}");
        }
    }

    #[test]
    fn what_a_gateway_says_of_a_capability_is_told_apart() {
        let of = |status, reason| AuthFailure::of(status, reason);
        assert_eq!(of(401, None), Some(AuthFailure::Expired));
        assert_eq!(of(403, None), Some(AuthFailure::Denied));
        let missing = Some(Reason::CapabilityMissing);
        assert_eq!(of(403, missing), Some(AuthFailure::Missing));
        let malformed = Some(Reason::CapabilityMalformed);
        assert_eq!(of(403, malformed), Some(AuthFailure::Malformed));
        assert_eq!(of(404, missing), None);
    }
}
