//! The server's end of a connection: plain TCP, or TLS over rustls' unbuffered interface.

use ron_bare::Result;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::ServerConfig;
use std::io::{self, Read, Write};
use std::mem;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

const INCOMING: usize = 1024 * 1024;
/// What is sealed together, and sent together where no more is due.
const PIECE: usize = 128 * 1024;
/// Room for a piece, its records and what small replies came before it.
const OUTGOING: usize = 2 * PIECE + 16 * 1024;

/// What a receive found.
#[derive(PartialEq, Eq)]
pub(crate) enum Received {
    Bytes,
    /// Nothing within the time that was set.
    Nothing,
    End,
}

/// A connected stream of bytes.
pub(crate) trait ServerWire {
    /// Waits for bytes and hands all that is there to `consume`.
    fn receive(&mut self, consume: impl FnMut(&[u8]) -> Result<()>) -> Result<Received>;
    /// Takes bytes, which are sent when there are many, or with the next [`ServerWire::flush`].
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    fn flush(&mut self) -> Result<()>;
    /// How long a receive waits; for ever unless set.
    fn set_patience(&mut self, patience: Option<Duration>) -> Result<()>;
}

/// TCP.
pub(crate) struct PlainWire {
    stream: TcpStream,
    incoming: Box<[u8]>,
    outgoing: Vec<u8>,
}

impl PlainWire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            incoming: vec![0; INCOMING].into_boxed_slice(),
            outgoing: Vec::with_capacity(PIECE),
        }
    }
}

impl ServerWire for PlainWire {
    fn receive(&mut self, mut consume: impl FnMut(&[u8]) -> Result<()>) -> Result<Received> {
        match read(&mut self.stream, &mut self.incoming)? {
            Some(0) => Ok(Received::End),
            Some(received) => {
                consume(&self.incoming[..received])?;
                Ok(Received::Bytes)
            }
            None => Ok(Received::Nothing),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.outgoing.len() + bytes.len() <= PIECE / 2 {
            self.outgoing.extend_from_slice(bytes);
            return Ok(());
        }
        self.flush()?;
        Ok(self.stream.write_all(bytes)?)
    }

    fn flush(&mut self) -> Result<()> {
        if !self.outgoing.is_empty() {
            self.stream.write_all(&self.outgoing)?;
            self.outgoing.clear();
        }
        Ok(())
    }

    fn set_patience(&mut self, patience: Option<Duration>) -> Result<()> {
        Ok(self.stream.set_read_timeout(patience)?)
    }
}

/// TLS with one reused buffer for each direction.
pub(crate) struct TlsWire {
    stream: TcpStream,
    tls: UnbufferedServerConnection,
    incoming: Box<[u8]>,
    start: usize,
    end: usize,
    outgoing: Box<[u8]>,
    sealed: usize,
    /// What came together with the end of the handshake.
    early: Vec<u8>,
}

/// Where TLS stands when it can do nothing more by itself.
#[derive(PartialEq, Eq)]
enum Progress {
    Handshaking,
    Open,
    Ended,
}

impl TlsWire {
    /// Waits for the handshake to be over.
    pub(crate) fn accept(stream: TcpStream, config: &Arc<ServerConfig>) -> Result<Self> {
        let mut wire = Self {
            stream,
            tls: UnbufferedServerConnection::new(Arc::clone(config))?,
            incoming: vec![0; INCOMING].into_boxed_slice(),
            start: 0,
            end: 0,
            outgoing: vec![0; OUTGOING].into_boxed_slice(),
            sealed: 0,
            early: Vec::new(),
        };
        loop {
            let mut early = Vec::new();
            let progress = wire.process(b"", |bytes| {
                early.extend_from_slice(bytes);
                Ok(())
            });
            wire.early = early;
            match progress? {
                Progress::Open => return Ok(wire),
                Progress::Handshaking if wire.fill()? == Received::Bytes => {}
                _ => return Err("the handshake was not finished".into()),
            }
        }
    }

    fn fill(&mut self) -> Result<Received> {
        self.incoming.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        Ok(
            match read(&mut self.stream, &mut self.incoming[self.end..])? {
                Some(0) => Received::End,
                Some(received) => {
                    self.end += received;
                    Received::Bytes
                }
                None => Received::Nothing,
            },
        )
    }

    /// Handles what TLS has to say, then seals `plaintext`.
    fn process(
        &mut self,
        plaintext: &[u8],
        mut consume: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Progress> {
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
                        let space = &mut self.outgoing[self.sealed..];
                        self.sealed += traffic.encrypt(plaintext, space)?;
                    }
                    progress = Some(Progress::Open);
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    match data.encode(&mut self.outgoing[self.sealed..]) {
                        Ok(len) => self.sealed += len,
                        Err(EncodeError::AlreadyEncoded) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                ConnectionState::TransmitTlsData(data) => {
                    self.stream.write_all(&self.outgoing[..self.sealed])?;
                    self.sealed = 0;
                    data.done();
                }
                ConnectionState::BlockedHandshake => progress = Some(Progress::Handshaking),
                _ => progress = Some(Progress::Ended),
            }
            self.start += discard;
            if let Some(progress) = progress {
                return Ok(progress);
            }
        }
    }
}

impl ServerWire for TlsWire {
    fn receive(&mut self, mut consume: impl FnMut(&[u8]) -> Result<()>) -> Result<Received> {
        if !self.early.is_empty() {
            consume(&mem::take(&mut self.early))?;
            return Ok(Received::Bytes);
        }
        match self.fill()? {
            Received::Bytes => match self.process(b"", consume)? {
                Progress::Ended => Ok(Received::End),
                _ => Ok(Received::Bytes),
            },
            other => Ok(other),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(PIECE) {
            if self.sealed + piece.len() > OUTGOING - 16 * 1024 {
                self.flush()?;
            }
            // What has been received was taken before anything is answered.
            self.process(piece, |_| Err("data came unasked".into()))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.sealed > 0 {
            self.stream.write_all(&self.outgoing[..self.sealed])?;
            self.sealed = 0;
        }
        Ok(())
    }

    fn set_patience(&mut self, patience: Option<Duration>) -> Result<()> {
        Ok(self.stream.set_read_timeout(patience)?)
    }
}

/// Bytes read, or `None` where none came in time.
fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match stream.read(buffer) {
        Ok(received) => Ok(Some(received)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(None),
            io::ErrorKind::ConnectionReset => Ok(Some(0)),
            _ => Err(error),
        },
    }
}
