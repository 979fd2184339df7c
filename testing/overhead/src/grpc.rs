//! The gRPC service, written down by hand: `protoc` need not be there.
//!
//! ```proto
//! package ron;
//! service Objects {
//!   rpc Get(GetRequest) returns (GetReply);
//!   rpc Put(PutRequest) returns (PutReply);
//! }
//! message GetRequest { string address = 1; }
//! message GetReply { bytes body = 1; }
//! message PutRequest { bytes body = 1; }
//! message PutReply { string address = 1; }
//! ```

use bytes::Bytes;

/// The path of a get.
pub(crate) const GET: &str = "/ron.Objects/Get";
/// The path of a put.
pub(crate) const PUT: &str = "/ron.Objects/Put";
/// Room for the longest object.
pub(crate) const MAX_MESSAGE: usize = 2 * 1024 * 1024;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetRequest {
    #[prost(string, tag = "1")]
    pub(crate) address: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetReply {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) body: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) body: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PutReply {
    #[prost(string, tag = "1")]
    pub(crate) address: String,
}
