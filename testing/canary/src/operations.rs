//! All operations, through both clients. This is the place where a new plane adds its own.

use bytes::Bytes;
use ron_app_sdk::{blocking, AddrB3, ByteRange, Calls, ObjectInfo, SdkError, UnverifiedRange};
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// What the operations are about.
#[derive(Clone, Copy)]
pub struct Inputs {
    /// What is stored.
    pub payload: &'static [u8],
    /// Its address, under which it is fetched.
    pub address: AddrB3,
    /// The edge path of an object with the same bytes.
    pub path: &'static str,
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
}

impl Inputs {
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

shown!(AddrB3, ObjectInfo, UnverifiedRange);

impl Shown for Bytes {
    /// The bytes are the application's own, and `Bytes` is not the SDK's.
    fn shown(self) -> String {
        format!("{} bytes", self.len())
    }
}
