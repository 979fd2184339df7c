//! What events show of themselves in `Debug`: no capability, meta or body, whose lengths have to do.

use super::{ClientEvent, ServerEvent};
use std::fmt::{Debug, Formatter, Result};

impl Debug for ClientEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Ready => f.write_str("Ready"),
            Self::Reply {
                tag,
                code,
                meta,
                body,
            } => f
                .debug_struct("Reply")
                .field("tag", tag)
                .field("code", code)
                .field("meta_bytes", &meta.len())
                .field("body_bytes", &body.len())
                .finish(),
            Self::NotExecuted { tag } => f.debug_struct("NotExecuted").field("tag", tag).finish(),
            Self::Lost { tag } => f.debug_struct("Lost").field("tag", tag).finish(),
            Self::SlotFree => f.write_str("SlotFree"),
            Self::Pong { nonce } => f.debug_struct("Pong").field("nonce", nonce).finish(),
        }
    }
}

impl Debug for ServerEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Hello(request) => f.debug_tuple("Hello").field(request).finish(),
            Self::Request { corr_id, head } => f
                .debug_struct("Request")
                .field("corr_id", corr_id)
                .field("head", head)
                .finish(),
            Self::Body { corr_id, body } => {
                let body_bytes = body.len();
                f.debug_struct("Body")
                    .field("corr_id", corr_id)
                    .field("body_bytes", &body_bytes)
                    .finish()
            }
            Self::Refused { corr_id, code } => f
                .debug_struct("Refused")
                .field("corr_id", corr_id)
                .field("code", code)
                .finish(),
            Self::Cancelled { corr_id } => f
                .debug_struct("Cancelled")
                .field("corr_id", corr_id)
                .finish(),
            Self::Pong { nonce } => f.debug_struct("Pong").field("nonce", nonce).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::RequestHead;
    use bytes::Bytes;

    #[test]
    fn bytes_are_counted_and_not_shown() {
        let secret = b"a secret";
        let reply = ClientEvent::Reply {
            tag: 1,
            code: 200,
            meta: secret[..].into(),
            body: Bytes::from_static(secret),
        };
        let expected = "Reply { tag: 1, code: 200, meta_bytes: 8, body_bytes: 8 }";
        assert_eq!(format!("{reply:?}"), expected);
        let head = RequestHead {
            app_proto_id: 0x0301,
            tenant_id: 0,
            capability: secret.to_vec().into(),
            meta: secret[..].into(),
        };
        let request = ServerEvent::Request { corr_id: 7, head };
        let expected = "Request { corr_id: 7, head: RequestHead { app_proto_id: 769, .. } }";
        assert_eq!(format!("{request:?}"), expected);
        let body = Bytes::from_static(secret);
        let body = ServerEvent::Body { corr_id: 7, body };
        assert_eq!(format!("{body:?}"), "Body { corr_id: 7, body_bytes: 8 }");
    }
}
