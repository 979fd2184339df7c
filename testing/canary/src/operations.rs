//! All operations, through both clients. This is the place where a new plane adds its own.

use bytes::Bytes;
use ron_app_sdk::mailbox::Token;
use ron_app_sdk::{
    blocking, AddrB3, ByteRange, Calls, IndexKey, Lease, Mail, Message, ObjectInfo, Receipt,
    Receive, SdkError, Topic, UnverifiedRange,
};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What the operations are about.
#[derive(Clone, Copy)]
pub struct Inputs {
    /// What is stored.
    pub payload: &'static [u8],
    /// Its address, under which it is fetched.
    pub address: AddrB3,
    /// The edge path of an object with the same bytes.
    pub path: &'static str,
    /// What a message has for an attribute.
    pub attribute: &'static str,
    /// A lease that somebody could have had.
    pub lease: &'static str,
}

/// An operation.
#[derive(Clone, Copy)]
pub struct Operation {
    /// Its plane and its name, and what is special about it.
    pub name: &'static str,
    /// Makes it on this thread.
    pub blocking: fn(&blocking::Calls<'_>, Inputs) -> Result<String, SdkError>,
    /// Makes it in a task.
    pub asynchronous: for<'a> fn(&'a Calls<'a>, Inputs) -> Made<'a>,
}

/// The `Debug` of what a call returned, as far as the SDK defines it.
pub type Made<'a> = Pin<Box<dyn Future<Output = Result<String, SdkError>> + Send + 'a>>;

macro_rules! operations {
    ($($name:literal => |$calls:ident, $inputs:ident| $call:expr;)+) => {
        /// Every operation.
        pub const OPERATIONS: &[Operation] = &[$(
            Operation {
                name: $name,
                blocking: |$calls, $inputs| $call.map(Shown::shown),
                asynchronous: |$calls, $inputs| Box::pin(async move { $call.await.map(Shown::shown) }),
            },
        )+];
    };
}

operations! {
    "storage.put" => |calls, inputs| calls.storage_put(inputs.payload);
    "storage.get" => |calls, inputs| calls.storage_get(inputs.address);
    "storage.get of a range" => |calls, inputs| calls.storage_get_range(inputs.address, inputs.range());
    "storage.head" => |calls, inputs| calls.storage_head(inputs.address);
    "edge.get" => |calls, inputs| calls.edge_get(inputs.path, None);
    "edge.get of a range" => |calls, inputs| calls.edge_get(inputs.path, Some(inputs.range()));
    "edge.head" => |calls, inputs| calls.edge_head(inputs.path);
    "mailbox.send" => |calls, inputs| calls.mailbox_send(inputs.mail());
    "mailbox.receive" => |calls, inputs| calls.mailbox_receive(&inputs.receive());
    "mailbox.ack" => |calls, inputs| calls.mailbox_ack(&inputs.lease());
    "mailbox.nack" => |calls, inputs| calls.mailbox_nack(&inputs.lease(), Duration::ZERO);
    "mailbox.extend" => |calls, inputs| calls.mailbox_extend(&inputs.lease(), Duration::from_secs(1));
    "index.publish" => |calls, inputs| calls.index_publish(&inputs.name(), inputs.address, None);
    "index.resolve" => |calls, inputs| calls.index_resolve(&inputs.name());
}

#[allow(clippy::expect_used)] // it is for tests
fn topic() -> Topic {
    Topic::new("canary").expect("a topic")
}

impl Inputs {
    #[allow(clippy::expect_used)] // it is for tests
    fn name(&self) -> IndexKey {
        IndexKey::new("canary").expect("a name")
    }

    fn receive(&self) -> Receive {
        Receive::new(topic())
    }

    /// The payload as a message.
    #[allow(clippy::expect_used)] // it is for tests
    fn mail(&self) -> Mail {
        let mail = Mail::new(topic(), self.payload);
        mail.attribute("attribute", self.attribute)
            .expect("an attribute")
    }

    #[allow(clippy::expect_used)] // it is for tests
    fn lease(&self) -> Lease {
        let token = |text| Token::new(text).expect("an id or a lease");
        Lease::new(topic(), token("1"), token(self.lease))
    }

    /// All bytes but the last one.
    #[allow(clippy::expect_used)] // it is for tests
    fn range(&self) -> ByteRange {
        let last = self.payload.len() as u64 - 2;
        ByteRange::new(0, last).expect("a payload has two bytes")
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inputs({} bytes)", self.payload.len())
    }
}

/// What a call returns.
trait Shown {
    fn shown(self) -> String;
}

macro_rules! shown {
    ($($type:ty),+) => {
        $(impl Shown for $type {
            fn shown(self) -> String {
                format!("{self:?} {self:#?}")
            }
        })+
    };
}

shown!(AddrB3, ObjectInfo, UnverifiedRange, Receipt, ());

impl Shown for Vec<Message> {
    fn shown(self) -> String {
        let text = format!("{self:?} {self:#?}");
        for message in &self {
            assert!(!text.contains(message.lease.expose()), "a lease is shown");
        }
        text
    }
}

impl Shown for Bytes {
    /// The bytes are the application's own, and `Bytes` is not the SDK's.
    fn shown(self) -> String {
        format!("{} bytes", self.len())
    }
}
