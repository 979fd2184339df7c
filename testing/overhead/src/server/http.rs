//! HTTP/1.1 and HTTP/2 over TLS, on one thread.

use super::grpc;
use crate::object::Object;
use crate::windows;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ron_bare::Result;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::server::TlsStream;
use tokio_rustls::TlsAcceptor;

/// What the object's answers are made of.
#[derive(Clone)]
pub(super) struct Answers {
    pub(super) body: Bytes,
    pub(super) address: Arc<str>,
}

impl Answers {
    pub(super) fn new(object: &Object) -> Self {
        Self {
            body: object.body.clone().into(),
            address: object.address.to_string().into(),
        }
    }
}

/// What is spoken inside of TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Grpc,
}

/// Listens on a port of its own.
pub(super) fn start(
    object: &Object,
    tls: Arc<ServerConfig>,
    protocol: Protocol,
) -> Result<SocketAddr> {
    let answers = Answers::new(object);
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async move {
            let acceptor = TlsAcceptor::from(tls);
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answers) = (acceptor.clone(), answers.clone());
                // A client that goes away is no concern of the server's.
                tokio::spawn(async move {
                    let _ = serve(stream, &acceptor, answers, protocol).await;
                });
            }
        });
    });
    Ok(address)
}

async fn serve(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    answers: Answers,
    protocol: Protocol,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    if protocol == Protocol::Grpc {
        let service = service_fn(move |request| grpc::answer(request, answers.clone()));
        let connection = http2().serve_connection(TokioIo::new(stream), service);
        return Ok(connection.await?);
    }
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request| answer(request, answers.clone()));
    let stream: TokioIo<TlsStream<TcpStream>> = TokioIo::new(stream);
    if is_http2 {
        http2().serve_connection(stream, service).await?;
    } else {
        let http1 = http1::Builder::new();
        http1.serve_connection(stream, service).await?;
    }
    Ok(())
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .initial_stream_window_size(windows::STREAM)
        .initial_connection_window_size(windows::CONNECTION)
        .max_frame_size(windows::FRAME);
    builder
}

async fn answer(
    request: Request<Incoming>,
    answers: Answers,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().strip_prefix("/o/");
    let (status, body) = if request.method() == Method::POST {
        match is_object(request.into_body(), &answers.body).await {
            true => (StatusCode::OK, answers.address.to_string().into()),
            false => (StatusCode::BAD_REQUEST, Bytes::new()),
        }
    } else if path == Some(&*answers.address) {
        (StatusCode::OK, answers.body)
    } else {
        (StatusCode::NOT_FOUND, Bytes::new())
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}

/// Whether what is put is the object: it is compared as it comes.
async fn is_object(mut body: Incoming, mut expected: &[u8]) -> bool {
    while let Some(frame) = body.frame().await {
        let Ok(Ok(data)) = frame.map(hyper::body::Frame::into_data) else {
            return false;
        };
        match expected.strip_prefix(&*data) {
            Some(rest) => expected = rest,
            None => return false,
        }
    }
    expected.is_empty()
}
