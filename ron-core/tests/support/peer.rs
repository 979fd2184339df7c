//! A TLS server that speaks OAP frame by frame, as a test tells it to.

use super::Trust;
use ron_app_sdk::oap::hello::{HelloReply, Profile};
use ron_app_sdk::oap::{Flags, Frame, Header};
use ron_gateway::certificates::{CertificateRequest, ServerIdentity};
use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const OK: u16 = 200;
pub(crate) const STORAGE: u16 = 0x0301;
pub(crate) const EDGE: u16 = 0x0401;

/// How the peer speaks TLS.
pub(crate) struct PeerTls {
    pub(crate) version: &'static SupportedProtocolVersion,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) certificate: CertificateRequest,
}

impl Default for PeerTls {
    fn default() -> Self {
        Self {
            version: &rustls::version::TLS13,
            alpn: vec![b"ron/1".to_vec()],
            certificate: CertificateRequest::localhost(),
        }
    }
}

/// A listener whose connections are handled by a script, each on a thread of its own.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) trust: Trust,
    connections: Arc<AtomicUsize>,
}

impl Peer {
    /// Speaks TLS as told, then follows the script; its second argument counts connections from 0.
    pub(crate) fn tls(
        tls: PeerTls,
        script: impl Fn(&mut Conversation, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let trust = Trust::new();
        let identity = trust.authority.issue(&tls.certificate).unwrap();
        Self::identified(trust, identity, tls, script)
    }

    /// With a certificate of the test's own.
    pub(crate) fn identified(
        trust: Trust,
        identity: ServerIdentity,
        tls: PeerTls,
        script: impl Fn(&mut Conversation, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let (chain, key) = identity.into_parts();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[tls.version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = tls.alpn;
        let config = Arc::new(config);
        Self::accept(trust, move |stream, number| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = StreamOwned::new(connection, stream);
            let _ = script(&mut Conversation { stream }, number);
        })
    }

    /// A gateway that has answered HELLO, then follows the script.
    pub(crate) fn after_hello(
        script: impl Fn(&mut Conversation, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::tls(PeerTls::default(), move |conversation, number| {
            conversation.hello(64)?;
            script(conversation, number)
        })
    }

    /// Without TLS.
    pub(crate) fn plain(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        Self::accept(Trust::new(), script)
    }

    fn accept(trust: Trust, script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (script, counter) = (Arc::new(script), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                stream.set_nodelay(true).unwrap();
                std::thread::spawn(move || script(stream, number));
            }
        });
        Self {
            address,
            trust,
            connections,
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Settings for one attempt per call: most tests are about what that comes to.
    pub(crate) fn config(&self) -> ron_app_sdk::SdkConfig {
        let mut config = self.patient_config();
        config.backoff.max_attempts = 1;
        config
    }

    /// Settings for as many attempts as usual.
    pub(crate) fn patient_config(&self) -> ron_app_sdk::SdkConfig {
        self.trust.config(self.address)
    }

    pub(crate) fn sdk(&self) -> ron_app_sdk::blocking::RonAppSdk {
        ron_app_sdk::blocking::RonAppSdk::new(self.config()).unwrap()
    }
}

/// One connection of a [`Peer`].
pub(crate) struct Conversation {
    pub(crate) stream: StreamOwned<ServerConnection, TcpStream>,
}

/// A frame that the client sent.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl Conversation {
    /// Answers HELLO.
    pub(crate) fn hello(&mut self, max_inflight: u32) -> io::Result<()> {
        let reply = HelloReply::new(max_inflight, Profile::Micronode, true);
        self.hello_with(OK, &serde_json::to_vec(&reply).unwrap())
    }

    pub(crate) fn hello_with(&mut self, code: u16, text: &[u8]) -> io::Result<()> {
        let hello = self.receive()?;
        let corr_id = hello.header.corr_id;
        self.send(Flags::RESP, code, 0, corr_id, None, text)
    }

    pub(crate) fn receive(&mut self) -> io::Result<Received> {
        let mut bytes = vec![0; 38];
        self.stream.read_exact(&mut bytes)?;
        let len = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        bytes.resize(len, 0);
        self.stream.read_exact(&mut bytes[38..])?;
        let (frame, _) = Frame::decode(&bytes).unwrap();
        Ok(Received {
            header: frame.header,
            payload: frame.payload.to_vec(),
        })
    }

    /// Receives frames until a request's END; returns its id.
    pub(crate) fn request(&mut self) -> io::Result<u64> {
        loop {
            let header = self.receive()?.header;
            if header.flags.contains(Flags::REQ) && header.is_end() {
                return Ok(header.corr_id);
            }
        }
    }

    pub(crate) fn send(
        &mut self,
        flags: Flags,
        code: u16,
        app_proto_id: u16,
        corr_id: u64,
        meta: Option<&str>,
        body: &[u8],
    ) -> io::Result<()> {
        let frame = frame(flags, code, app_proto_id, corr_id, meta, body);
        self.send_bytes(&frame)
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// A whole reply in one frame.
    pub(crate) fn reply(
        &mut self,
        corr_id: u64,
        code: u16,
        meta: &str,
        body: &[u8],
    ) -> io::Result<()> {
        let flags = Flags::RESP.with(Flags::START).with(Flags::END);
        self.send(flags, code, STORAGE, corr_id, Some(meta), body)
    }

    /// Reads and drops whatever comes, until the client ends the connection.
    pub(crate) fn linger(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while self.stream.read(&mut buffer)? > 0 {}
        Ok(())
    }
}

pub(crate) fn frame(
    flags: Flags,
    code: u16,
    app_proto_id: u16,
    corr_id: u64,
    meta: Option<&str>,
    body: &[u8],
) -> Vec<u8> {
    let mut payload = Vec::new();
    if let Some(meta) = meta {
        payload.extend_from_slice(&(meta.len() as u32).to_be_bytes());
        payload.extend_from_slice(meta.as_bytes());
    }
    payload.extend_from_slice(body);
    let header = Header {
        len: 0,
        flags,
        code,
        app_proto_id,
        tenant_id: 0,
        cap_len: 0,
        corr_id,
    };
    let mut bytes = Vec::new();
    let frame = Frame {
        header,
        capability: b"",
        payload: &payload,
    };
    frame.encode(&mut bytes).unwrap();
    bytes
}

/// The meta of a successful `get` of a whole object.
pub(crate) fn object_meta(object: &[u8]) -> String {
    let address = ron_app_sdk::AddrB3::of(object);
    format!(
        r#"{{"executed":"no","address":"{address}","size":{}}}"#,
        object.len()
    )
}

/// Sleeps for as long as a test can last.
pub(crate) fn forever() {
    std::thread::sleep(Duration::from_secs(60));
}
