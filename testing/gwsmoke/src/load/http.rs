//! The HTTP face as a load's target. Each call is one attempt.

use super::oap::{is_part, MESSAGES};
use super::operation::Operation;
use super::target::{Outcome, Target, Task};
use super::work::{Object, Work};
use crate::http::{self, Connection, HttpError, HttpFace, RequestBody, Response};
use crate::lock::lock;
use hyper::header::{HeaderName, HeaderValue, CONTENT_LENGTH};
use hyper::http::request::Builder;
use hyper::{Method, Request};
use ron_app_sdk::{Capability, ErrorKind, IdemKey, IndexKey, SdkConfig, Topic};
use serde::Deserialize;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Calls over HTTP, on as many connections as there are calls at once.
pub struct HttpTarget {
    face: HttpFace,
    authorization: (HeaderName, HeaderValue),
    limit: Duration,
    /// Whether mutations carry a key.
    is_keyed: bool,
    work: Arc<Work>,
    edge_path: String,
    topic: String,
    names: Vec<IndexKey>,
    idle: Mutex<Vec<Connection>>,
    leases: Mutex<VecDeque<Lease>>,
}

/// What is needed to acknowledge a message.
#[derive(Deserialize)]
struct Lease {
    id: String,
    lease: String,
    len: u64,
}

#[derive(Deserialize)]
struct Batch {
    messages: Vec<Lease>,
}

impl HttpTarget {
    /// A target with messages in `topic` and these names.
    ///
    /// # Errors
    /// None in practice: see [`http::authorization`].
    pub fn new(
        face: HttpFace,
        config: &SdkConfig,
        capability: &Capability,
        work: Arc<Work>,
        edge_path: &str,
        topic: &Topic,
        names: Vec<IndexKey>,
    ) -> Result<Self, HttpError> {
        Ok(Self {
            face,
            authorization: http::authorization(capability)?,
            limit: config.overall_timeout,
            is_keyed: config.idempotency.enabled,
            work,
            edge_path: format!("/edge{}", percent_encoded(edge_path)),
            topic: format!("/m/{}", topic.as_str().replace('/', "%2F")),
            names,
            idle: Mutex::default(),
            leases: Mutex::default(),
        })
    }

    fn request(&self, task: Task, object: &Object) -> Result<Request<RequestBody>, HttpError> {
        let address = format!("/o/{}", object.address);
        let name = format!("/i/{}", self.names[task.object % self.names.len()]);
        match task.operation {
            Operation::Get => self.empty(Method::GET, &address),
            Operation::Head => self.empty(Method::HEAD, &address),
            Operation::Range => {
                let range = object.middle().map(|range| format!("bytes={range}"));
                let begun = self.begin(Method::GET, &address);
                http::with_body(http::range(begun, &range.unwrap_or_default()), "")
            }
            Operation::Put => self.keyed(Method::POST, "/put", object.body.clone()),
            Operation::Edge => self.empty(Method::GET, &self.edge_path),
            Operation::Send => self.keyed(Method::POST, &self.topic, object.body.clone()),
            Operation::Receive => {
                let document = json!({"max": MESSAGES}).to_string();
                let path = format!("{}/receive", self.topic);
                http::with_body(self.begin(Method::POST, &path), document)
            }
            Operation::Ack => {
                let lease = lock(&self.leases).pop_front();
                let lease = lease
                    .ok_or_else(|| HttpError::Config("there is nothing to acknowledge".into()))?;
                let document = json!({"id": lease.id, "lease": lease.lease}).to_string();
                let path = format!("{}/ack", self.topic);
                http::with_body(self.begin(Method::POST, &path), document)
            }
            Operation::Resolve => self.empty(Method::GET, &name),
            Operation::Publish => {
                let document = json!({"address": object.address.to_string()}).to_string();
                self.keyed(Method::PUT, &name, document)
            }
        }
    }

    fn begin(&self, method: Method, path: &str) -> Builder {
        let (name, value) = &self.authorization;
        self.face.request(method, path).header(name, value)
    }

    fn empty(&self, method: Method, path: &str) -> Result<Request<RequestBody>, HttpError> {
        http::with_body(self.begin(method, path), "")
    }

    fn keyed(
        &self,
        method: Method,
        path: &str,
        body: impl Into<bytes::Bytes>,
    ) -> Result<Request<RequestBody>, HttpError> {
        let mut request = self.begin(method, path);
        if self.is_keyed {
            let key = IdemKey::random()
                .map_err(|error| HttpError::Config(format!("no randomness: {error}")))?;
            let mut value = HeaderValue::from_str(key.expose())
                .map_err(|_| HttpError::Config("a key that is not ASCII".into()))?;
            value.set_sensitive(true);
            request = request.header("idempotency-key", value);
        }
        http::with_body(request, body)
    }

    async fn send(&self, request: Request<RequestBody>) -> Result<Response, HttpError> {
        let idle = std::iter::from_fn(|| lock(&self.idle).pop()).find(|idle| !idle.is_closed());
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.face.connect().await?,
        };
        let response = connection.send(request, self.limit).await?;
        lock(&self.idle).push(connection);
        Ok(response)
    }

    /// What a successful response means, or what is wrong with it.
    fn read(&self, task: Task, object: &Object, response: &Response) -> Outcome {
        let bytes = response.body.len() as u64;
        let size = object.body.len();
        let wrong = |what: &str| {
            let text = format!("the gateway returned {what} than were stored");
            Outcome::failed(1, ErrorKind::IntegrityMismatch, text)
        };
        match task.operation {
            Operation::Get if response.body != object.body => wrong("other bytes"),
            Operation::Head if response.header(CONTENT_LENGTH) != size.to_string() => {
                wrong("another size")
            }
            Operation::Range
                if !object
                    .middle()
                    .is_some_and(|range| is_part(&object.body, &response.body, range)) =>
            {
                wrong("other bytes")
            }
            Operation::Get | Operation::Range | Operation::Edge => Outcome::ok(1, bytes),
            Operation::Put | Operation::Send => Outcome::ok(1, size as u64),
            Operation::Receive => match serde_json::from_slice::<Batch>(&response.body) {
                Ok(batch) => {
                    let bytes = batch.messages.iter().map(|message| message.len).sum();
                    let received = batch.messages.len() as u32;
                    lock(&self.leases).extend(batch.messages);
                    Outcome {
                        received,
                        ..Outcome::ok(1, bytes)
                    }
                }
                Err(error) => Outcome::failed(
                    1,
                    ErrorKind::SchemaViolation,
                    // Not the parser's own words: they could repeat a part of a lease.
                    format!(
                        "the response is no batch of messages, in column {}",
                        error.column()
                    ),
                ),
            },
            _ => Outcome::ok(1, 0),
        }
    }
}

impl Target for HttpTarget {
    async fn call(&self, task: Task) -> Outcome {
        let object = self.work.object(task);
        let sent = match self.request(task, object) {
            Ok(request) => self.send(request).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(response) if response.status.is_success() => self.read(task, object, &response),
            Ok(response) => {
                let (kind, _) = ErrorKind::of_status(response.status.as_u16());
                Outcome::failed(1, kind, format!("the gateway answered {}", response.status))
            }
            Err(error) => Outcome::failed(1, kind(&error), error.to_string()),
        }
    }
}

/// The kind that the same failure has over OAP.
fn kind(error: &HttpError) -> ErrorKind {
    match error {
        HttpError::Config(_) => ErrorKind::Config,
        HttpError::Connect(_) | HttpError::Connection(_) => ErrorKind::Transport,
        HttpError::Tls(_) => ErrorKind::Tls,
        HttpError::Elapsed(_) => ErrorKind::DeadlineExceeded,
        HttpError::TooLong => ErrorKind::TooLarge,
    }
}

/// A path with everything encoded that a request's target could not have as it is.
fn percent_encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_where_it_has_to_be() {
        assert_eq!(percent_encoded("/ron/64k"), "/ron/64k");
        assert_eq!(percent_encoded("/a b/%/ü?#"), "/a%20b/%25/%C3%BC%3F%23");
    }
}
