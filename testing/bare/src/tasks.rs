//! Many callers of one connection, with a task that reads and a task that writes between them and the socket.
//!
//! It is made as well as such a client can be: what waits to be sent leaves in one write, replies are put together
//! without a copy more than is needed, and callers verify in their own tasks.

use crate::client::{hello, stored_address};
use crate::reply::verify_whole;
use crate::request::Request;
use crate::{one_task, Result, BUFFER};
use ron_app_sdk::oap::{split_meta, FrameDecoder, Header, Part};
use rustls::ClientConfig;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{split, AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::client::TlsStream;

/// Calls that wait for the writing task.
const QUEUE: usize = 1024;
/// A write takes no further request once it is so long.
const WRITE: usize = 128 * 1024;

/// A client of one connection for any number of callers, which end where it is dropped.
pub struct Tasks {
    calls: mpsc::Sender<Call>,
}

struct Call {
    request: Arc<Request>,
    reply: oneshot::Sender<Reply>,
}

struct Reply {
    code: u16,
    /// `meta_len`, the meta and the body.
    payload: Vec<u8>,
}

impl Tasks {
    /// Connects, exchanges HELLO and starts the tasks on the current runtime.
    ///
    /// # Errors
    /// Where the connection fails.
    pub async fn connect(address: SocketAddr, tls: &Arc<ClientConfig>) -> Result<Self> {
        let (reader, mut writer) = split(one_task::connect(address, tls).await?);
        writer.write_all(&hello()?).await?;
        writer.flush().await?;
        let open = Arc::new(Mutex::new(Open::default()));
        let mut reader = Reader {
            stream: reader,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            decoder: FrameDecoder::new(),
            current: None,
            incomplete: Vec::new(),
            open: Arc::clone(&open),
            has_hello: false,
        };
        while !reader.has_hello {
            reader.receive().await?;
        }
        let (calls, queue) = mpsc::channel(QUEUE);
        // Both end with the connection, and the connection with the last caller.
        tokio::spawn(async move {
            while reader.receive().await.is_ok() {}
            reader.open().end();
        });
        tokio::spawn(write(writer, queue, open));
        Ok(Self { calls })
    }

    /// Makes a call and verifies what comes back.
    ///
    /// # Errors
    /// Where the connection fails, the peer refuses or the bytes are not those that they should be.
    pub async fn call(&self, request: &Arc<Request>) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        let call = Call {
            request: Arc::clone(request),
            reply: sender,
        };
        let ended = || "the connection ended";
        self.calls.send(call).await.map_err(|_| ended())?;
        let stored = stored_address(&request.check);
        let reply = receiver.await.map_err(|_| ended())?;
        let (meta, body) = split_meta(&reply.payload)?;
        verify_whole(&request.check, stored, reply.code, meta, body)
    }
}

/// The calls that wait for their replies.
#[derive(Default)]
struct Open {
    /// The `corr_id` of the first one.
    first: u64,
    calls: VecDeque<Option<oneshot::Sender<Reply>>>,
    has_ended: bool,
}

impl Open {
    /// The `corr_id` of a new one.
    fn push(&mut self, call: oneshot::Sender<Reply>) -> u64 {
        if self.calls.is_empty() && self.first == 0 {
            self.first = 1;
        }
        // Where the connection has ended, the sender is dropped, which its caller notices.
        self.calls.push_back(Some(call).filter(|_| !self.has_ended));
        self.first + self.calls.len() as u64 - 1
    }

    fn take(&mut self, corr_id: u64) -> Option<oneshot::Sender<Reply>> {
        let index = usize::try_from(corr_id.checked_sub(self.first)?).ok()?;
        let call = self.calls.get_mut(index)?.take();
        while let Some(None) = self.calls.front() {
            self.calls.pop_front();
            self.first += 1;
        }
        call
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.calls.iter_mut().for_each(|call| *call = None);
    }
}

async fn write(
    mut stream: WriteHalf<TlsStream<TcpStream>>,
    mut queue: mpsc::Receiver<Call>,
    open: Arc<Mutex<Open>>,
) -> Result<()> {
    let mut bytes = Vec::new();
    while let Some(mut call) = queue.recv().await {
        bytes.clear();
        loop {
            let corr_id = lock(&open).push(call.reply);
            call.request.append_for_call(corr_id, &mut bytes);
            match queue.try_recv() {
                Ok(next) if bytes.len() < WRITE => call = next,
                Ok(next) => {
                    stream.write_all(&bytes).await?;
                    bytes.clear();
                    call = next;
                }
                Err(_) => break,
            }
        }
        stream.write_all(&bytes).await?;
        stream.flush().await?;
    }
    Ok(stream.shutdown().await?)
}

struct Reader {
    stream: ReadHalf<TlsStream<TcpStream>>,
    buffer: Box<[u8]>,
    decoder: FrameDecoder,
    /// The frame that is being read.
    current: Option<Header>,
    /// Replies of which a part has come.
    incomplete: Vec<(u64, Reply)>,
    open: Arc<Mutex<Open>>,
    has_hello: bool,
}

impl Reader {
    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        lock(&self.open)
    }

    async fn receive(&mut self) -> Result<()> {
        let received = self.stream.read(&mut self.buffer).await?;
        if received == 0 {
            return Err("the peer closed the connection".into());
        }
        // Taken for the while, so that the rest of the reader can be changed.
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.consume(&buffer[..received]);
        self.buffer = buffer;
        result
    }

    fn consume(&mut self, mut bytes: &[u8]) -> Result<()> {
        while let Some(part) = self.decoder.next_part(&mut bytes)? {
            match part {
                Part::Header(header) => self.current = Some(header),
                Part::Payload(payload) => self.take(payload),
                Part::Capability(_) => return Err("a reply has a capability".into()),
                Part::End => self.end_frame(),
            }
        }
        Ok(())
    }

    fn take(&mut self, payload: &[u8]) {
        let Some(header) = self.current else { return };
        let known = self.incomplete.iter_mut().find(|r| r.0 == header.corr_id);
        if let Some((_, reply)) = known {
            reply.payload.extend_from_slice(payload);
            return;
        }
        let mut whole = Vec::with_capacity(header.payload_len());
        whole.extend_from_slice(payload);
        let reply = Reply {
            code: header.code,
            payload: whole,
        };
        self.incomplete.push((header.corr_id, reply));
    }

    fn end_frame(&mut self) {
        let Some(header) = self.current.take() else {
            return;
        };
        if !header.is_end() && self.has_hello {
            return;
        }
        self.has_hello = true;
        let found = self.incomplete.iter().position(|r| r.0 == header.corr_id);
        let reply = found.map(|index| self.incomplete.swap_remove(index).1);
        let call = self.open().take(header.corr_id);
        if let (Some(call), Some(reply)) = (call, reply) {
            // A caller that has gone does not want it.
            let _ = call.send(reply);
        }
    }
}

fn lock(open: &Mutex<Open>) -> std::sync::MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
