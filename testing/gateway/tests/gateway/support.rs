//! A gateway to test against, and a small OAP client: the session's client role over tokio-rustls.

use bytes::Bytes;
use ron_app_sdk::oap::hello::HelloRequest;
use ron_app_sdk::oap::{CallContext, ErrorReply, ObjectReply, Operation, Plane, StoragePutReply};
use ron_app_sdk::session::{Client, ClientEvent, Request};
use ron_app_sdk::{AddrB3, Capability, IdemKey};
use ron_gateway::certificates::{Authority, CertificateRequest, ServerIdentity};
use ron_gateway::store::{MemoryStore, Object, ObjectStore, Part, PutError};
use ron_gateway::{self as gateway, Backends, Gateway, GatewayConfig, ReadError, Selection};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;

pub(crate) const MINUTE: u32 = 60_000;

/// A gateway, and what a client needs for it.
pub(crate) struct Fixture {
    pub(crate) gateway: Gateway,
    pub(crate) connector: TlsConnector,
    pub(crate) authority: Authority,
    pub(crate) capability: Capability,
}

impl Fixture {
    pub(crate) async fn start(config: GatewayConfig) -> Self {
        let backends = Backends::in_memory(&config).unwrap();
        Self::start_with(config, backends).await
    }

    pub(crate) async fn start_with(config: GatewayConfig, backends: Backends) -> Self {
        let authority = Authority::new().unwrap();
        let identity = authority.issue(&CertificateRequest::localhost()).unwrap();
        let gateway = Gateway::start_with(config, identity, backends)
            .await
            .unwrap();
        let capability = gateway.mint("test", &[]).unwrap();
        Self {
            gateway,
            connector: connector(authority.certificate_der(), &[b"ron/1"]),
            authority,
            capability,
        }
    }

    pub(crate) async fn tls(&self) -> TlsStream<TcpStream> {
        tls(&self.connector, self.gateway.address()).await.unwrap()
    }

    /// A connection that has exchanged HELLO.
    pub(crate) async fn connect(&self) -> Connection {
        let mut connection = self.connect_silently().await;
        connection
            .until(|event| matches!(event, ClientEvent::Ready).then_some(()))
            .await;
        connection
    }

    /// A connection on which nothing was written yet.
    pub(crate) async fn connect_silently(&self) -> Connection {
        Connection::new(self.tls().await, &self.capability)
    }
}

/// A store whose puts wait to be let through.
struct Gated {
    store: Arc<MemoryStore>,
    gate: Arc<Semaphore>,
}

impl ObjectStore for Gated {
    fn put(
        &self,
        address: AddrB3,
        body: Bytes,
        deadline: Instant,
    ) -> gateway::Answer<Result<(), PutError>> {
        let (store, gate) = (Arc::clone(&self.store), Arc::clone(&self.gate));
        gateway::Answer::pending(async move {
            gate.acquire().await.unwrap().forget();
            store.put(address, body, deadline).wait().await
        })
    }

    fn head(&self, address: AddrB3) -> gateway::Answer<Result<Object, ReadError>> {
        self.store.head(address)
    }

    fn read(
        &self,
        address: AddrB3,
        selection: Selection,
    ) -> gateway::Answer<Result<Part, ReadError>> {
        self.store.read(address, selection)
    }
}

/// A gateway whose puts wait for a permit each.
pub(crate) async fn gated(config: GatewayConfig) -> (Fixture, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let mut backends = Backends::in_memory(&config).unwrap();
    backends.objects = Arc::new(Gated {
        store: Arc::new(MemoryStore::new(1 << 20)),
        gate: Arc::clone(&gate),
    });
    (Fixture::start_with(config, backends).await, gate)
}

pub(crate) fn connector(root: &[u8], alpn: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

pub(crate) async fn tls(
    connector: &TlsConnector,
    address: SocketAddr,
) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    // As the SDK does: a call must not wait for the acknowledgement of the one before.
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").unwrap();
    connector.connect(name, tcp).await
}

pub(crate) fn identity_of(authority: &Authority, request: &CertificateRequest) -> ServerIdentity {
    authority.issue(request).unwrap()
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) meta: Vec<u8>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn put(&self) -> StoragePutReply {
        serde_json::from_slice(&self.meta).unwrap()
    }

    pub(crate) fn object(&self) -> ObjectReply {
        serde_json::from_slice(&self.meta).unwrap()
    }

    /// The meta of a success as `T`.
    pub(crate) fn reply<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.code, 200, "{:?}", String::from_utf8_lossy(&self.meta));
        serde_json::from_slice(&self.meta).unwrap()
    }

    pub(crate) fn error(&self) -> ErrorReply {
        let error: ErrorReply = serde_json::from_slice(&self.meta).unwrap();
        assert_eq!(error.reason.code(), self.code);
        error
    }
}

pub(crate) struct Connection {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) session: Client,
    pub(crate) capability: Vec<u8>,
    pub(crate) tenant_id: u128,
    tag: usize,
    answers: HashMap<usize, Answer>,
}

impl Connection {
    /// A connection on which nothing was written yet.
    pub(crate) fn new(stream: TlsStream<TcpStream>, capability: &Capability) -> Self {
        Self {
            stream,
            session: Client::new(&HelloRequest::new("test"), 1000),
            capability: capability.expose().to_vec(),
            tenant_id: 0,
            tag: 0,
            answers: HashMap::new(),
        }
    }

    pub(crate) async fn call(&mut self, operation: Operation<'_>, body: &[u8]) -> Answer {
        self.call_within(operation, body, MINUTE).await
    }

    pub(crate) async fn call_within(
        &mut self,
        operation: Operation<'_>,
        body: &[u8],
        deadline_ms: u32,
    ) -> Answer {
        let (tag, _) = self.send(&operation, body, deadline_ms).await;
        self.answer(tag).await
    }

    /// Writes a whole request; returns its tag and its number on the connection.
    pub(crate) async fn send(
        &mut self,
        operation: &Operation<'_>,
        body: &[u8],
        deadline_ms: u32,
    ) -> (usize, u64) {
        let context = CallContext {
            deadline_ms,
            idem: None,
            attempt: 1,
            traceparent: None,
        };
        let mut meta = Vec::new();
        operation.encode(&context, &mut meta);
        self.send_meta(operation.plane(), &meta, body).await
    }

    /// Writes a mutation under an idempotency key; as [`Connection::send`].
    pub(crate) async fn send_keyed(
        &mut self,
        operation: &Operation<'_>,
        key: &str,
        body: &[u8],
    ) -> (usize, u64) {
        let context = CallContext {
            deadline_ms: MINUTE,
            idem: Some(IdemKey::new(key).unwrap()),
            attempt: 1,
            traceparent: None,
        };
        let mut meta = Vec::new();
        operation.encode(&context, &mut meta);
        self.send_meta(operation.plane(), &meta, body).await
    }

    pub(crate) async fn call_keyed(
        &mut self,
        operation: &Operation<'_>,
        key: &str,
        body: &[u8],
    ) -> Answer {
        let (tag, _) = self.send_keyed(operation, key, body).await;
        self.answer(tag).await
    }

    /// Writes a put under an idempotency key; as [`Connection::send`].
    pub(crate) async fn send_put(&mut self, key: &str, body: &[u8]) -> (usize, u64) {
        self.send_keyed(&Operation::StoragePut, key, body).await
    }

    pub(crate) async fn put(&mut self, key: &str, body: &[u8]) -> Answer {
        let (tag, _) = self.send_put(key, body).await;
        self.answer(tag).await
    }

    pub(crate) async fn send_meta(
        &mut self,
        plane: Plane,
        meta: &[u8],
        body: &[u8],
    ) -> (usize, u64) {
        self.tag += 1;
        let request = Request {
            plane,
            tenant_id: self.tenant_id,
            capability: &self.capability,
            meta,
        };
        let mut out = std::mem::take(self.session.control_output());
        let mut sent = self
            .session
            .start(self.tag, &request, body.len(), &mut out)
            .unwrap();
        let corr_id = sent.corr_id;
        loop {
            out.extend_from_slice(&body[sent.body.clone()]);
            match self
                .session
                .resume(corr_id, sent.body.end, body.len(), &mut out)
            {
                Some(next) => sent = next,
                None => break,
            }
        }
        self.stream.write_all(&out).await.unwrap();
        (self.tag, corr_id)
    }

    pub(crate) async fn answer(&mut self, tag: usize) -> Answer {
        if let Some(answer) = self.answers.remove(&tag) {
            return answer;
        }
        let (found, answer) = self
            .until(|event| match event {
                ClientEvent::Reply {
                    tag: of,
                    code,
                    meta,
                    body,
                } => Some((
                    of,
                    Answer {
                        code,
                        meta: meta.to_vec(),
                        body,
                    },
                )),
                _ => None,
            })
            .await;
        if found == tag {
            return answer;
        }
        self.answers.insert(found, answer);
        Box::pin(self.answer(tag)).await
    }

    /// Writes what the session has to say and reads until `wanted` finds something.
    pub(crate) async fn until<T>(&mut self, wanted: impl Fn(ClientEvent) -> Option<T>) -> T {
        loop {
            while let Some(event) = self.session.next_event() {
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
            assert!(
                self.exchange().await > 0,
                "the gateway closed the connection"
            );
        }
    }

    /// Writes what the session has to say and reads once.
    pub(crate) async fn exchange(&mut self) -> usize {
        let out = std::mem::take(self.session.control_output());
        self.stream.write_all(&out).await.unwrap();
        let mut input = vec![0; 65_536];
        let count = within(5, self.stream.read(&mut input)).await.unwrap();
        self.session
            .receive(Instant::now(), &input[..count])
            .unwrap();
        count
    }

    /// Waits for the end of the connection; true where the gateway closed it orderly.
    pub(crate) async fn ends(&mut self) -> bool {
        let mut input = vec![0; 65_536];
        loop {
            match within(5, self.stream.read(&mut input)).await {
                Ok(0) => return true,
                Ok(count) => {
                    let _ = self.session.receive(Instant::now(), &input[..count]);
                }
                Err(_) => return false,
            }
        }
    }
}

/// A test that hangs fails.
pub(crate) async fn within<T>(seconds: u64, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), future)
        .await
        .unwrap()
}

/// Waits for something that another task does.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    within(5, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
