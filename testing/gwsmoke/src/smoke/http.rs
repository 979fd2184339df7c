//! The checks of the HTTP face.

use super::capabilities::Capabilities;
use super::oap::{Oap, EDGE_PATH, EDGE_SIZE};
use super::sample::Sample;
use super::verdict::{equal, same_bytes, success, Checks, Result};
use crate::http::{self, Connection, HttpError, HttpFace, RequestBody, Response};
use bytes::Bytes;
use hyper::header::{ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use hyper::http::request::Builder;
use hyper::{Method, Request};
use ron_app_sdk::{AddrB3, Capability, IdemKey};
use serde_json::{json, Value};
use std::time::Duration;

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

pub(super) struct Http<'a> {
    face: HttpFace,
    /// Kept for the next request, so that each response has to leave it in order.
    connection: Option<Connection>,
    limit: Duration,
    capabilities: &'a Capabilities,
    sample: &'a Sample,
}

impl<'a> Http<'a> {
    pub(super) fn new(
        face: HttpFace,
        limit: Duration,
        capabilities: &'a Capabilities,
        sample: &'a Sample,
    ) -> Self {
        Self {
            face,
            connection: None,
            limit,
            capabilities,
            sample,
        }
    }

    /// Returns whether the face answers.
    pub(super) async fn check(&mut self, checks: &mut Checks<'_>) -> bool {
        if !checks
            .run("healthz, readyz and version", self.answers())
            .await
        {
            // Each of the others would wait for as long.
            return false;
        }
        checks
            .run("put: the receipt has address and size", self.put())
            .await;
        checks
            .run("get: length, bytes, hash and headers", self.get())
            .await;
        checks
            .run("head: size and headers, no body", self.head())
            .await;
        let size = self.sample.object.len();
        let middle = size / 2;
        for (check, range, first, last) in [
            ("range: the first bytes", "bytes=0-9".to_owned(), 0, 9),
            (
                "range: the middle",
                format!("bytes={middle}-{}", middle + 4999),
                middle,
                middle + 4999,
            ),
            (
                "range: the last bytes",
                "bytes=-10".into(),
                size - 10,
                size - 1,
            ),
            (
                "range: from one byte to the end",
                format!("bytes={}-", size - 10),
                size - 10,
                size - 1,
            ),
            (
                "range: past the end, cut to it",
                format!("bytes={}-{}", size - 10, size + 9),
                size - 10,
                size - 1,
            ),
        ] {
            checks.run(check, self.range(&range, first, last)).await;
        }
        checks
            .run("range: out of bounds is refused", self.range_past_the_end())
            .await;
        checks
            .run("range: several are the whole object", self.several_ranges())
            .await;
        checks.run("an empty object", self.empty()).await;
        checks.run("a body at the limit", self.longest()).await;
        checks
            .run("a body one byte over is refused", self.too_long())
            .await;
        checks
            .run("a missing object is not found", self.missing())
            .await;
        checks
            .run("no capability is refused", self.without_capability())
            .await;
        for (check, capability, status, reason) in [
            (
                "an expired capability is refused",
                &self.capabilities.expired,
                401,
                "capability_expired",
            ),
            (
                "a capability for something else is refused",
                &self.capabilities.narrow,
                403,
                "capability_denied",
            ),
            (
                "a forged capability is refused",
                &self.capabilities.forged,
                403,
                "capability_denied",
            ),
        ] {
            checks
                .run(check, self.with_capability(capability, status, reason))
                .await;
        }
        checks
            .run("a repeated put is executed once", self.repeated())
            .await;
        checks
            .run("another method is not allowed", self.another_method())
            .await;
        checks.run("edge: get, head and range", self.edge()).await;
        checks
            .run("mailbox: send, receive, acknowledge", self.mailbox())
            .await;
        checks
            .run("index: publish, resolve, conflict", self.index())
            .await;
        true
    }

    /// Both faces show the same objects.
    pub(super) async fn check_against(&mut self, oap: &Oap<'_>, checks: &mut Checks<'_>) {
        let object = self.sample.object.slice(1..);
        let both = async {
            let receipt = self.store(object.clone()).await?;
            equal("status", 200, receipt.status.as_u16())?;
            oap.fetch(AddrB3::of(&object), &object).await
        };
        checks
            .run("what is put over HTTP is got over OAP", both)
            .await;
    }

    fn begin(&self, method: Method, path: &str) -> Result<Builder> {
        self.begin_as(&self.capabilities.good, method, path)
    }

    fn begin_as(&self, capability: &Capability, method: Method, path: &str) -> Result<Builder> {
        let (name, value) = success(http::authorization(capability))?;
        Ok(self.face.request(method, path).header(name, value))
    }

    /// Sends a request over the connection that is there, or over a new one.
    async fn send(
        &mut self,
        request: std::result::Result<Request<RequestBody>, HttpError>,
    ) -> Result<Response> {
        let request = success(request)?;
        let mut connection = match self.connection.take().filter(|idle| !idle.is_closed()) {
            Some(connection) => connection,
            None => success(self.face.connect().await)?,
        };
        let response = success(connection.send(request, self.limit).await)?;
        self.connection = Some(connection);
        Ok(response)
    }

    async fn read(&mut self, method: Method, path: &str) -> Result<Response> {
        let request = self.begin(method, path)?;
        self.send(http::with_body(request, "")).await
    }

    async fn read_range(&mut self, path: &str, range: &str) -> Result<Response> {
        let request = http::range(self.begin(Method::GET, path)?, range);
        self.send(http::with_body(request, "")).await
    }

    async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Result<Response> {
        let request = self.begin(Method::POST, path)?;
        self.send(http::with_body(request, body)).await
    }

    async fn store(&mut self, object: Bytes) -> Result<Response> {
        self.post("/put", object).await
    }

    fn object_path(&self) -> String {
        format!("/o/{}", self.sample.address)
    }

    async fn answers(&mut self) -> Result {
        for path in ["/healthz", "/readyz"] {
            let request = self.face.request(Method::GET, path);
            let response = self.send(http::with_body(request, "")).await?;
            equal(&format!("{path}: status"), 200, response.status.as_u16())?;
        }
        let request = self.face.request(Method::GET, "/version");
        let version = document(&self.send(http::with_body(request, "")).await?)?;
        equal("oap", "[1]".into(), version["oap"].to_string())
    }

    async fn put(&mut self) -> Result {
        let response = self.store(self.sample.object.clone()).await?;
        let receipt = document(&response)?;
        equal("executed", "yes", text(&receipt, "executed"))?;
        equal(
            "address",
            &*self.sample.address.to_string(),
            text(&receipt, "address"),
        )?;
        equal(
            "size",
            self.sample.object.len().to_string(),
            receipt["size"].to_string(),
        )
    }

    async fn get(&mut self) -> Result {
        let response = self.read(Method::GET, &self.object_path()).await?;
        equal("status", 200, response.status.as_u16())?;
        let size = self.sample.object.len();
        describes(&response, self.sample.address, size)?;
        equal("length", size, response.body.len())?;
        same_bytes(&self.sample.object, &response.body)
    }

    async fn head(&mut self) -> Result {
        let response = self.read(Method::HEAD, &self.object_path()).await?;
        equal("status", 200, response.status.as_u16())?;
        describes(&response, self.sample.address, self.sample.object.len())?;
        equal("bytes of body", 0, response.body.len())?;
        // Bytes that followed the head all the same would be in the way of the next response.
        let Some(mut connection) = self.connection.take() else {
            return equal("the connection", "open", "closed");
        };
        let request = http::with_body(self.begin(Method::GET, &self.object_path())?, "");
        let next = connection.send(success(request)?, self.limit).await;
        let next =
            success(next.map_err(|error| format!("the next response on the connection: {error}")))?;
        same_bytes(&self.sample.object, &next.body)
    }

    async fn range(&mut self, range: &str, first: usize, last: usize) -> Result {
        let response = self.read_range(&self.object_path(), range).await?;
        equal("status", 206, response.status.as_u16())?;
        let content = format!("bytes {first}-{last}/{}", self.sample.object.len());
        equal("Content-Range", &*content, response.header(CONTENT_RANGE))?;
        describes(&response, self.sample.address, last - first + 1)?;
        same_bytes(self.sample.part(first, last), &response.body)
    }

    async fn range_past_the_end(&mut self) -> Result {
        let size = self.sample.object.len();
        let range = format!("bytes={size}-{}", size + 9);
        let response = self.read_range(&self.object_path(), &range).await?;
        refused(&response, 416, "range_not_satisfiable")?;
        equal(
            "Content-Range",
            &*format!("bytes */{size}"),
            response.header(CONTENT_RANGE),
        )
    }

    async fn several_ranges(&mut self) -> Result {
        let response = self
            .read_range(&self.object_path(), "bytes=0-1,4-5")
            .await?;
        equal("status", 200, response.status.as_u16())?;
        same_bytes(&self.sample.object, &response.body)
    }

    async fn empty(&mut self) -> Result {
        let address = AddrB3::of(b"");
        let receipt = document(&self.store(Bytes::new()).await?)?;
        equal("address", &*address.to_string(), text(&receipt, "address"))?;
        let path = format!("/o/{address}");
        let response = self.read(Method::GET, &path).await?;
        equal("status", 200, response.status.as_u16())?;
        describes(&response, address, 0)?;
        same_bytes(b"", &response.body)?;
        let response = self.read_range(&path, "bytes=0-0").await?;
        refused(&response, 416, "range_not_satisfiable")
    }

    async fn longest(&mut self) -> Result {
        let longest = self.sample.longest.clone();
        let address = AddrB3::of(&longest);
        let receipt = document(&self.store(longest.clone()).await?)?;
        equal("address", &*address.to_string(), text(&receipt, "address"))?;
        let response = self.read(Method::GET, &format!("/o/{address}")).await?;
        equal("status", 200, response.status.as_u16())?;
        same_bytes(&longest, &response.body)
    }

    /// The body is announced and not sent: it must not be needed for the refusal.
    async fn too_long(&mut self) -> Result {
        let request = self.begin(Method::POST, "/put")?;
        let request = http::with_announced_body(request, self.sample.longest.len() + 1);
        let response = self.send(request).await?;
        // The announced bytes are still due on it.
        self.connection = None;
        refused(&response, 413, "too_large")
    }

    async fn missing(&mut self) -> Result {
        let path = format!("/o/{}", self.sample.missing);
        refused(&self.read(Method::GET, &path).await?, 404, "not_found")?;
        let response = self.read(Method::HEAD, &path).await?;
        equal("HEAD: status", 404, response.status.as_u16())
    }

    async fn without_capability(&mut self) -> Result {
        let path = self.object_path();
        let request = self.face.request(Method::GET, &path);
        let response = self.send(http::with_body(request, "")).await?;
        refused(&response, 403, "capability_missing")?;
        let request = self
            .face
            .request(Method::GET, &path)
            .header("authorization", "Ron x");
        let response = self.send(http::with_body(request, "")).await?;
        refused(&response, 403, "capability_malformed")
    }

    async fn with_capability(
        &mut self,
        capability: &Capability,
        status: u16,
        reason: &str,
    ) -> Result {
        let request = self.begin_as(capability, Method::GET, &self.object_path())?;
        refused(
            &self.send(http::with_body(request, "")).await?,
            status,
            reason,
        )
    }

    async fn put_under(&mut self, key: &IdemKey, body: Bytes) -> Result<Response> {
        let request = self
            .begin(Method::POST, "/put")?
            .header("idempotency-key", key.expose());
        self.send(http::with_body(request, body)).await
    }

    async fn repeated(&mut self) -> Result {
        let (key, object) = (success(IdemKey::random())?, self.sample.object.clone());
        for replayed in ["", "true"] {
            let response = self.put_under(&key, object.clone()).await?;
            let receipt = document(&response)?;
            equal(
                "address",
                &*self.sample.address.to_string(),
                text(&receipt, "address"),
            )?;
            let header = hyper::header::HeaderName::from_static("idempotency-replayed");
            equal("Idempotency-Replayed", replayed, response.header(header))?;
        }
        let other = self
            .put_under(&key, Bytes::from_static(b"another object"))
            .await?;
        refused(&other, 409, "idempotency_mismatch")
    }

    async fn another_method(&mut self) -> Result {
        let response = self.read(Method::DELETE, &self.object_path()).await?;
        refused(&response, 405, "unknown_operation")?;
        equal("Allow", "GET, HEAD", response.header(ALLOW))
    }

    async fn edge(&mut self) -> Result {
        let path = format!("/edge{EDGE_PATH}");
        let whole = self.read(Method::GET, &path).await?;
        equal("status", 200, whole.status.as_u16())?;
        let address = AddrB3::of(&whole.body);
        describes(&whole, address, EDGE_SIZE)?;
        let head = self.read(Method::HEAD, &path).await?;
        equal("HEAD: status", 200, head.status.as_u16())?;
        describes(&head, address, EDGE_SIZE)?;
        let part = self.read_range(&path, "bytes=100-199").await?;
        equal("status", 206, part.status.as_u16())?;
        let content = format!("bytes 100-199/{EDGE_SIZE}");
        equal("Content-Range", &*content, part.header(CONTENT_RANGE))?;
        same_bytes(whole.body.get(100..200).unwrap_or_default(), &part.body)?;
        let past = self
            .read_range(&path, &format!("bytes={EDGE_SIZE}-"))
            .await?;
        refused(&past, 416, "range_not_satisfiable")
    }

    async fn mailbox(&mut self) -> Result {
        let topic = format!("/m/gwsmoke%2F{}%2Fhttp", self.sample.run);
        let sent = document(&self.post(&topic, "a message").await?)?;
        let receive = format!("{topic}/receive");
        let received = document(
            &self
                .post(&receive, json!({"wait_ms": 1000}).to_string())
                .await?,
        )?;
        let messages = received["messages"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        equal("messages", 1, messages.len())?;
        for message in messages {
            equal("message", text(&sent, "id"), text(message, "id"))?;
            equal("body in base64", "YSBtZXNzYWdl", text(message, "body"))?;
            equal(
                "address",
                &*AddrB3::of(b"a message").to_string(),
                text(message, "address"),
            )?;
            let lease = json!({"id": message["id"], "lease": message["lease"]});
            document(
                &self
                    .post(&format!("{topic}/ack"), lease.to_string())
                    .await?,
            )?;
        }
        let left = document(&self.post(&receive, "").await?)?;
        let left = left["messages"].as_array().map_or(0, Vec::len);
        equal("messages after the acknowledgement", 0, left)
    }

    async fn publish(&mut self, path: &str, address: AddrB3) -> Result<Response> {
        let request = self.begin(Method::PUT, path)?;
        let document = json!({"address": address.to_string(), "expected": "absent"});
        self.send(http::with_body(request, document.to_string()))
            .await
    }

    async fn index(&mut self) -> Result {
        let path = format!("/i/gwsmoke.{}.http", self.sample.run);
        refused(&self.read(Method::GET, &path).await?, 404, "not_found")?;
        document(&self.publish(&path, self.sample.address).await?)?;
        let response = self.read(Method::GET, &path).await?;
        let address = self.sample.address.to_string();
        equal("address", &*address, text(&document(&response)?, "address"))?;
        equal("ETag", &*format!("\"{address}\""), response.header(ETAG))?;
        let again = self.publish(&path, self.sample.missing).await?;
        refused(&again, 409, "unexpected_value")
    }
}

/// The headers that come with an object, or a part of it.
fn describes(response: &Response, address: AddrB3, len: usize) -> Result {
    equal(
        "Content-Length",
        &*len.to_string(),
        response.header(CONTENT_LENGTH),
    )?;
    equal("Content-Type", BYTES, response.header(CONTENT_TYPE))?;
    equal("Accept-Ranges", "bytes", response.header(ACCEPT_RANGES))?;
    equal("ETag", &*format!("\"{address}\""), response.header(ETAG))
}

/// A refusal with its status and reason.
fn refused(response: &Response, status: u16, reason: &str) -> Result {
    equal("status", status, response.status.as_u16())?;
    equal("reason", reason, text(&body(response), "reason"))
}

/// The document of a success.
fn document(response: &Response) -> Result<Value> {
    equal("status", 200, response.status.as_u16())?;
    equal("Content-Type", JSON, response.header(CONTENT_TYPE))?;
    Ok(body(response))
}

/// What is no document has no fields.
fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap_or("nothing")
}
