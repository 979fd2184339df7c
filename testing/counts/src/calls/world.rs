//! The gateway, its clients and what is stored there.

use super::call::{Call, LIMIT};
use super::callers::{self, Client};
use super::operation::{Operation, Payload};
use bytes::Bytes;
use futures_util::future::join_all;
use ron_app_sdk::mailbox::Lease;
use ron_app_sdk::{
    blocking, AddrB3, ByteRange, Capability, IndexKey, Mail, Receive, RonAppSdk, SdkConfig, Topic,
    MAX_BODY,
};
use ron_gateway_process::GatewayProcess;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Calls that are prepared at once, and the bytes of the messages that wait for them.
const CALLS_AT_ONCE: usize = 16 * 1024;
const BYTES_AT_ONCE: usize = 64 << 20;
/// Calls at once whose time does not count.
const SMALL_CROWD: usize = 64;

/// Everything that calls need.
pub struct World {
    gateway: GatewayProcess,
    blocking: blocking::RonAppSdk,
    asynchronous: RonAppSdk,
    runtime: Runtime,
    index_key: Arc<IndexKey>,
    topic: Topic,
    /// For the topic alone.
    receiver: Capability,
}

impl World {
    /// Starts a gateway: `program`, which begins with [`ron_gateway_process::serve_if_asked`].
    pub fn start(program: &Path) -> Self {
        let payloads = [Payload::B64, Payload::KiB4, Payload::KiB64, Payload::Limit];
        let objects = payloads.map(|payload| (payload.name(), body(payload)));
        let edge: Vec<_> = objects
            .iter()
            .map(|(name, body)| (*name, &body[..]))
            .collect();
        let gateway = GatewayProcess::start(program, &edge).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let config = gateway.config();
        let topic = Topic::new("benches").unwrap();
        let world = Self {
            blocking: blocking::RonAppSdk::new(config.clone()).unwrap(),
            asynchronous: runtime.block_on(RonAppSdk::new(config)).unwrap(),
            runtime,
            index_key: Arc::new(IndexKey::new("releases.latest").unwrap()),
            receiver: gateway.capability().attenuate("topic=benches").unwrap(),
            topic,
            gateway,
        };
        for (_, body) in &objects {
            let capability = world.gateway.capability();
            let stored = world.blocking.storage_put(capability, body, LIMIT, None);
            stored.unwrap();
        }
        let publish = Call::Publish(Arc::clone(&world.index_key), AddrB3::of(&objects[0].1));
        world.make_at_once(vec![publish]);
        world
    }

    /// How long it takes each of the callers to make so many calls, one after the other.
    pub fn measure(
        &self,
        operation: Operation,
        payload: Payload,
        client: Client,
        callers: usize,
        rounds: u64,
    ) -> Duration {
        let bytes = if operation.is_of_mailbox() {
            per_call(operation, payload) * payload.bytes()
        } else {
            0
        };
        let at_once = CALLS_AT_ONCE.min(BYTES_AT_ONCE / bytes.max(1)) / callers;
        let (mut took, mut left) = (Duration::ZERO, rounds);
        while left > 0 {
            let rounds = left.min(at_once.max(1) as u64);
            let (mut calls, lease) = self.calls(operation, payload, callers * rounds as usize);
            let calls = (0..callers)
                .map(|_| calls.split_off(calls.len() - rounds as usize))
                .collect();
            let capability = self.gateway.capability();
            let (time, mut leases) = match client {
                Client::Blocking => callers::in_threads(&self.blocking, capability, calls),
                Client::Async => {
                    callers::in_tasks(&self.runtime, &self.asynchronous, capability, calls)
                }
            };
            took += time;
            left -= rounds;
            leases.extend(lease);
            self.tidy_up(operation, leases);
        }
        took
    }

    /// How long it takes to make a client and its first call, so many times.
    pub fn measure_cold(
        &self,
        operation: Operation,
        payload: Payload,
        client: Client,
        rounds: u64,
    ) -> Duration {
        let mut took = Duration::ZERO;
        for _ in 0..rounds {
            let (calls, lease) = self.calls(operation, payload, 1);
            let (config, capability) = (self.gateway.config(), self.gateway.capability());
            let mut leases = Vec::from_iter(lease);
            for call in calls {
                took += match client {
                    Client::Blocking => first_call(config.clone(), call, capability, &mut leases),
                    Client::Async => {
                        let first = first_call_async(config.clone(), call, capability, &mut leases);
                        self.runtime.block_on(first)
                    }
                };
            }
            self.tidy_up(operation, leases);
        }
        took
    }

    /// The client for threads.
    pub fn blocking(&self) -> &blocking::RonAppSdk {
        &self.blocking
    }

    /// The client for tasks.
    pub fn asynchronous(&self) -> &RonAppSdk {
        &self.asynchronous
    }

    /// On which its tasks run.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The gateway.
    pub fn gateway(&self) -> &GatewayProcess {
        &self.gateway
    }

    /// So many calls, with what they need at the gateway. The lease is of a message that they all are about.
    pub fn calls(
        &self,
        operation: Operation,
        payload: Payload,
        count: usize,
    ) -> (Vec<Call>, Option<Lease>) {
        let body = body(payload);
        let address = AddrB3::of(&body);
        let messages = match operation {
            Operation::MailboxReceive | Operation::MailboxRecv => {
                count * per_call(operation, payload)
            }
            Operation::MailboxAck | Operation::MailboxNack => count,
            Operation::MailboxExtend => 1,
            _ => 0,
        };
        let mail = Mail::new(self.topic.clone(), body.clone());
        self.make_at_once(vec![Call::Send(mail.clone()); messages]);
        let call = match operation {
            Operation::StoragePut => Call::Put(body),
            Operation::StorageGet => Call::Get(address),
            Operation::StorageGetRange => Call::GetRange(
                address,
                ByteRange::new(0, payload.bytes() as u64 - 1).unwrap(),
            ),
            Operation::StorageHead => Call::Head(AddrB3::of(&self::body(Payload::B64))),
            Operation::EdgeGet => Call::EdgeGet(edge_path(payload)),
            Operation::EdgeHead => Call::EdgeHead(edge_path(Payload::B64)),
            Operation::MailboxSend => Call::Send(mail),
            Operation::MailboxReceive => Call::Receive(Arc::new(Receive::new(self.topic.clone()))),
            Operation::MailboxRecv => Call::Recv(self.receiver.clone()),
            Operation::MailboxAck => return (self.with_leases(Call::Ack), None),
            Operation::MailboxNack => return (self.with_leases(Call::Nack), None),
            Operation::MailboxExtend => {
                let lease = self.receive_all().swap_remove(0);
                return (vec![Call::Extend(lease.clone()); count], Some(lease));
            }
            Operation::IndexResolve => Call::Resolve(Arc::clone(&self.index_key)),
            Operation::IndexPublish => {
                let address = AddrB3::of(&self::body(Payload::B64));
                Call::Publish(Arc::clone(&self.index_key), address)
            }
        };
        (vec![call; count], None)
    }

    fn with_leases(&self, call: impl Fn(Lease) -> Call) -> Vec<Call> {
        self.receive_all().into_iter().map(call).collect()
    }

    /// Leaves the mailbox empty, where an operation has got these leases.
    pub fn tidy_up(&self, operation: Operation, leases: Vec<Lease>) {
        if operation.is_of_mailbox() {
            self.make_at_once(leases.into_iter().map(Call::Ack).collect());
            self.make_at_once(self.with_leases(Call::Ack));
        }
    }

    fn receive_all(&self) -> Vec<Lease> {
        let receive = Receive {
            max: 64,
            // Longer than all benches take.
            visibility: Duration::from_secs(3600),
            ..Receive::new(self.topic.clone())
        };
        let mut leases = Vec::new();
        loop {
            let capability = self.gateway.capability();
            let messages = self.blocking.mailbox_receive(capability, &receive, LIMIT);
            let messages = messages.unwrap();
            if messages.is_empty() {
                return leases;
            }
            leases.extend(messages.into_iter().map(|message| message.lease));
        }
    }

    /// Makes calls whose time does not count.
    fn make_at_once(&self, calls: Vec<Call>) {
        let capability = self.gateway.capability();
        self.runtime.block_on(async {
            let mut calls = calls.into_iter().peekable();
            while calls.peek().is_some() {
                let some = calls.by_ref().take(SMALL_CROWD).map(|call| async {
                    let mut leases = Vec::new();
                    let made = call.make_async(&self.asynchronous, capability, &mut leases);
                    made.await.unwrap();
                });
                join_all(some).await;
            }
        });
    }
}

fn first_call(
    config: SdkConfig,
    call: Call,
    capability: &Capability,
    leases: &mut Vec<Lease>,
) -> Duration {
    let start = Instant::now();
    let sdk = blocking::RonAppSdk::new(config).unwrap();
    call.make(&sdk, capability, leases).unwrap();
    start.elapsed()
}

async fn first_call_async(
    config: SdkConfig,
    call: Call,
    capability: &Capability,
    leases: &mut Vec<Lease>,
) -> Duration {
    let start = Instant::now();
    let sdk = RonAppSdk::new(config).await.unwrap();
    let made = call.make_async(&sdk, capability, leases).await;
    made.unwrap();
    start.elapsed()
}

/// Messages that one call receives at most: `mailbox_recv` takes up to 16, as far as one reply carries them.
fn per_call(operation: Operation, payload: Payload) -> usize {
    match operation {
        Operation::MailboxRecv => (MAX_BODY / payload.bytes()).clamp(1, 16),
        _ => 1,
    }
}

/// Bytes that differ from place to place.
fn body(payload: Payload) -> Bytes {
    (0..payload.bytes()).map(|i| (i % 251) as u8).collect()
}

fn edge_path(payload: Payload) -> Arc<str> {
    format!("/{}", payload.name()).into()
}
