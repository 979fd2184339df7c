//! Edge: objects by path, with byte ranges.

use super::{check_range, read_meta, read_object, ObjectInfo};
use crate::call::{Answer, PlaneCall};
use crate::edge_path::EdgePath;
use crate::error::{ErrorKind, SdkError};
use crate::oap::{ObjectReply, Operation};
use crate::range::ByteRange;
use crate::transport::Reply;
use bytes::Bytes;

pub(crate) struct Get<'a> {
    path: EdgePath<'a>,
    range: Option<ByteRange>,
}

impl<'a> Get<'a> {
    pub(crate) fn new(path: &'a str, range: Option<ByteRange>) -> Result<Self, SdkError> {
        Ok(Self {
            path: check_path(path)?,
            range: range.map(check_range).transpose()?,
        })
    }
}

impl PlaneCall for Get<'_> {
    type Output = Bytes;

    fn operation(&self) -> Operation<'_> {
        Operation::EdgeGet {
            path: self.path.as_str().into(),
            range: self.range,
        }
    }

    fn hashes_reply(&self) -> bool {
        self.range.is_none()
    }

    fn complete(&self, mut reply: Reply) -> Result<Answer<Bytes>, SdkError> {
        let object = read_object(&reply, self.range)?;
        if self.range.is_none() && reply.address() != object.address {
            return Err(SdkError::new(
                ErrorKind::IntegrityMismatch,
                format!("the bytes are not those of {}", object.address),
            ));
        }
        Ok(Answer::of_read(reply.body))
    }
}

pub(crate) struct Head<'a>(EdgePath<'a>);

impl<'a> Head<'a> {
    pub(crate) fn new(path: &'a str) -> Result<Self, SdkError> {
        check_path(path).map(Self)
    }
}

impl PlaneCall for Head<'_> {
    type Output = ObjectInfo;

    fn operation(&self) -> Operation<'_> {
        Operation::EdgeHead {
            path: self.0.as_str().into(),
        }
    }

    fn complete(&self, reply: Reply) -> Result<Answer<ObjectInfo>, SdkError> {
        let object: ObjectReply = read_meta(&reply)?;
        Ok(Answer::of_read(object.into()))
    }
}

fn check_path(path: &str) -> Result<EdgePath<'_>, SdkError> {
    EdgePath::new(path).map_err(|rule| SdkError::invalid(ErrorKind::SchemaViolation, "path", rule))
}
