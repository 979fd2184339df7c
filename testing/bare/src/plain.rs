//! TCP without TLS.

use crate::client::Wire;
use crate::{Result, BUFFER};
use rustls::ClientConfig;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// A socket with one reused buffer.
pub struct Plain {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

impl Wire for Plain {
    fn new(stream: TcpStream, _tls: &Arc<ClientConfig>) -> Result<Self> {
        Ok(Self {
            stream,
            buffer: vec![0; BUFFER].into_boxed_slice(),
        })
    }

    fn send(&mut self, plaintext: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(plaintext)?)
    }

    fn receive(&mut self, mut consume: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match self.stream.read(&mut self.buffer)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            received => consume(&self.buffer[..received]),
        }
    }
}
