//! Several callers of one client at the same time.

use super::call::Call;
use ron_app_sdk::mailbox::Lease;
use ron_app_sdk::{blocking, Capability, RonAppSdk};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Which of the SDK's clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Each caller is a thread.
    Blocking,
    /// Each caller is a task on a runtime with one thread.
    Async,
}

/// Both.
pub const CLIENTS: [Client; 2] = [Client::Blocking, Client::Async];

impl Client {
    /// As it appears in the name of a bench.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Async => "async",
        }
    }
}

/// Makes the calls of each caller one after the other. Returns how long it took until all were made, and the leases
/// that were got.
pub(crate) fn in_threads(
    sdk: &blocking::RonAppSdk,
    capability: &Capability,
    callers: Vec<Vec<Call>>,
) -> (Duration, Vec<Lease>) {
    let make_all = |calls: Vec<Call>| {
        let mut leases = Vec::with_capacity(calls.len());
        for call in calls {
            call.make(sdk, capability, &mut leases).unwrap();
        }
        leases
    };
    match <[_; 1]>::try_from(callers) {
        Ok([calls]) => {
            let start = Instant::now();
            let leases = make_all(calls);
            (start.elapsed(), leases)
        }
        Err(callers) => {
            let barrier = Barrier::new(callers.len() + 1);
            thread::scope(|scope| {
                let spawn = |calls| {
                    scope.spawn(|| {
                        barrier.wait();
                        make_all(calls)
                    })
                };
                let threads: Vec<_> = callers.into_iter().map(spawn).collect();
                barrier.wait();
                let start = Instant::now();
                let leases: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
                (start.elapsed(), leases.concat())
            })
        }
    }
}

/// The same in tasks.
pub(crate) fn in_tasks(
    runtime: &Runtime,
    sdk: &RonAppSdk,
    capability: &Capability,
    callers: Vec<Vec<Call>>,
) -> (Duration, Vec<Lease>) {
    runtime.block_on(async {
        let spawn = |calls: Vec<Call>| {
            let (sdk, capability) = (sdk.clone(), capability.clone());
            tokio::spawn(async move {
                let mut leases = Vec::with_capacity(calls.len());
                for call in calls {
                    let made = call.make_async(&sdk, &capability, &mut leases).await;
                    made.unwrap();
                }
                leases
            })
        };
        // The runtime has one thread, which is here: no task runs before it is waited for.
        let tasks: Vec<_> = callers.into_iter().map(spawn).collect();
        let start = Instant::now();
        let mut leases = Vec::new();
        for task in tasks {
            leases.append(&mut task.await.unwrap());
        }
        (start.elapsed(), leases)
    })
}
