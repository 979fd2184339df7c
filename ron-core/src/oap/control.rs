//! Messages about the connection itself: ping, pong, drain, cancel.
//!
//! They travel as EVENT|START|END frames with `app_proto_id` 0 and `corr_id` 0; the meta is the
//! message, and there is no body.

use super::{append_meta, Flags, Header, HEADER_LEN};
use serde::{Deserialize, Serialize};

/// A control message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum Control {
    /// Asks for a [`Control::Pong`] with the same nonce.
    Ping {
        /// Any number, returned unchanged.
        nonce: u32,
    },
    /// Answers a [`Control::Ping`].
    Pong {
        /// The ping's number.
        nonce: u32,
    },
    /// The sender takes no new calls here: what is open up to `last_corr` finishes, later calls were
    /// not executed and belong on another connection.
    Drain {
        /// The last call that the sender took.
        last_corr: u64,
        /// Why, for a log.
        reason: String,
    },
    /// The caller no longer wants the reply. Its slot is free when the call has been answered.
    Cancel {
        /// The call.
        corr: u64,
    },
}

impl Control {
    /// Appends the message as a frame.
    pub fn append_frame(&self, out: &mut Vec<u8>) {
        // A Control serialises without failing: no maps with non-string keys, no custom serialisers.
        let meta = serde_json::to_vec(self).unwrap_or_default();
        let header = Header {
            len: (HEADER_LEN + 4 + meta.len()) as u32,
            flags: Flags::EVENT.with(Flags::START).with(Flags::END),
            code: 0,
            app_proto_id: 0,
            tenant_id: 0,
            cap_len: 0,
            corr_id: 0,
        };
        out.extend_from_slice(&header.encode());
        append_meta(&meta, out);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::oap::{split_meta, Frame};

    #[test]
    fn messages_round_trip_as_frames() {
        for message in [
            Control::Ping { nonce: 7 },
            Control::Pong { nonce: u32::MAX },
            Control::Drain {
                last_corr: u64::MAX,
                reason: "shutting down".into(),
            },
            Control::Cancel { corr: 3 },
        ] {
            let mut bytes = Vec::new();
            message.append_frame(&mut bytes);
            let (frame, rest) = Frame::decode(&bytes).unwrap();
            assert!(rest.is_empty());
            let (meta, body) = split_meta(frame.payload).unwrap();
            assert!(body.is_empty());
            assert_eq!(serde_json::from_slice::<Control>(meta).unwrap(), message);
        }
    }

    #[test]
    fn the_wire_form_is_the_documented_one() {
        let text = serde_json::to_string(&Control::Drain {
            last_corr: 4,
            reason: "stop".into(),
        });
        assert_eq!(
            text.unwrap(),
            r#"{"op":"drain","last_corr":4,"reason":"stop"}"#
        );
    }

    #[test]
    fn unknown_messages_and_fields_are_refused() {
        for text in [
            r#"{"op":"reboot"}"#,
            r#"{"op":"ping","nonce":1,"extra":1}"#,
            r#"{"op":"ping"}"#,
            r#"{"nonce":1}"#,
        ] {
            assert!(serde_json::from_str::<Control>(text).is_err(), "{text}");
        }
    }
}
