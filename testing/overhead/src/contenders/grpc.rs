//! gRPC: tonic's channel.

use super::callers::InTasks;
use super::{Contender, Task, Work};
use crate::closed_loop::AsyncClient;
use crate::endpoint::capability;
use crate::grpc::{GetReply, GetRequest, PutReply, PutRequest, GET, MAX_MESSAGE, PUT};
use crate::object::Object;
use crate::windows;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::Uri;
use hyper_util::rt::TokioIo;
use ron_app_sdk::{AddrB3, IdemKey};
use ron_bare::Result;
use rustls::pki_types::ServerName;
use rustls::ClientConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::Request;
use tonic_prost::ProstCodec;
use tower::service_fn;

struct Service {
    channel: Channel,
    token: MetadataValue<Ascii>,
    object: Arc<Object>,
    body: Bytes,
    address: String,
    work: Work,
}

/// A client with one connection.
pub(super) fn contender(runtime: Runtime, task: &Task) -> Result<Box<dyn Contender>> {
    let server = task.endpoint.grpc.ok_or("the server has no gRPC")?;
    let mut tls = (*task.endpoint.tls()?).clone();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let tls = Arc::new(tls);
    let connector = service_fn(move |_: Uri| connect(server, Arc::clone(&tls)));
    let endpoint = Endpoint::try_from(format!("https://{server}"))?
        .initial_stream_window_size(windows::STREAM)
        .initial_connection_window_size(windows::CONNECTION);
    let channel = runtime.block_on(endpoint.connect_with_connector(connector))?;
    let token = format!("Ron {}", capability()?.expose_base64url().as_str());
    let client = Service {
        channel,
        token: token.parse()?,
        body: task.object.body.clone().into(),
        address: task.object.address.to_string(),
        object: Arc::clone(&task.object),
        work: task.work,
    };
    Ok(Box::new(InTasks {
        runtime,
        client: Arc::new(client),
        callers: task.callers,
    }))
}

async fn connect(
    server: SocketAddr,
    tls: Arc<ClientConfig>,
) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::from(server.ip());
    let stream = TlsConnector::from(tls).connect(name, stream).await?;
    Ok(TokioIo::new(stream))
}

impl AsyncClient for Service {
    async fn call(&self) -> Result<()> {
        let mut grpc = Grpc::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        grpc.ready().await?;
        let is_right = match self.work {
            Work::Get => {
                let address = self.address.clone();
                let request = self.request(GetRequest { address });
                let codec = ProstCodec::<GetRequest, GetReply>::new();
                let path = PathAndQuery::from_static(GET);
                let reply = grpc.unary(request, path, codec).await?.into_inner();
                AddrB3::of(&reply.body) == self.object.address
            }
            Work::Put => {
                let body = self.body.clone();
                let mut request = self.request(PutRequest { body });
                let key = IdemKey::random()
                    .map_err(|error| error.to_string())?
                    .expose()
                    .parse()?;
                request.metadata_mut().insert("idempotency-key", key);
                let codec = ProstCodec::<PutRequest, PutReply>::new();
                let path = PathAndQuery::from_static(PUT);
                let reply = grpc.unary(request, path, codec).await?.into_inner();
                AddrB3::of(&self.body) == self.object.address && reply.address == self.address
            }
        };
        is_right
            .then_some(())
            .ok_or_else(|| "another object was answered for".into())
    }
}

impl Service {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.token.clone());
        request
    }
}
