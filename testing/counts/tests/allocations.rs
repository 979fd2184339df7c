//! What a call costs in memory, in steady state, beside what rustls takes for the same bytes.
//!
//! Counted on the calling thread, by a counting allocator, call by call, against a gateway in a process of its own.
//! rustls' own share is what the bare client takes, which allocates nothing else: one allocation for each record.
//!
//! `RON_UPDATE=1 cargo test -p ron-counts --test allocations` records the figures anew.
#![allow(clippy::unwrap_used)]

use allocation_counter::{measure, AllocationInfo};
use ron_app_sdk::{AddrB3, Topic};
use ron_bare::{client_config, Floor, Request};
use ron_counts::calls::{Call, Client, Operation, Payload, World, CLIENTS, OPERATIONS};
use ron_counts::{baseline, bytes};
use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;

const WARM_UP: usize = 100;
const COUNTED: usize = 21;
/// By how many percent a figure may rise before this fails.
const TOLERANCE: u64 = 15;

/// What one call takes.
#[derive(Clone, Copy, Debug)]
struct Cost {
    allocations: u64,
    /// The most bytes that it holds at once, what it returns included.
    peak: u64,
}

impl Cost {
    /// Of the call in the middle: a reply may arrive in two pieces now and then.
    fn typical(mut counts: Vec<AllocationInfo>) -> Self {
        let mut middle = |key: fn(&AllocationInfo) -> u64| {
            counts.sort_unstable_by_key(key);
            key(&counts[counts.len() / 2])
        };
        Self {
            allocations: middle(|count| count.count_total),
            peak: middle(|count| count.bytes_max),
        }
    }
}

/// What is allowed.
struct Limits {
    /// Allocations beyond rustls' own and those of what the call returns.
    beyond: u64,
    /// Allocations in all where each direction has one record. Each further record adds one, which is rustls'.
    all: u64,
    /// The most bytes at once, beyond rustls' own and the body that the call returns.
    transient: u64,
}

impl Limits {
    fn of(operation: Operation) -> Self {
        let (beyond, all, transient) = match operation {
            Operation::StoragePut => (2, 8, 8 * 1024),
            Operation::MailboxSend => (2, 6, 8 * 1024),
            // The third is the list as the meta has it; the meta is too long for the place that others have.
            Operation::MailboxReceive => (3, 9, 4 * 1024),
            _ => (2, 8, 4 * 1024),
        };
        Self {
            beyond,
            all,
            transient,
        }
    }
}

/// How many allocations hold what a call returns, where that is more than a body.
fn results(operation: Operation) -> u64 {
    match operation {
        // The list, and its message's id, lease and body.
        Operation::MailboxReceive => 4,
        _ => 0,
    }
}

#[test]
fn calls_allocate_no_more_than_allowed_beyond_what_rustls_does_and_than_before() {
    let world = World::start(Path::new(env!("CARGO_BIN_EXE_counts-gateway")));
    let mut wrong = Vec::new();
    for operation in OPERATIONS {
        // It is a receive with a topic that it finds by itself, of as many messages as there are.
        if operation == Operation::MailboxRecv {
            continue;
        }
        let mut figures = BTreeMap::new();
        let is_counted =
            |payload: &&Payload| matches!(payload, Payload::None | Payload::B64 | Payload::KiB64);
        for payload in operation.payloads().iter().filter(is_counted) {
            let rustls = rustls_share(&world, operation, *payload);
            for client in CLIENTS {
                let cost = count(&world, operation, *payload, client);
                let name = format!("{}.{}", client.name(), payload.name());
                let returned = returned(operation, *payload);
                let beyond = cost.allocations - rustls.allocations;
                let transient = cost.peak - returned;
                figures.insert(format!("{name}.allocations"), cost.allocations);
                figures.insert(format!("{name}.beyond_rustls"), beyond);
                figures.insert(format!("{name}.transient_bytes"), transient);
                let limits = Limits::of(operation);
                let of_records = rustls.allocations - 2;
                if beyond - results(operation) > limits.beyond
                    || cost.allocations - of_records > limits.all
                    || transient.saturating_sub(rustls.peak) > limits.transient
                {
                    wrong.push(format!(
                        "{} {name}: {cost:?}, {returned} of it returned; rustls: {rustls:?}",
                        operation.name()
                    ));
                }
            }
        }
        let path = format!(
            "testing/performance/baselines/allocations/{}.txt",
            operation.name()
        );
        let comment = format!(
            "What one {} takes in steady state: allocations in all and beyond rustls' own, and the\n\
             most bytes that it holds at once beyond the body that it returns.",
            operation.name()
        );
        if let Err(lines) = baseline::check(&path, &comment, &figures, TOLERANCE) {
            wrong.push(lines);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn count(world: &World, operation: Operation, payload: Payload, client: Client) -> Cost {
    let (calls, lease) = world.calls(operation, payload, WARM_UP + COUNTED);
    let capability = world.gateway().capability();
    // The leases have room, so that keeping them allocates nothing.
    let mut leases = Vec::with_capacity(WARM_UP + COUNTED + 1);
    let mut make = |call: Call| match client {
        Client::Blocking => call.make(world.blocking(), capability, &mut leases),
        Client::Async => {
            // Pinned here, since tokio moves a long future to the heap.
            let call = pin!(call.make_async(world.asynchronous(), capability, &mut leases));
            world.runtime().block_on(call)
        }
    };
    let count = |call| measure(|| make(call).unwrap());
    let mut counts: Vec<_> = calls.into_iter().map(count).collect();
    let cost = Cost::typical(counts.split_off(WARM_UP));
    leases.extend(lease);
    world.tidy_up(operation, leases);
    cost
}

/// What rustls takes for requests and replies of these lengths. Heads and metas add no record to a body of 64 bytes or
/// 64 KiB: the records of a get are those of every reply that is as long.
fn rustls_share(world: &World, operation: Operation, payload: Payload) -> Cost {
    let capability = world.gateway().capability().expose();
    let body = bytes(match payload {
        Payload::None => Payload::B64.bytes(),
        payload => payload.bytes(),
    });
    let mut request = match operation {
        Operation::StoragePut => Request::put(capability, &body),
        Operation::MailboxSend => {
            let topic = Topic::new("bare").unwrap();
            Request::mailbox_send(capability, &topic, &body)
        }
        _ => Request::get(capability, AddrB3::of(&body)),
    };
    let config = world.gateway().config();
    let address = config.gateway_addr.trim_start_matches("https://");
    let tls = client_config(config.tls.ca.as_deref().unwrap()).unwrap();
    let mut client = ron_bare::Client::<Floor>::connect(address.parse().unwrap(), &tls).unwrap();
    let counts = (0..WARM_UP + COUNTED).map(|_| measure(|| client.call(&mut request).unwrap()));
    Cost::typical(counts.skip(WARM_UP).collect())
}

/// The bytes of a body that a call hands to its caller.
fn returned(operation: Operation, payload: Payload) -> u64 {
    match operation {
        Operation::StorageGet
        | Operation::StorageGetRange
        | Operation::EdgeGet
        | Operation::MailboxReceive => payload.bytes() as u64,
        _ => 0,
    }
}
