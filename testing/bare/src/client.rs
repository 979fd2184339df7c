//! One connection with one blocking caller.

use crate::reply::ReplyReader;
use crate::request::{Check, Request};
use crate::Result;
use ron_app_sdk::oap::hello::HelloRequest;
use ron_app_sdk::oap::{Flags, Header, HEADER_LEN};
use ron_app_sdk::AddrB3;
use rustls::ClientConfig;
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// A connected stream of bytes.
pub trait Wire: Sized {
    /// Makes one of a connected socket.
    ///
    /// # Errors
    /// Where TLS fails.
    fn new(stream: TcpStream, tls: &Arc<ClientConfig>) -> Result<Self>;

    /// Sends all of it.
    ///
    /// # Errors
    /// Where the connection fails.
    fn send(&mut self, plaintext: &[u8]) -> Result<()>;

    /// Waits for bytes and hands them to `consume`, slice by slice.
    ///
    /// # Errors
    /// Where the connection fails or ends, and what `consume` returns.
    fn receive(&mut self, consume: impl FnMut(&[u8]) -> Result<()>) -> Result<()>;
}

/// A client of one connection that makes one call at a time.
pub struct Client<W> {
    wire: W,
    last_corr: u64,
    reply: ReplyReader,
    /// Small requests that leave together.
    batch: Vec<u8>,
}

/// A request that is at least so long is sent by itself: copying it would cost more than the send.
const LARGE: usize = 32 * 1024;

impl<W: Wire> Client<W> {
    /// Connects, and exchanges HELLO. `tls` counts for nothing where the wire has none.
    ///
    /// # Errors
    /// Where the connection fails.
    pub fn connect(address: SocketAddr, tls: &Arc<ClientConfig>) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            wire: W::new(stream, tls)?,
            last_corr: 0,
            reply: ReplyReader::new(),
            batch: Vec::new(),
        };
        client.reply.expect_hello();
        client.wire.send(&hello()?)?;
        client.receive()?;
        client.reply.verify(&Check::Success, None)?;
        Ok(client)
    }

    /// Makes a call and verifies what comes back.
    ///
    /// # Errors
    /// Where the connection fails, the peer refuses or the bytes are not those that they should be.
    pub fn call(&mut self, request: &mut Request) -> Result<()> {
        self.last_corr += 1;
        self.reply.expect(self.last_corr, &request.check);
        self.wire.send(request.for_call(self.last_corr))?;
        // While the peer is at work.
        let stored = stored_address(&request.check);
        self.receive()?;
        self.reply.verify(&request.check, stored)
    }

    fn receive(&mut self) -> Result<()> {
        while !self.reply.is_complete() {
            self.wire.receive(|mut bytes| {
                self.reply.consume(&mut bytes)?;
                if bytes.is_empty() {
                    Ok(())
                } else {
                    Err("bytes came unasked".into())
                }
            })?;
        }
        Ok(())
    }

    /// Keeps a call open for each of so many callers, on this thread: what many callers of one connection cost
    /// at least. All that has come is read at once, and all that is due is sent together. When a caller's call
    /// has succeeded, `goes_on` says whether it makes another one. The peer has to answer in order.
    ///
    /// # Errors
    /// As [`Client::call`]; the client is of no use then.
    pub fn drive(
        &mut self,
        request: &mut Request,
        callers: usize,
        mut goes_on: impl FnMut(usize) -> bool,
    ) -> Result<()> {
        // Whose calls are open, in order, and what they stored.
        let mut open: VecDeque<(usize, Option<AddrB3>)> = VecDeque::with_capacity(callers);
        let mut ready: Vec<usize> = (0..callers).collect();
        let mut next_reply = self.last_corr + 1;
        self.reply.expect(next_reply, &request.check);
        while !(ready.is_empty() && open.is_empty()) {
            for caller in ready.drain(..) {
                self.last_corr += 1;
                if request.len() < LARGE {
                    request.append_for_call(self.last_corr, &mut self.batch);
                } else {
                    self.wire.send(request.for_call(self.last_corr))?;
                }
                open.push_back((caller, stored_address(&request.check)));
            }
            if !self.batch.is_empty() {
                self.wire.send(&self.batch)?;
                self.batch.clear();
            }
            let Self { wire, reply, .. } = self;
            wire.receive(|mut bytes| {
                while !bytes.is_empty() {
                    reply.consume(&mut bytes)?;
                    if reply.is_complete() {
                        let (caller, stored) = open.pop_front().ok_or("a reply came unasked")?;
                        reply.verify(&request.check, stored)?;
                        next_reply += 1;
                        reply.expect(next_reply, &request.check);
                        if goes_on(caller) {
                            ready.push(caller);
                        }
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The hash of a body that was sent.
pub(crate) fn stored_address(check: &Check) -> Option<AddrB3> {
    match check {
        Check::Stored(body) => Some(AddrB3::of(body)),
        _ => None,
    }
}

/// The first frame of a connection.
pub(crate) fn hello() -> Result<Vec<u8>> {
    let payload = serde_json::to_vec(&HelloRequest::new("bare"))?;
    let header = Header {
        len: (HEADER_LEN + payload.len()) as u32,
        flags: Flags::REQ,
        code: 0,
        app_proto_id: 0,
        tenant_id: 0,
        cap_len: 0,
        corr_id: 0,
    };
    Ok([&header.encode()[..], &payload].concat())
}
