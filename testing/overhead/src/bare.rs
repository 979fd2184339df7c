//! Clients without an SDK: a frame built beforehand, one send, and receives until the reply is there.

use ron_app_sdk::oap::{CallContext, Flags, Header, Operation, Plane, ALPN, HEADER_LEN};
use ron_app_sdk::{AddrB3, Capability, SdkConfig};
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Large enough for a reply of 64 KiB in one receive.
const BUFFER: usize = 288 * 1024;

/// A TLS stream.
pub(crate) trait Tls: Sized {
    fn connect(config: Arc<ClientConfig>, stream: TcpStream) -> Result<Self>;
    fn send(&mut self, plaintext: &[u8]) -> Result<()>;
    /// Appends at least one byte of plaintext.
    fn receive(&mut self, plaintext: &mut Vec<u8>) -> Result<()>;
}

/// One connection that fetches one object at a time.
pub(crate) struct BareClient<T> {
    tls: T,
    capability: Vec<u8>,
    corr_id: u64,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl<T: Tls> BareClient<T> {
    pub(crate) fn connect(config: &SdkConfig, capability: &Capability) -> Result<Self> {
        let address = config.gateway_addr.trim_start_matches("https://");
        let ca = config.tls.ca.as_ref().ok_or("RON_SDK_TLS_CA is not set")?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca)? {
            roots.add(certificate?)?;
        }
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            tls: T::connect(Arc::new(tls), stream)?,
            capability: capability.expose().to_vec(),
            corr_id: 0,
            request: Vec::new(),
            reply: Vec::new(),
        };
        let hello = frame(Flags::REQ, 0, 0, b"", b"{\"ua\":\"bare\"}");
        client.tls.send(&hello)?;
        client.read_frame()?;
        Ok(client)
    }

    /// Fetches an object; its bytes are the end of the reply.
    pub(crate) fn get(&mut self, address: AddrB3) -> Result<&[u8]> {
        self.corr_id += 1;
        if self.request.is_empty() {
            let mut meta = Vec::new();
            let context = CallContext {
                deadline_ms: 5000,
                idem: None,
                attempt: 1,
                traceparent: None,
            };
            let range = None;
            Operation::StorageGet { address, range }.encode(&context, &mut meta);
            let mut payload = (meta.len() as u32).to_be_bytes().to_vec();
            payload.extend_from_slice(&meta);
            let flags = Flags::REQ.with(Flags::START).with(Flags::END);
            self.request = frame(flags, Plane::Storage.id(), 0, &self.capability, &payload);
        }
        self.request[30..38].copy_from_slice(&self.corr_id.to_be_bytes());
        self.tls.send(&self.request)?;
        let frame = self.read_frame()?;
        let meta_len = u32::from_be_bytes([frame[38], frame[39], frame[40], frame[41]]) as usize;
        Ok(&frame[42 + meta_len..])
    }

    /// One frame: these clients are for replies of one frame only.
    fn read_frame(&mut self) -> Result<&[u8]> {
        self.reply.clear();
        loop {
            self.tls.receive(&mut self.reply)?;
            if let Some(len) = self.reply.first_chunk::<4>() {
                let len = u32::from_be_bytes(*len) as usize;
                if self.reply.len() == len {
                    return Ok(&self.reply);
                }
                if self.reply.len() > len {
                    return Err("a bare client takes one frame per reply".into());
                }
            }
        }
    }
}

fn frame(flags: Flags, plane: u16, corr_id: u64, capability: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = Header {
        len: (HEADER_LEN + capability.len() + payload.len()) as u32,
        flags,
        code: 0,
        app_proto_id: plane,
        tenant_id: 0,
        cap_len: capability.len() as u16,
        corr_id,
    };
    [&header.encode()[..], capability, payload].concat()
}

/// rustls' own stream.
pub(crate) struct BufferedTls {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Box<[u8]>,
}

impl Tls for BufferedTls {
    fn connect(config: Arc<ClientConfig>, stream: TcpStream) -> Result<Self> {
        let connection = ClientConnection::new(config, server_name(&stream)?)?;
        Ok(Self {
            stream: StreamOwned::new(connection, stream),
            buffer: vec![0; BUFFER].into_boxed_slice(),
        })
    }

    fn send(&mut self, plaintext: &[u8]) -> Result<()> {
        self.stream.write_all(plaintext)?;
        Ok(self.stream.flush()?)
    }

    fn receive(&mut self, plaintext: &mut Vec<u8>) -> Result<()> {
        let received = self.stream.read(&mut self.buffer)?;
        if received == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        plaintext.extend_from_slice(&self.buffer[..received]);
        Ok(())
    }
}

/// rustls' unbuffered interface with one reused buffer for each direction.
pub(crate) struct UnbufferedTls {
    stream: TcpStream,
    tls: UnbufferedClientConnection,
    incoming: Box<[u8]>,
    filled: usize,
    outgoing: Box<[u8]>,
}

impl UnbufferedTls {
    /// Handles what TLS has to say until plaintext was appended, or it waits for the peer or the caller.
    fn process(&mut self, plaintext: &mut Vec<u8>, send: &[u8]) -> Result<Progress> {
        let mut encoded = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self
                .tls
                .process_tls_records(&mut self.incoming[..self.filled]);
            let mut progress = None;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plaintext.extend_from_slice(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    match data.encode(&mut self.outgoing[encoded..]) {
                        Ok(len) => encoded += len,
                        Err(EncodeError::AlreadyEncoded) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                ConnectionState::TransmitTlsData(data) => {
                    self.stream.write_all(&self.outgoing[..encoded])?;
                    encoded = 0;
                    data.done();
                }
                ConnectionState::WriteTraffic(mut traffic) if !send.is_empty() => {
                    let len = traffic.encrypt(send, &mut self.outgoing)?;
                    self.stream.write_all(&self.outgoing[..len])?;
                    progress = Some(Progress::Open);
                }
                ConnectionState::WriteTraffic(_) => progress = Some(Progress::Open),
                ConnectionState::BlockedHandshake => progress = Some(Progress::Handshaking),
                _ => return Err("the gateway closed the connection".into()),
            }
            self.incoming.copy_within(discard..self.filled, 0);
            self.filled -= discard;
            if let Some(progress) = progress {
                return Ok(progress);
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        match self.stream.read(&mut self.incoming[self.filled..])? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            received => {
                self.filled += received;
                Ok(())
            }
        }
    }
}

/// Where TLS stands when it can do nothing more by itself.
#[derive(PartialEq, Eq)]
enum Progress {
    Handshaking,
    Open,
}

impl Tls for UnbufferedTls {
    fn connect(config: Arc<ClientConfig>, stream: TcpStream) -> Result<Self> {
        let tls = UnbufferedClientConnection::new(config, server_name(&stream)?)?;
        let mut this = Self {
            stream,
            tls,
            incoming: vec![0; BUFFER].into_boxed_slice(),
            filled: 0,
            outgoing: vec![0; BUFFER].into_boxed_slice(),
        };
        while this.process(&mut Vec::new(), b"")? == Progress::Handshaking {
            this.fill()?;
        }
        Ok(this)
    }

    fn send(&mut self, plaintext: &[u8]) -> Result<()> {
        self.process(&mut Vec::new(), plaintext)?;
        Ok(())
    }

    fn receive(&mut self, plaintext: &mut Vec<u8>) -> Result<()> {
        let before = plaintext.len();
        while plaintext.len() == before {
            self.fill()?;
            self.process(plaintext, b"")?;
        }
        Ok(())
    }
}

fn server_name(stream: &TcpStream) -> Result<ServerName<'static>> {
    Ok(ServerName::from(stream.peer_addr()?.ip()))
}
