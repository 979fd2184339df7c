//! TLS over rustls' own stream.

use crate::client::Wire;
use crate::tls::server_name;
use crate::{Result, BUFFER};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// rustls' own stream, read into one reused buffer.
pub struct Buffered {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Box<[u8]>,
}

impl Wire for Buffered {
    fn new(stream: TcpStream, tls: &Arc<ClientConfig>) -> Result<Self> {
        let connection = ClientConnection::new(Arc::clone(tls), server_name(stream.peer_addr()?))?;
        Ok(Self {
            stream: StreamOwned::new(connection, stream),
            buffer: vec![0; BUFFER].into_boxed_slice(),
        })
    }

    fn send(&mut self, plaintext: &[u8]) -> Result<()> {
        self.stream.write_all(plaintext)?;
        Ok(self.stream.flush()?)
    }

    fn receive(&mut self, mut consume: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match self.stream.read(&mut self.buffer)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            received => consume(&self.buffer[..received]),
        }
    }
}
