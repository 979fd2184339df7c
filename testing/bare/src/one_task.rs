//! A TLS stream of tokio-rustls that one task reads and writes.

use crate::client::{hello, stored_address};
use crate::reply::ReplyReader;
use crate::request::{Check, Request};
use crate::tls::server_name;
use crate::{Result, BUFFER};
use rustls::ClientConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;

/// A client of one connection that makes one call at a time, within a tokio runtime.
pub struct OneTask {
    stream: TlsStream<TcpStream>,
    buffer: Box<[u8]>,
    last_corr: u64,
    reply: ReplyReader,
}

impl OneTask {
    /// Connects, and exchanges HELLO.
    ///
    /// # Errors
    /// Where the connection fails.
    pub async fn connect(address: SocketAddr, tls: &Arc<ClientConfig>) -> Result<Self> {
        let mut client = Self {
            stream: connect(address, tls).await?,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            last_corr: 0,
            reply: ReplyReader::new(),
        };
        client.reply.expect_hello();
        client.send(&hello()?).await?;
        client.receive().await?;
        client.reply.verify(&Check::Success, None)?;
        Ok(client)
    }

    /// Makes a call and verifies what comes back.
    ///
    /// # Errors
    /// Where the connection fails, the peer refuses or the bytes are not those that they should be.
    pub async fn call(&mut self, request: &mut Request) -> Result<()> {
        self.last_corr += 1;
        self.reply.expect(self.last_corr, &request.check);
        self.send(request.for_call(self.last_corr)).await?;
        let stored = stored_address(&request.check);
        self.receive().await?;
        self.reply.verify(&request.check, stored)
    }

    async fn send(&mut self, plaintext: &[u8]) -> Result<()> {
        self.stream.write_all(plaintext).await?;
        Ok(self.stream.flush().await?)
    }

    async fn receive(&mut self) -> Result<()> {
        while !self.reply.is_complete() {
            let received = self.stream.read(&mut self.buffer).await?;
            if received == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let mut bytes = &self.buffer[..received];
            self.reply.consume(&mut bytes)?;
            if !bytes.is_empty() {
                return Err("bytes came unasked".into());
            }
        }
        Ok(())
    }
}

/// A connected TLS stream.
pub(crate) async fn connect(
    address: SocketAddr,
    tls: &Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let connector = TlsConnector::from(Arc::clone(tls));
    Ok(connector.connect(server_name(address), stream).await?)
}
