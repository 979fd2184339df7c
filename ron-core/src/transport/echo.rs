//! An echo in the place of the connection, so that what a call costs beside it can be measured: settings, policy,
//! retries, telemetry, frames and both sides' sessions run as always; TLS and the socket do not.
//!
//! It has the objects that were put into it, takes messages, and knows nothing else.

use super::connection::{ConnectionId, Exchange, Failure, Reply};
use crate::address::AddrB3;
use crate::error::{ErrorKind, SdkError};
use crate::oap::hello::{HelloReply, Profile};
use crate::oap::{
    ErrorReply, Executed, MailboxSendReply, ObjectReply, Operation, Reason, StoragePutReply,
};
use crate::session::{
    Client, ClientEvent, Meta, Refusal, Request, Server, ServerEvent, ServerLimits, Violation,
};
use bytes::Bytes;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// One call after the other has the sessions to itself.
const SLOTS: u8 = 1;
/// Objects at once. With one more, the echo forgets all of them.
const OBJECTS: usize = 64;

/// Both ends of a connection that has no middle.
pub(super) struct Echo(Mutex<Pair>);

struct Pair {
    client: Client,
    server: Server,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    meta: Vec<u8>,
    objects: HashMap<AddrB3, Bytes>,
}

impl Echo {
    pub(super) fn new() -> Self {
        let hello = HelloReply::new(SLOTS.into(), Profile::Micronode, true);
        let mut pair = Pair {
            client: Client::new(&super::hello(), SLOTS.into()),
            server: Server::new(hello, ServerLimits::default()),
            to_server: Vec::new(),
            to_client: Vec::new(),
            meta: Vec::new(),
            objects: HashMap::new(),
        };
        pair.to_server.append(pair.client.control_output());
        // A HELLO that fails is found by the first call.
        let _ = pair.carry();
        while pair.client.next_event().is_some() {}
        Self(Mutex::new(pair))
    }

    pub(super) fn exchange(&self, exchange: &Exchange<'_>) -> Result<Reply, Failure> {
        let mut pair = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(pair.call(exchange)?)
    }
}

impl Pair {
    fn call(&mut self, exchange: &Exchange<'_>) -> Result<Reply, SdkError> {
        if exchange.is_greeting() {
            return Ok(Reply {
                connection: ConnectionId::default(),
                code: 200,
                meta: Meta::default(),
                body: Bytes::new(),
                hash: None,
            });
        }
        self.to_server.clear();
        self.meta.clear();
        let now = exchange.content.begins();
        let left = exchange.deadline.saturating_duration_since(now);
        let left = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
        exchange.content.write_meta(left, &mut self.meta);
        let request = Request {
            plane: exchange.plane,
            tenant_id: 0,
            capability: exchange.capability,
            meta: &self.meta,
        };
        let body = exchange.content.body();
        let started = self
            .client
            .start(0, &request, body.len(), &mut self.to_server);
        let mut sent = started.map_err(refused)?;
        loop {
            crate::internals::note_sealed(&body[sent.body.clone()]);
            self.to_server.extend_from_slice(&body[sent.body.clone()]);
            let (corr_id, end) = (sent.corr_id, sent.body.end);
            match self
                .client
                .resume(corr_id, end, body.len(), &mut self.to_server)
            {
                Some(next) => sent = next,
                None => break,
            }
        }
        exchange.content.while_waiting();
        self.carry().map_err(|violation| {
            SdkError::new(
                ErrorKind::Internal,
                format!("the echo broke the protocol: {violation}"),
            )
        })?;
        while let Some(event) = self.client.next_event() {
            if let ClientEvent::Reply {
                code, meta, body, ..
            } = event
            {
                return Ok(Reply {
                    connection: ConnectionId::default(),
                    code,
                    meta,
                    body,
                    hash: None,
                });
            }
        }
        Err(SdkError::new(
            ErrorKind::Internal,
            "the echo did not answer",
        ))
    }

    /// What is on its way to the server, and its answers back.
    fn carry(&mut self) -> Result<(), Violation> {
        let now = Instant::now();
        self.server.receive(now, &self.to_server)?;
        let mut asked = None;
        while let Some(event) = self.server.next_event() {
            match event {
                ServerEvent::Request { head, .. } => asked = Some((head.app_proto_id, head.meta)),
                ServerEvent::Body { corr_id, body } => {
                    let (plane, meta) = asked.take().unwrap_or_default();
                    match self.serve(plane, &meta, body) {
                        Some((meta, body)) => self.server.answer(corr_id, 200, meta, body),
                        None => {
                            let reply = ErrorReply::not_executed(Reason::NotFound);
                            self.server.refuse(corr_id, &reply);
                        }
                    }
                }
                _ => {}
            }
        }
        self.to_client.clear();
        while self.server.has_output() {
            self.server.output(&mut self.to_client, usize::MAX);
        }
        self.client.receive(now, &self.to_client)
    }

    fn serve(&mut self, plane: u16, meta: &[u8], body: Bytes) -> Option<(Vec<u8>, Bytes)> {
        let (_, operation) = Operation::decode(plane, meta).ok()?;
        match operation {
            Operation::StoragePut => {
                let (address, size) = (AddrB3::of(&body), body.len() as u64);
                if self.objects.len() >= OBJECTS {
                    self.objects.clear();
                }
                self.objects.insert(address, body);
                let reply = StoragePutReply {
                    executed: Executed::Yes,
                    replayed: false,
                    address,
                    size,
                };
                Some((encode(&reply)?, Bytes::new()))
            }
            Operation::StorageGet {
                address,
                range: None,
            } => {
                let object = self.objects.get(&address)?.clone();
                Some((encode(&head(address, &object))?, object))
            }
            Operation::StorageHead { address } => {
                let object = self.objects.get(&address)?;
                Some((encode(&head(address, object))?, Bytes::new()))
            }
            Operation::MailboxSend { .. } => {
                let reply = MailboxSendReply {
                    executed: Executed::Yes,
                    replayed: false,
                    id: "echo".to_owned(),
                };
                Some((encode(&reply)?, Bytes::new()))
            }
            _ => None,
        }
    }
}

fn head(address: AddrB3, object: &Bytes) -> ObjectReply {
    ObjectReply {
        executed: Executed::No,
        address,
        size: object.len() as u64,
        range: None,
    }
}

fn encode(reply: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(reply).ok()
}

fn refused(refusal: Refusal) -> SdkError {
    SdkError::new(
        ErrorKind::Internal,
        format!("the echo took no call: {refusal:?}"),
    )
}
