//! The gateway's HTTP face, one connection at a time.
//!
//! On hyper's own client connections, without a pool: a check can then tell whether a connection is still in order
//! after a response, and a load knows how many there are.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{
    HeaderMap, HeaderName, HeaderValue, AUTHORIZATION, CONTENT_LENGTH, HOST, RANGE,
};
use hyper::http::request::Builder;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use ron_app_sdk::{Capability, SdkConfig, MAX_BODY};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A response is not read beyond it: the longest one is a batch of messages as base64.
const LONGEST_RESPONSE: usize = 2 * MAX_BODY;

/// The body of a request.
pub type RequestBody = UnsyncBoxBody<Bytes, Infallible>;

/// Where the HTTP face is and how it is trusted. Cloning is cheap.
#[derive(Clone)]
pub struct HttpFace {
    authority: HeaderValue,
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
    connect_limit: Duration,
}

/// Why a request has no response.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A setting that cannot be used.
    #[error("{0}")]
    Config(String),
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// TLS failed, or something else is spoken there.
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke: {0}")]
    Connection(#[from] hyper::Error),
    /// There was no response in time.
    #[error("no response within {0:?}")]
    Elapsed(Duration),
    /// The response is longer than any is.
    #[error("the response has more than {LONGEST_RESPONSE} bytes")]
    TooLong,
}

/// A response, complete.
#[derive(Clone, Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Response {
    /// A header's text, empty where it is not there.
    pub fn header(&self, name: HeaderName) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

impl HttpFace {
    /// The face of the gateway that the SDK's settings name, trusted as the SDK trusts it. May read files.
    ///
    /// # Errors
    /// Where a setting cannot be used.
    pub fn new(config: &SdkConfig) -> Result<Self, HttpError> {
        let refuse = |text: &str| HttpError::Config(text.to_owned());
        if config.tls.pin.is_some() {
            return Err(refuse(
                "tls.pin (RON_SDK_TLS_PIN) counts for OAP alone: use --face oap, or tls.ca (--ca) instead of a pin",
            ));
        }
        // The SDK's settings have been checked: this address is one.
        let uri: Uri = config
            .gateway_addr
            .parse()
            .map_err(|_| refuse("gateway_addr is not an address of the form https://host:port"))?;
        let authority = uri
            .authority()
            .ok_or_else(|| refuse("gateway_addr names no host"))?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| refuse("gateway_addr names a host that no certificate can be for"))?;
        Ok(Self {
            authority: HeaderValue::from_str(authority.as_str())
                .map_err(|_| refuse("gateway_addr names a host that no header can carry"))?,
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(443),
            name,
            tls: connector(config)?,
            connect_limit: config.timeouts.connect,
        })
    }

    /// A new connection.
    ///
    /// # Errors
    /// Where there is none within `timeouts.connect`.
    pub async fn connect(&self) -> Result<Connection, HttpError> {
        let connect = async {
            let stream = TcpStream::connect((&*self.host, self.port))
                .await
                .map_err(HttpError::Connect)?;
            stream.set_nodelay(true).map_err(HttpError::Connect)?;
            let stream = self
                .tls
                .connect(self.name.clone(), stream)
                .await
                .map_err(HttpError::Tls)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // How it ends is heard by whoever sends on it.
            let task = tokio::spawn(async move { drop(connection.await) });
            Ok(Connection {
                sender,
                task: task.abort_handle(),
            })
        };
        match timeout(self.connect_limit, connect).await {
            Ok(connected) => connected,
            Err(_elapsed) => Err(HttpError::Elapsed(self.connect_limit)),
        }
    }

    /// The beginning of a request for a path.
    pub fn request(&self, method: Method, path: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.authority.clone())
    }
}

/// A connection. Dropping it closes it.
pub struct Connection {
    sender: SendRequest<RequestBody>,
    task: AbortHandle,
}

impl Connection {
    /// Whether it has been closed, as far as is known.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// Where there is none within `limit`.
    pub async fn send(
        &mut self,
        request: Request<RequestBody>,
        limit: Duration,
    ) -> Result<Response, HttpError> {
        let send = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, LONGEST_RESPONSE).collect().await;
            let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(error) => HttpError::Connection(*error),
                Err(error) => {
                    debug_assert!(error.is::<LengthLimitError>());
                    HttpError::TooLong
                }
            })?;
            Ok(Response {
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
            })
        };
        match timeout(limit, send).await {
            Ok(response) => response,
            Err(_elapsed) => Err(HttpError::Elapsed(limit)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The `Authorization` header of a capability. It does not show in a `Debug`.
///
/// # Errors
/// None in practice: base64url has no character that a header could not carry.
pub fn authorization(capability: &Capability) -> Result<(HeaderName, HeaderValue), HttpError> {
    secret("Ron", &capability.expose_base64url())
}

/// The `Authorization` header with a secret of some scheme. It does not show in a `Debug`.
///
/// # Errors
/// Where the secret has characters that a header cannot carry.
pub fn secret(scheme: &str, secret: &str) -> Result<(HeaderName, HeaderValue), HttpError> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {secret}"))
        .map_err(|_| HttpError::Config(format!("the secret of scheme {scheme} is not ASCII")))?;
    value.set_sensitive(true);
    Ok((AUTHORIZATION, value))
}

/// The `Range` header, such as `bytes=0-9`.
pub fn range(builder: Builder, range: &str) -> Builder {
    builder.header(RANGE, range)
}

/// A request with these bytes as its body.
///
/// # Errors
/// Where its path or a header is none.
pub fn with_body(
    builder: Builder,
    body: impl Into<Bytes>,
) -> Result<Request<RequestBody>, HttpError> {
    finish(builder, Full::new(body.into()).boxed_unsync())
}

/// A request that announces so many bytes of body and sends none of them.
///
/// # Errors
/// Where its path or a header is none.
pub fn with_announced_body(
    builder: Builder,
    len: usize,
) -> Result<Request<RequestBody>, HttpError> {
    finish(builder.header(CONTENT_LENGTH, len), Silence.boxed_unsync())
}

fn finish(builder: Builder, body: RequestBody) -> Result<Request<RequestBody>, HttpError> {
    builder
        .body(body)
        .map_err(|error| HttpError::Config(format!("not a request: {error}")))
}

/// A body of which nothing comes.
struct Silence;

impl hyper::body::Body for Silence {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        Pin::new(&mut std::future::pending()).poll(context)
    }
}

/// Trusts the system's authorities and those in `tls.ca`, as the SDK does.
fn connector(config: &SdkConfig) -> Result<TlsConnector, HttpError> {
    let refuse = |text: String| HttpError::Config(text);
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &config.tls.ca {
        let unusable =
            |error: &dyn std::fmt::Display| refuse(format!("tls.ca: {}: {error}", path.display()));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
    }
    if roots.is_empty() {
        return Err(refuse(
            "the system has no trusted authorities and tls.ca names none".into(),
        ));
    }
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| refuse(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(tls)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_app_sdk::Macaroon;

    #[test]
    fn a_secret_does_not_show() {
        let token = Macaroon::mint(b"root key", "ron", b"canary").encode();
        let capability = Capability::from_bytes(token).unwrap();
        let (name, value) = authorization(&capability).unwrap();
        assert_eq!(
            value.to_str().unwrap(),
            format!("Ron {}", *capability.expose_base64url())
        );
        let request = Request::builder().header(name, value).body(()).unwrap();
        assert!(!format!("{request:?}").contains("Ron "), "{request:?}");
    }
}
