//! An HTTP face that sends a body where there must be none.

use crate::smoke::check;
use crate::support::{config_of, identity, World};
use gwsmoke::options::Faces;
use gwsmoke::settings::Settings;
use gwsmoke::smoke::State;
use ron_app_sdk::AddrB3;
use ron_gateway::certificates::ServerIdentity;
use ron_gateway::GatewayConfig;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Stores one object, and returns it over HTTP; to a HEAD with its body, where `has_body`.
async fn serve(identity: ServerIdentity, has_body: bool) -> SocketAddr {
    let (chain, key) = identity.into_parts();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stored = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, stored) = (acceptor.clone(), Arc::clone(&stored));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut stream = BufReader::new(stream);
                while let Some(response) = answer(&mut stream, &stored, has_body).await {
                    if stream.write_all(&response).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Reads a request and makes the response; `None` where there is no further one.
async fn answer<S>(
    stream: &mut BufReader<S>,
    stored: &Mutex<Vec<u8>>,
    has_body: bool,
) -> Option<Vec<u8>>
where
    S: tokio::io::AsyncRead + Unpin,
{
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let line = head.lines().next()?.to_owned();
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; len.map_or(0, |len| len.parse().unwrap())];
    if body.len() < 200_000 {
        stream.read_exact(&mut body).await.ok()?;
    }
    let mut path = line.split(' ');
    let (method, path) = (path.next()?, path.next()?);
    let json = |text: String| {
        (
            "200 OK",
            "Content-Type: application/json\r\n".to_owned(),
            text.into_bytes(),
        )
    };
    let (status, headers, body) = match (method, path) {
        ("GET", "/healthz" | "/readyz") => ("200 OK", String::new(), b"ok".to_vec()),
        ("GET", "/version") => json(r#"{"oap":[1]}"#.into()),
        ("POST", "/put") if body.len() > 100_000 && body.len() < 200_000 => {
            let (address, size) = (AddrB3::of(&body), body.len());
            *stored.lock().unwrap() = body;
            json(format!(
                r#"{{"executed":"yes","address":"{address}","size":{size}}}"#
            ))
        }
        ("GET" | "HEAD", path) if path == format!("/o/{}", AddrB3::of(&stored.lock().unwrap())) => {
            let address = path.trim_start_matches("/o/");
            let headers = format!(
                "ETag: \"{address}\"\r\nAccept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\n"
            );
            ("200 OK", headers, stored.lock().unwrap().clone())
        }
        _ => ("404 Not Found", String::new(), Vec::new()),
    };
    let mut response = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    if method != "HEAD" || has_body {
        response.extend(body);
    }
    Some(response)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_after_a_head_is_found() {
    let world = World::start(GatewayConfig::default()).await;
    for has_body in [false, true] {
        let (identity, _folder, ca) = identity();
        let settings = Settings {
            config: config_of(serve(identity, has_body).await, ca),
            capability: world.settings.capability.clone(),
        };
        let report = check(&settings, Faces::Http).await;
        let state = |name: &str| {
            report
                .checks
                .iter()
                .find(|verdict| verdict.check == name)
                .unwrap()
                .state
        };
        assert_eq!(
            state("get: length, bytes, hash and headers"),
            State::Ok,
            "{report:#?}"
        );
        let expected = if has_body { State::Failed } else { State::Ok };
        assert_eq!(
            state("head: size and headers, no body"),
            expected,
            "{report:#?}"
        );
        // It ignores ranges, too.
        assert_eq!(state("range: the first bytes"), State::Failed);
    }
}
