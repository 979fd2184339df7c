//! HELLO: the first exchange on a connection.
//!
//! The one place where unknown fields are tolerated, so that older and newer peers can agree on what
//! both know.

use super::{Flags, DTO_VERSION, MAX_FRAME, VERSION};
use serde::{Deserialize, Serialize};

/// The flags that this implementation understands in a peer's frames: all but compression.
pub const FLAGS_SUPPORTED: u16 = 0xff & !Flags::COMP.bits();

/// What a client says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloRequest {
    /// The client's name and version, `null` where it does not say.
    pub ua: Option<String>,
    /// The DTO versions that it speaks; version 1 where absent.
    #[serde(default = "first_dto_version")]
    pub dto: Vec<u16>,
    /// The frame flags that it understands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags_supported: Option<u16>,
}

impl HelloRequest {
    /// This implementation's HELLO under the given name.
    pub fn new(ua: impl Into<String>) -> Self {
        Self {
            ua: Some(ua.into()),
            dto: vec![DTO_VERSION],
            flags_supported: Some(FLAGS_SUPPORTED),
        }
    }
}

/// What a gateway answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloReply {
    /// The longest frame that it accepts, in bytes.
    pub max_frame: u64,
    /// How many calls it accepts at once on this connection.
    pub max_inflight: u64,
    /// The frame flags that it understands.
    pub flags_supported: u16,
    /// The protocol versions that it speaks.
    pub versions: Vec<u16>,
    /// How it can be reached.
    pub transports: Vec<String>,
    /// The DTO versions that it speaks; version 1 where absent.
    #[serde(default = "first_dto_version")]
    pub dto: Vec<u16>,
    /// The kind of node.
    #[serde(default)]
    pub profile: Profile,
    /// Whether the node forgets everything when it stops.
    #[serde(default)]
    pub amnesia: bool,
}

impl HelloReply {
    /// This implementation's answer, with `max_inflight` calls at once.
    pub fn new(max_inflight: u32, profile: Profile, amnesia: bool) -> Self {
        Self {
            max_frame: MAX_FRAME as u64,
            max_inflight: u64::from(max_inflight),
            flags_supported: FLAGS_SUPPORTED,
            versions: vec![VERSION],
            transports: vec!["tcp+tls".to_owned()],
            dto: vec![DTO_VERSION],
            profile,
            amnesia,
        }
    }
}

/// The kind of node behind a gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Profile {
    /// A single-process node.
    Micronode,
    /// A node of several services.
    Macronode,
    /// The gateway did not say, or said something newer than this SDK.
    #[default]
    #[serde(other)]
    Unknown,
}

fn first_dto_version() -> Vec<u16> {
    vec![DTO_VERSION]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_protocols_own_hello_is_understood() {
        let hello: HelloRequest = serde_json::from_str(r#"{"ua":"sdk/0.1"}"#).unwrap();
        assert_eq!(hello.ua.as_deref(), Some("sdk/0.1"));
        assert_eq!(hello.dto, [1]);
        let hello: HelloRequest = serde_json::from_str(r#"{"ua":null,"future":{}}"#).unwrap();
        assert_eq!(hello.ua, None);
    }

    #[test]
    fn a_reply_without_our_extensions_is_understood() {
        let reply: HelloReply = serde_json::from_str(
            r#"{"max_frame":1048576,"max_inflight":64,"flags_supported":255,"versions":[1],
                "transports":["tcp+tls"],"unknown":true}"#,
        )
        .unwrap();
        assert_eq!(reply.profile, Profile::Unknown);
        assert!(!reply.amnesia);
    }

    #[test]
    fn a_newer_profile_is_not_an_error() {
        let text = serde_json::to_string(&HelloReply::new(64, Profile::Micronode, true)).unwrap();
        let text = text.replace("micronode", "meganode");
        let reply: HelloReply = serde_json::from_str(&text).unwrap();
        assert_eq!(reply.profile, Profile::Unknown);
    }
}
