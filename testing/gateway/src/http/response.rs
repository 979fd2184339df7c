//! An outcome as an HTTP response.

use super::document;
use crate::outcome::{Outcome, Reply};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    HeaderName, HeaderValue, ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Response, StatusCode};
use ron_app_sdk::oap::{self, ErrorReply, ObjectReply, Reason};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

type FullResponse = Response<Full<Bytes>>;

/// The response to a call.
pub(super) fn outcome(method: &Method, outcome: Outcome) -> FullResponse {
    let status = StatusCode::from_u16(outcome.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match &outcome.reply {
        Reply::Object(object) => {
            let mut response = new(status, BYTES, outcome.body);
            describe(&mut response, object);
            if method == Method::HEAD {
                set(&mut response, CONTENT_LENGTH, object.size);
            }
            response
        }
        Reply::Put(receipt) => receipt_of(status, receipt.replayed, &outcome.reply),
        Reply::Send(receipt) => receipt_of(status, receipt.replayed, &outcome.reply),
        Reply::Effect(effect) => receipt_of(status, effect.replayed, &outcome.reply),
        Reply::Receive(batch) => {
            let mut response = json(status, document::batch(batch, &outcome.body));
            mark_replayed(&mut response, batch.replayed);
            response
        }
        Reply::Resolve(resolved) => {
            let mut response = new(status, JSON, outcome.reply.to_json().into());
            set(&mut response, ETAG, format!("\"{}\"", resolved.address));
            response
        }
        Reply::Raw(_) => new(status, JSON, outcome.reply.to_json().into()),
        Reply::Error(error) => {
            let mut response = new(status, JSON, outcome.reply.to_json().into());
            if let (Reason::RangeNotSatisfiable, Some(size)) = (error.reason, error.size) {
                set(&mut response, CONTENT_RANGE, format!("bytes */{size}"));
            }
            response
        }
    }
}

/// What came of a mutation.
fn receipt_of(status: StatusCode, replayed: bool, reply: &Reply) -> FullResponse {
    let mut response = new(status, JSON, reply.to_json().into());
    mark_replayed(&mut response, replayed);
    response
}

fn mark_replayed(response: &mut FullResponse, replayed: bool) {
    if replayed {
        let value = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, value);
    }
}

fn describe(response: &mut FullResponse, object: &ObjectReply) {
    set(response, ETAG, format!("\"{}\"", object.address));
    set(response, ACCEPT_RANGES, "bytes".to_owned());
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    if let Some(range) = object.range {
        set(
            response,
            CONTENT_RANGE,
            format!("bytes {range}/{}", object.size),
        );
    }
}

/// The response to a method that a page does not have.
pub(super) fn method_not_allowed(allowed: &'static str) -> FullResponse {
    let error = ErrorReply::not_executed(Reason::UnknownOperation)
        .with_detail(format!("this page takes {allowed}"));
    let body = Reply::Error(error).to_json().into();
    let mut response = new(StatusCode::METHOD_NOT_ALLOWED, JSON, body);
    set(&mut response, ALLOW, allowed.to_owned());
    response
}

/// A line for a person or a load balancer.
pub(super) fn text(status: StatusCode, text: &'static str) -> FullResponse {
    new(status, TEXT, Bytes::from_static(text.as_bytes()))
}

/// What this is and what it speaks.
pub(super) fn version() -> FullResponse {
    let body = serde_json::json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "oap": [oap::VERSION],
        "dto": [oap::DTO_VERSION],
    });
    new(StatusCode::OK, JSON, body.to_string().into())
}

/// A JSON document.
pub(super) fn json(status: StatusCode, text: String) -> FullResponse {
    new(status, JSON, text.into())
}

/// The counters.
pub(super) fn metrics(text: String) -> FullResponse {
    new(StatusCode::OK, METRICS, text.into())
}

fn new(status: StatusCode, content_type: HeaderValue, body: Bytes) -> FullResponse {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Sets a header to a value that consists of visible ASCII.
fn set<V: TryInto<HeaderValue>>(response: &mut FullResponse, name: HeaderName, value: V) {
    if let Ok(value) = value.try_into() {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_app_sdk::oap::Executed;
    use ron_app_sdk::{AddrB3, ByteRange};

    fn header(response: &FullResponse, name: HeaderName) -> Option<&str> {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    fn object(range: Option<ByteRange>) -> ObjectReply {
        ObjectReply {
            executed: Executed::No,
            address: AddrB3::of(b"0123456789"),
            size: 10,
            range,
        }
    }

    #[test]
    fn an_object_is_described_by_its_headers() {
        let range = ByteRange::new(2, 4).ok();
        let part = Outcome::object(object(range), Bytes::from_static(b"234"));
        let response = outcome(&Method::GET, part);
        assert_eq!(response.status(), 206);
        assert_eq!(header(&response, CONTENT_RANGE), Some("bytes 2-4/10"));
        assert_eq!(header(&response, ACCEPT_RANGES), Some("bytes"));
        let tag = format!("\"{}\"", AddrB3::of(b"0123456789"));
        assert_eq!(header(&response, ETAG), Some(&*tag));
        let head = outcome(&Method::HEAD, Outcome::object(object(None), Bytes::new()));
        assert_eq!(header(&head, CONTENT_LENGTH), Some("10"));
    }

    #[test]
    fn an_unsatisfiable_range_tells_the_size() {
        let error = ErrorReply::not_executed(Reason::RangeNotSatisfiable).with_size(10);
        let response = outcome(&Method::GET, Outcome::error(error, Executed::No));
        assert_eq!(response.status(), 416);
        assert_eq!(header(&response, CONTENT_RANGE), Some("bytes */10"));
    }
}
