//! TLS over rustls' unbuffered interface: what a call costs at least.

use crate::client::Wire;
use crate::tls::server_name;
use crate::{Result, BUFFER};
use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::ClientConfig;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// The longest plaintext that is sealed and sent at once; with its records it fits the buffer.
const PIECE: usize = 256 * 1024;
/// Where less room than this is left for the next receive, what is there moves to the front.
const ROOM: usize = 80 * 1024;

/// rustls' unbuffered interface with one reused buffer for each direction: a request of 64 KiB leaves with one
/// send, and a reply of 64 KiB is taken with one receive.
pub struct Floor {
    stream: TcpStream,
    tls: UnbufferedClientConnection,
    incoming: Box<[u8]>,
    /// Which bytes of `incoming` rustls has not taken yet.
    start: usize,
    end: usize,
    outgoing: Box<[u8]>,
}

impl Wire for Floor {
    fn new(stream: TcpStream, tls: &Arc<ClientConfig>) -> Result<Self> {
        let name = server_name(stream.peer_addr()?);
        let mut wire = Self {
            stream,
            tls: UnbufferedClientConnection::new(Arc::clone(tls), name)?,
            incoming: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            outgoing: vec![0; BUFFER].into_boxed_slice(),
        };
        while wire.process(b"", |_| Ok(()))? == Progress::Handshaking {
            wire.fill()?;
        }
        Ok(wire)
    }

    fn send(&mut self, plaintext: &[u8]) -> Result<()> {
        for piece in plaintext.chunks(PIECE) {
            self.process(piece, |_| Err("bytes came unasked".into()))?;
        }
        Ok(())
    }

    fn receive(&mut self, consume: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.fill()?;
        self.process(b"", consume)?;
        Ok(())
    }
}

/// Where TLS stands when it can do nothing more by itself.
#[derive(PartialEq, Eq)]
enum Progress {
    Handshaking,
    Open,
}

impl Floor {
    fn fill(&mut self) -> Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.incoming.len() - self.end < ROOM {
            self.incoming.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        match self.stream.read(&mut self.incoming[self.end..])? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            received => {
                self.end += received;
                Ok(())
            }
        }
    }

    /// Handles what TLS has to say until it waits for the peer or the caller, then sends `plaintext`.
    fn process(
        &mut self,
        plaintext: &[u8],
        mut consume: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Progress> {
        let mut encoded = 0;
        loop {
            let incoming = &mut self.incoming[self.start..self.end];
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(incoming);
            let mut progress = None;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        consume(record.payload)?;
                    }
                }
                ConnectionState::WriteTraffic(mut traffic) => {
                    if !plaintext.is_empty() {
                        let len = traffic.encrypt(plaintext, &mut self.outgoing)?;
                        self.stream.write_all(&self.outgoing[..len])?;
                    }
                    progress = Some(Progress::Open);
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
                ConnectionState::BlockedHandshake => progress = Some(Progress::Handshaking),
                _ => return Err("the peer closed the connection".into()),
            }
            self.start += discard;
            if let Some(progress) = progress {
                return Ok(progress);
            }
        }
    }
}
