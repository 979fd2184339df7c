//! Every fault that the gateway can inject: its name, its parameters, and where it takes hold.

use ron_app_sdk::oap::{Reason, MAX_FRAME};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where in a call's way through the gateway a fault takes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the execution, which it only delays.
    Delay,
    /// Instead of the execution.
    Before,
    /// After the execution.
    After,
    /// In the frames of an OAP connection.
    Frame,
    /// In the answer to HELLO.
    Hello,
}

/// Declares the faults once, for the enum with parameters, the enum without, and the names.
macro_rules! faults {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $name:literal in $stage:ident
        $({ $( $(#[$attribute:meta])+ $field:ident: $type:ty, )+ })?
    )+) => {
        /// A fault with its parameters. In JSON it is its name, or an object with its name as the
        /// only key and its parameters as the value.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[non_exhaustive]
        pub enum Fault {
            $(
                $(#[doc = $doc])+
                #[serde(rename = $name)]
                $variant $({ $( $(#[$attribute])+ $field: $type, )+ })?,
            )+
        }

        /// A fault's kind: a [`Fault`] without its parameters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[non_exhaustive]
        pub enum FaultKind {
            $(
                #[doc = concat!("`", $name, "`, see [`Fault::", stringify!($variant), "`].")]
                #[serde(rename = $name)]
                $variant,
            )+
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in plans, counters and documentation.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            pub(crate) const fn stage(self) -> Stage {
                match self { $(Self::$variant => Stage::$stage,)+ }
            }
        }

        impl Fault {
            /// Its kind.
            pub const fn kind(&self) -> FaultKind {
                match self { $(Self::$variant { .. } => FaultKind::$variant,)+ }
            }
        }
    };
}

faults! {
    /// The call is executed later. How much later is drawn from a distribution: see
    /// `docs/FAULTS.md`.
    Latency = "latency" in Delay {
        /// The median, in milliseconds.
        p50_ms: u64,
        /// At least the median: nine delays in ten are shorter.
        p90_ms: u64,
        /// At least `p90_ms`: 99 delays in 100 are shorter.
        p99_ms: u64,
    }

    /// Answered with an error instead of being executed; `executed` is `no`.
    ErrorBefore = "error_before" in Before {
        /// One of these, each as likely. Default: 500, 502, 503 and 504.
        #[serde(default = "server_errors")]
        reasons: Vec<Reason>,
        /// Sent with 429 and 503.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    }
    /// Answered 429 `rate_limited` instead of being executed.
    RateLimited = "rate_limited" in Before {
        /// Sent along.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    }
    /// Answered 401 instead of being executed.
    CapabilityExpired = "capability_expired" in Before
    /// Neither executed nor answered.
    BlackHole = "black_hole" in Before

    /// Executed, and then answered with an error; `executed` is `unknown` for a mutation.
    ErrorAfter = "error_after" in After {
        /// One of these, each as likely. Default: 500.
        #[serde(default = "internal")]
        reasons: Vec<Reason>,
        /// Sent with 429 and 503.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    }
    /// Executed, and never answered.
    DropReply = "drop_reply" in After
    /// Executed, and then the TCP connection is reset.
    Reset = "reset" in After
    /// Executed, and answered later.
    LateReply = "late_reply" in After {
        /// How much later, in milliseconds.
        #[serde(default = "one_second")]
        after_ms: u64,
    }
    /// A `get` or `receive` with a flipped bit in one byte of its body.
    CorruptBody = "corrupt_body" in After
    /// A `get` or `receive` with the last bytes of its body missing.
    ShortBody = "short_body" in After {
        /// How many.
        #[serde(default = "one")]
        bytes: u64,
    }
    /// A `get` or `receive` with more bytes than its meta says.
    LongBody = "long_body" in After {
        /// How many more.
        #[serde(default = "one")]
        bytes: u64,
    }
    /// A `get`, `head`, `resolve` or `receive` whose meta names another address; of a `receive`, that of the
    /// first message.
    WrongAddress = "wrong_address" in After
    /// A `put` whose receipt names another address.
    WrongReceipt = "wrong_receipt" in After
    /// A `get` of a range whose meta names the range one byte further.
    WrongRange = "wrong_range" in After
    /// A reply whose meta has a field more.
    UnknownField = "unknown_field" in After
    /// A reply whose meta has a number for `executed`.
    WrongType = "wrong_type" in After
    /// A reply whose meta is lists in lists, 8,000 deep.
    DeepMeta = "deep_meta" in After
    /// Executed, and answered under another code, with the meta unchanged.
    Status = "status" in After {
        /// The code, 100 to 999. Default: 302.
        #[serde(default = "found")]
        code: u16,
    }

    /// The reply comes twice.
    DuplicateReply = "duplicate_reply" in Frame
    /// Replies are held until there are so many, and sent in reverse.
    ReorderReplies = "reorder_replies" in Frame {
        /// How many.
        #[serde(default = "eight")]
        count: u32,
        /// For how long the first waits for the others, in milliseconds.
        #[serde(default = "short_while")]
        within_ms: u64,
    }
    /// Before the reply, copies of it under a `corr_id` that was never issued.
    StrayReply = "stray_reply" in Frame {
        /// How many.
        #[serde(default = "once")]
        count: u32,
    }
    /// The reply and the next one of the same plane come under each other's `corr_id`.
    MisdirectedReply = "misdirected_reply" in Frame {
        /// For how long it waits for the next one, in milliseconds.
        #[serde(default = "short_while")]
        within_ms: u64,
    }
    /// Executed, not answered before it is cancelled, and then answered again after the 499.
    LateAfterCancel = "late_after_cancel" in Frame {
        /// How many times again.
        #[serde(default = "once")]
        count: u32,
    }
    /// A frame with REQ under the call's `corr_id`, before the reply.
    RequestFromGateway = "request_from_gateway" in Frame
    /// A header with an impossible `len`, before the reply.
    BadLength = "bad_length" in Frame {
        /// The length, below 38 or above 1,048,576. Default: 1,048,577.
        #[serde(default = "past_the_limit")]
        len: u32,
    }
    /// A header with another version, before the reply.
    BadVersion = "bad_version" in Frame {
        /// The version, not 1. Default: 2.
        #[serde(default = "second_version")]
        version: u16,
    }
    /// A header with an undefined flag, before the reply.
    ReservedFlag = "reserved_flag" in Frame {
        /// The undefined bits, all from 256 up. Default: 256.
        #[serde(default = "first_reserved")]
        bits: u16,
    }
    /// A frame is announced, and then nothing comes on the connection any more.
    StalledFrame = "stalled_frame" in Frame {
        /// The announced length. Default: 1,048,576.
        #[serde(default = "longest_frame")]
        len: u32,
    }
    /// A successful reply whose body goes on for as long as the client takes it.
    EndlessBody = "endless_body" in Frame
    /// A successful reply with empty frames before its end.
    EmptyFrames = "empty_frames" in Frame {
        /// How many. Default: 101, one more than a client accepts.
        #[serde(default = "one_too_many")]
        count: u32,
    }
    /// Pings in a row, before the reply.
    PingFlood = "ping_flood" in Frame {
        /// How many. Default: 101, one more than a client accepts in a second.
        #[serde(default = "one_too_many")]
        count: u32,
    }
    /// Every open call of the connection is given up and answered, this one included.
    CancelAll = "cancel_all" in Frame {
        /// With what. Default: 499.
        #[serde(default = "cancelled")]
        reason: Reason,
    }
    /// The connection is drained, with this call and those after it as not executed.
    Drain = "drain" in Frame

    /// HELLO is answered with another `max_inflight`; the gateway keeps its own limit.
    HelloMaxInflight = "hello_max_inflight" in Hello {
        /// The limit that it tells. Default: 1.
        #[serde(default = "one")]
        value: u64,
    }
    /// HELLO is not answered, and nothing else is.
    HelloSilence = "hello_silence" in Hello
}

impl Fault {
    pub(crate) const fn is_in_frames(&self) -> bool {
        matches!(self.kind().stage(), Stage::Frame)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn server_errors() -> Vec<Reason> {
    vec![
        Reason::Internal,
        Reason::BadGateway,
        Reason::Unavailable,
        Reason::GatewayTimeout,
    ]
}

fn internal() -> Vec<Reason> {
    vec![Reason::Internal]
}

const fn cancelled() -> Reason {
    Reason::Cancelled
}

const fn one() -> u64 {
    1
}

const fn once() -> u32 {
    1
}

const fn eight() -> u32 {
    8
}

const fn one_too_many() -> u32 {
    101
}

const fn one_second() -> u64 {
    1000
}

const fn short_while() -> u64 {
    200
}

const fn found() -> u16 {
    302
}

const fn longest_frame() -> u32 {
    MAX_FRAME as u32
}

const fn past_the_limit() -> u32 {
    MAX_FRAME as u32 + 1
}

const fn second_version() -> u16 {
    2
}

const fn first_reserved() -> u16 {
    256
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_page() {
        let page = include_str!("../../../../docs/FAULTS.md");
        for kind in FaultKind::ALL {
            assert!(page.contains(&format!("| `{kind}` |")), "{kind}");
        }
    }

    #[test]
    fn a_fault_is_its_name_or_its_name_with_its_parameters() {
        let read = |text: &str| serde_json::from_str::<Fault>(text);
        assert_eq!(read(r#""drop_reply""#).unwrap(), Fault::DropReply);
        assert_eq!(
            read(r#"{"late_reply":{"after_ms":7}}"#).unwrap(),
            Fault::LateReply { after_ms: 7 }
        );
        assert_eq!(
            read(r#"{"late_reply":{}}"#).unwrap(),
            Fault::LateReply { after_ms: 1000 }
        );
        for refused in [
            r#""drop""#,
            r#"{"late_reply":{"after":7}}"#,
            r#"{"late_reply":{"after_ms":-7}}"#,
            r#"{"late_reply":{},"drop_reply":null}"#,
            r#"{"latency":{"p50_ms":1,"p90_ms":2,"p99_ms":3,"p100_ms":4}}"#,
        ] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }
}
