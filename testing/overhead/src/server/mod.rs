//! Servers that cost as little as their protocols allow, in a process of their own: what is measured is the clients.
//!
//! Each of them answers a get with the same object and a put of the object with its receipt, and compares what is
//! put with what it should be. TLS is the same everywhere: 1.3, `TLS_AES_128_GCM_SHA256`, the same certificate.

#[cfg(feature = "peers")]
mod grpc;
#[cfg(feature = "peers")]
mod http;
mod responder;
mod wire;

use crate::endpoint::Endpoint;
use crate::object::Object;
use rcgen::{Certificate, CertificateParams, KeyPair, PublicKeyData};
use responder::Responder;
use ron_app_sdk::oap::ALPN;
use ron_app_sdk::SpkiPin;
use ron_bare::Result;
use rustls::crypto::ring;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use wire::{PlainWire, Received, ServerWire, TlsWire};

/// On standard input: lets go of the gets that are held.
pub(crate) const RELEASE: &str = "release";
/// How often a connection that holds gets looks whether it may let go.
const LOOK: Duration = Duration::from_millis(20);

/// What all connections share.
struct Served {
    object: Arc<Object>,
    /// Whether gets wait for [`RELEASE`].
    is_holding: AtomicBool,
}

/// Serves an object of so many bytes until standard input ends. The first line on standard output is the
/// [`Endpoint`].
pub(crate) fn run(payload: usize, is_holding: bool) -> Result<()> {
    let served = Arc::new(Served {
        object: Arc::new(Object::of_len(payload)),
        is_holding: AtomicBool::new(is_holding),
    });
    let identity = Identity::new()?;
    let tls = identity.tls(&[ALPN])?;
    let oap = accept(&served, move |stream, served| {
        serve(TlsWire::accept(stream, &tls)?, served)
    })?;
    let plain = accept(&served, |stream, served| {
        serve(PlainWire::new(stream), served)
    })?;
    let (http, grpc) = start_peers(&served.object, &identity)?;
    let endpoint = Endpoint {
        oap,
        plain,
        http,
        grpc,
        certificate: identity.certificate.pem(),
        pin: identity.pin.to_string(),
        payload,
    };
    let mut out = io::stdout();
    writeln!(out, "{}", serde_json::to_string(&endpoint)?)?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        if line? == RELEASE {
            served.is_holding.store(false, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Where HTTP and gRPC are served.
type Peers = (Option<SocketAddr>, Option<SocketAddr>);

#[cfg(feature = "peers")]
fn start_peers(object: &Object, identity: &Identity) -> Result<Peers> {
    let start = |alpn: &[&[u8]], protocol| http::start(object, identity.tls(alpn)?, protocol);
    let http = start(&[b"h2", b"http/1.1"], http::Protocol::Http)?;
    let grpc = start(&[b"h2"], http::Protocol::Grpc)?;
    Ok((Some(http), Some(grpc)))
}

#[cfg(not(feature = "peers"))]
#[allow(clippy::unnecessary_wraps)] // as the other one
fn start_peers(_object: &Object, _identity: &Identity) -> Result<Peers> {
    Ok((None, None))
}

/// Listens on a port of its own, and serves each connection on a thread of its own.
#[allow(clippy::print_stderr)] // what went wrong here explains what goes wrong at the client
fn accept(
    served: &Arc<Served>,
    serve: impl Fn(TcpStream, &Served) -> Result<()> + Send + Sync + 'static,
) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (served, serve) = (Arc::clone(served), Arc::new(serve));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (served, serve) = (Arc::clone(&served), Arc::clone(&serve));
            thread::spawn(move || {
                let served = stream
                    .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
                    .map_err(Into::into)
                    .and_then(|stream| serve(stream, &served));
                if let Err(error) = served {
                    eprintln!("the server ended a connection: {error}");
                }
            });
        }
    });
    Ok(address)
}

/// One connection: reads all that has come, answers all of it, and writes once.
fn serve(mut wire: impl ServerWire, served: &Served) -> Result<()> {
    let is_holding = || served.is_holding.load(Ordering::Relaxed);
    let mut responder = Responder::new(Arc::clone(&served.object), is_holding())?;
    if responder.is_holding() {
        wire.set_patience(Some(LOOK))?;
    }
    loop {
        if wire.receive(|bytes| responder.consume(bytes))? == Received::End {
            return Ok(());
        }
        if responder.is_holding() && !is_holding() {
            wire.set_patience(None)?;
            responder.release();
        }
        responder.write_due(|bytes| wire.write(bytes))?;
        wire.flush()?;
    }
}

/// A certificate with its key, made for this run.
struct Identity {
    certificate: Certificate,
    key: PrivateKeyDer<'static>,
    pin: SpkiPin,
}

impl Identity {
    fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        Ok(Self {
            certificate: CertificateParams::new(names)?.self_signed(&key)?,
            pin: SpkiPin(Sha256::digest(key.subject_public_key_info()).into()),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    fn tls(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>> {
        let provider = CryptoProvider {
            cipher_suites: vec![TLS13_AES_128_GCM_SHA256],
            ..ring::default_provider()
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], self.key.clone_key())?;
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}
